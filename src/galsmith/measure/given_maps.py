"""Maps that belong to given images: segmentation maps, masks, sigma maps and point spread functions, checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.measure.given_images import GivenImages, plain_array

LARGEST_LABEL = 2**31 - 1


@dataclass(frozen=True)
class GivenMaps:
    """Maps beside images, one an image.

    Attributes
    ----------
    labels, masks, sigma_maps : list of ndarray [y, x] or [band, y, x], or None
        None where none were given; a map without a band axis holds for all bands.
    label : list of int, or None
        Which label is the galaxy.
    psfs : list of ndarray [y, x], or None
        One an image.
    """

    labels: list[NDArray[Any]] | None
    masks: list[NDArray[Any]] | None
    sigma_maps: list[NDArray[Any]] | None
    label: list[int] | None
    psfs: list[NDArray[np.float64]] | None


def given_maps(
    given: GivenImages, *, labels: Any, label: Any, masks: Any, sigma_maps: Any, psf: Any
) -> GivenMaps:
    """Check maps against the images that they belong to, before anything is measured.

    Raises
    ------
    SettingsError
        If one is of another form than its image or holds what it must not; the message names which.
    """
    return GivenMaps(
        labels=_maps("labels", labels, given, _refuse_bad_labels),
        masks=_maps("masks", masks, given, _refuse_bad_mask),
        sigma_maps=_maps("sigma_maps", sigma_maps, given, _refuse_no_numbers),
        label=_label_of_each(label, given, labels),
        psfs=_psf_of_each(psf, given),
    )


def map_of_band(maps: list[NDArray[Any]] | None, position: int, place: int) -> NDArray[Any] | None:
    """Give the map of one image and band."""
    if maps is None:
        return None
    return maps[position] if maps[position].ndim == 2 else maps[position][place]


def _maps(
    name: str, maps: Any, given: GivenImages, refuse_bad: Callable[[str, NDArray[Any]], None]
) -> list[NDArray[Any]] | None:
    """Bring maps to one array an image; refuse those of another shape."""
    if maps is None:
        return None
    arrays = _separate(maps)
    if len(arrays) != len(given):
        raise SettingsError(f"{name}: {len(arrays)} maps for {len(given)} images; wanted one an image")
    for position, array in enumerate(arrays):
        shape = tuple(int(side) for side in given.shapes[position])
        if array.shape not in (shape, (len(given.bands), *shape)):
            raise SettingsError(
                f"{name}: map {position} has shape {array.shape} for an image of shape {shape}; wanted the same"
            )
        refuse_bad(f"{name}: map {position}", array)
    return arrays


def _separate(maps: Any) -> list[NDArray[Any]]:
    """Split maps as images are split."""
    if isinstance(maps, list | tuple):
        return [plain_array(array) for array in maps]
    array = plain_array(maps)
    return [array] if array.ndim == 2 else list(array)


def _refuse_bad_labels(name: str, labels: NDArray[Any]) -> None:
    """Refuse a segmentation map of other than labels from 0 up; True counts as label 1."""
    if labels.dtype.kind not in "iub":
        raise SettingsError(
            f"{name} has dtype {labels.dtype}; wanted integers from 0 (the background) up, or bool; "
            "convert it with .astype(int)"
        )
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise SettingsError(f"{name} has the label {labels.min()}; wanted labels from 0 (the background) up")
    if labels.max() > LARGEST_LABEL:
        raise SettingsError(f"{name} has the label {labels.max()}; wanted labels up to {LARGEST_LABEL}")


def _refuse_bad_mask(name: str, mask: NDArray[Any]) -> None:
    """Refuse a mask whose meaning is not plain."""
    if mask.dtype != np.bool_:
        raise SettingsError(
            f"{name} has dtype {mask.dtype}; wanted bool, True where a pixel is to be ignored, such as mask != 0"
        )


def _refuse_no_numbers(name: str, sigma_map: NDArray[Any]) -> None:
    """Refuse a sigma map of other than real numbers."""
    if sigma_map.dtype.kind not in "fiu":
        raise SettingsError(f"{name} has dtype {sigma_map.dtype}; wanted one standard deviation a pixel")


def _label_of_each(label: Any, given: GivenImages, labels: Any) -> list[int] | None:
    """Bring the chosen labels to one an image."""
    if label is None:
        return None
    if labels is None:
        raise SettingsError(
            f"label is {label} without segmentation maps; give labels too, or leave label out"
        )
    chosen = [label] * len(given) if np.ndim(label) == 0 else list(label)
    if len(chosen) != len(given):
        raise SettingsError(
            f"label: {len(chosen)} labels for {len(given)} images; wanted one, or one an image"
        )
    for position, value in enumerate(chosen):
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < 1:
            raise SettingsError(f"label of image {position} is {value!r}; wanted an integer from 1 up")
    return [int(value) for value in chosen]


def _psf_of_each(psf: Any, given: GivenImages) -> list[NDArray[np.float64]] | None:
    """Bring point spread functions to one an image, and refuse what has no sum to divide by."""
    if psf is None:
        return None
    arrays = _separate(psf)
    if not isinstance(psf, list | tuple) and np.ndim(psf) == 2:
        arrays = arrays * len(given)
    if len(arrays) != len(given):
        raise SettingsError(f"psf: {len(arrays)} for {len(given)} images; wanted one, or one an image")
    for position, array in enumerate(arrays):
        if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
            raise SettingsError(
                f"psf of image {position} has shape {array.shape} and dtype {array.dtype}; wanted numbers [y, x]"
            )
        if not np.isfinite(array).all() or not array.sum() > 0:
            raise SettingsError(
                f"psf of image {position} has the sum {array.sum()}; wanted finite pixels of a positive sum"
            )
    return [np.asarray(array, dtype=np.float64) for array in arrays]
