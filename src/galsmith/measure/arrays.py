"""Galaxies given as arrays, with their maps: checked, and measured by `morphology`."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from galsmith.data.galaxies import Galaxy, GalaxyOrigin
from galsmith.data.readers.maps import sigma_of_inverse_variance
from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader, ImageSet
from galsmith.measure.measure import measured
from galsmith.measure.settings import ALL_BANDS, MeasureSettings
from galsmith.provenance import Parent
from galsmith.settings import near_miss, typed_settings

WANTED_FORMS = (
    "one array [y, x], [galaxy, y, x] or [galaxy, band, y, x], a sequence of [y, x] or [band, y, x]"
)
LARGEST_LABEL = 2**31 - 1


def morphology(
    images: ArrayLike | Sequence[ArrayLike] | ImageSet | str | Path,
    *,
    labels: ArrayLike | Sequence[ArrayLike] | None = None,
    label: int | Sequence[int] | None = None,
    segmentation: str = "paper",
    masks: ArrayLike | Sequence[ArrayLike] | None = None,
    sigma_maps: ArrayLike | Sequence[ArrayLike] | None = None,
    ivar_maps: ArrayLike | Sequence[ArrayLike] | None = None,
    psf: ArrayLike | Sequence[ArrayLike] | None = None,
    psf_kind: str = "effective",
    gain: float | None = None,
    sky: str | None = None,
    sersic: str = "integrated",
    double_sersic: bool = False,
    uncertainties: int = 0,
    corrections: bool = False,
    psf_fwhm_pix: float | None = None,
    bands: Sequence[str] | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure the morphology of galaxies, one row a galaxy and band.

    Parameters
    ----------
    images : array_like, sequence of array_like, ImageSet, str or Path
        Background-subtracted flux per pixel, one galaxy an image: one array ``[y, x]``, ``[galaxy, y, x]`` or
        ``[galaxy, band, y, x]``; a sequence of ``[y, x]`` or ``[band, y, x]`` of different sizes; an image set,
        or the path of a store, which is read a few images at a time. Pixels that are not finite are masked.
    labels : array_like or sequence of array_like, optional
        Segmentation maps, integer or bool, of the images' form; one without a band axis holds for all bands.
        0 is the background, other labels than the galaxy's are masked. Found by `segmentation` where left out.
    label : int or sequence of int, optional
        Which label is the galaxy; by default the one at the center of the map, or the only one.
    segmentation : {"paper", "survey"}
        How galaxies are found where there are no `labels`; see `MeasureSettings`.
    masks : array_like or sequence of array_like, optional
        bool, True where a pixel is to be ignored; of the images' form.
    sigma_maps : array_like or sequence of array_like, optional
        Standard deviation of each pixel in flux units, of the images' form; used in place of `gain`.
    ivar_maps : array_like or sequence of array_like, optional
        Inverse variance of each pixel instead; pixels of 0 or less are masked.
    psf : array_like or sequence of array_like, optional
        Point spread function that the Sérsic fits take into account, ``[y, x]``, its center at the central
        pixel; one for all, or one an image.
    psf_kind : {"effective", "optical"}
        Whether the pixel is in it, as in an image of a star, or not; see `MeasureSettings`.
    gain : float, optional
        Electrons per flux unit; without it and without `sigma_maps` the sky alone weighs the pixels.
    sky : {"box", "annulus"}, optional
        The sky from statmorph's first empty square, or from all of the background; by default the box, but all
        of the background with the survey's segmentation.
    sersic : {"integrated", "parity", "none"}
        The Sérsic fit: of the law integrated over pixels, as statmorph takes it and stops, or none.
    double_sersic : bool
        Fit two Sérsic laws of one center too.
    uncertainties : int
        Measure every galaxy so often again with other noise, for a column ``<name>_sigma`` of each quantity; 0 for none.
    corrections : bool
        Correct asymmetry, concentration, Gini and M20 for noise and resolution too; needs `psf` or `psf_fwhm_pix`.
    psf_fwhm_pix : float, optional
        Width of a Gaussian point spread function, in place of `psf`.
    bands : sequence of str, optional
        Names of the band axis; of an image set or store, the bands to measure.
    workers : int
        Threads; the table does not depend on their number.
    progress : callable
        Called with a `ProgressEvent` now and then.

    Returns
    -------
    QTable
        ``image`` (position), ``object_id`` of image sets, ``band`` where there are several, and the columns of morphology
        of `galsmith.measure.measure`, with its metadata. What could not be measured is NaN.

    Raises
    ------
    SettingsError
        If an argument is out of range, or of another form than the images; nothing was measured then.
    InputError
        If the images cannot be used.
    """
    settings = typed_settings(
        MeasureSettings,
        {
            "quantities": ("morphology",),
            "segmentation": segmentation,
            "sky": sky,
            "sersic": sersic,
            "double_sersic": double_sersic,
            "uncertainties": uncertainties,
            "corrections": corrections,
            "psf_fwhm_pix": psf_fwhm_pix,
            "psf_kind": psf_kind,
            "gain": gain,
            "colors": (),  # a row has one band
        },
        source="morphology",
    )
    if ivar_maps is not None:
        if sigma_maps is not None:
            raise SettingsError("ivar_maps and sigma_maps say the same; give one of them")
        sigma_maps = _sigma_maps_of(ivar_maps)
    given = given_arrays(
        images, bands, labels=labels, label=label, masks=masks, sigma_maps=sigma_maps, psf=psf
    )
    band = ALL_BANDS if len(given.header.bands) > 1 else given.header.bands[0]
    return measured(
        given, workers=workers, settings=settings.model_copy(update={"band": band}), progress=progress
    )


def _sigma_maps_of(ivar_maps: Any) -> Any:
    """Turn inverse variances of any form to standard deviations."""
    if isinstance(ivar_maps, list | tuple):
        return [sigma_of_inverse_variance(_plain_array(one)) for one in ivar_maps]
    return sigma_of_inverse_variance(_plain_array(ivar_maps))


@dataclass(frozen=True)
class Maps:
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


class ArrayGalaxies:
    """Images of a caller, in memory or in a store, with the maps that he gave.

    Parameters
    ----------
    images : list of ndarray [band, y, x], or ImageSet
        All bands.
    header : ImageHeader
        Of the bands to measure.
    places : tuple of int
        Where those lie on the band axis.
    maps : Maps
        Beside the images.
    """

    def __init__(
        self,
        images: list[NDArray[Any]] | ImageSet,
        header: ImageHeader,
        *,
        places: tuple[int, ...],
        maps: Maps,
    ) -> None:
        self._images, self._places, self._maps = images, list(places), maps
        self.header, self.shapes = header, _shapes(images)
        self.catalog = QTable({"image": np.arange(len(self.shapes))})
        if isinstance(images, ImageSet):
            self.catalog["object_id"] = np.asarray(images.catalog["object_id"])
        self.origin = GalaxyOrigin(
            images.path if isinstance(images, ImageSet) else "images",
            (Parent("measured images", _content_hash(images)),),
            has_maps=maps.labels is not None,
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self.shapes)

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Give some galaxies with their maps."""
        if isinstance(self._images, ImageSet):
            images: list[Any] = self._images.pixels.read(np.asarray(rows, dtype=np.int64))
        else:
            images = [self._images[row] for row in rows]
        maps = self._maps

        def of(arrays: list[Any] | None, row: int) -> Any:
            return None if arrays is None else arrays[row]

        return [
            Galaxy(
                image[self._places],
                label_map=of(maps.labels, row),
                label=of(maps.label, row),
                mask=of(maps.masks, row),
                sigma_map=of(maps.sigma_maps, row),
                psf=of(maps.psfs, row),
            )
            for row, image in zip(rows, images, strict=True)
        ]


def given_arrays(
    images: Any,
    bands: Sequence[str] | None,
    *,
    labels: Any,
    label: Any,
    masks: Any,
    sigma_maps: Any,
    psf: Any,
) -> ArrayGalaxies:
    """Bring what a caller gave to one form, and check it before anything is measured.

    Raises
    ------
    SettingsError
        If `bands` does not fit, or a map is of another form than its image; the message names which.
    InputError
        If the images cannot be used; the message names which.
    """
    if isinstance(images, str | Path):
        images = open_store(images)
    if isinstance(images, ImageSet):
        if len(images) == 0:
            raise InputError(f"{images.path or 'images'}: an empty set, there is nothing to measure")
        names = images.header.bands if bands is None else tuple(bands)
        header, places = replace(images.header, bands=names), _places(names, images.header.bands)
        given: list[NDArray[Any]] | ImageSet = images
    else:
        given = [_cube(image, position) for position, image in enumerate(_separate_images(images))]
        if not given:
            raise InputError("images: none given, there is nothing to measure")
        names = _names_of_axis(given, bands)
        header, places = ImageHeader(names, ""), tuple(range(len(names)))
    form = _Form(_shapes(given), len(names))
    maps = Maps(
        labels=_maps("labels", labels, form, _refuse_bad_labels),
        masks=_maps("masks", masks, form, _refuse_bad_mask),
        sigma_maps=_maps("sigma_maps", sigma_maps, form, _refuse_no_numbers),
        label=_label_of_each(label, form, labels),
        psfs=_psf_of_each(psf, form),
    )
    return ArrayGalaxies(given, header, places=places, maps=maps)


@dataclass(frozen=True)
class _Form:
    """Height and width of every image, and how many bands: what maps have to fit."""

    shapes: NDArray[np.int64]
    n_bands: int

    def __len__(self) -> int:
        return len(self.shapes)


def _shapes(images: list[NDArray[Any]] | ImageSet) -> NDArray[np.int64]:
    """Height and width of every image, [galaxy, 2]."""
    if isinstance(images, ImageSet):
        return images.shapes
    return np.array([image.shape[1:] for image in images], dtype=np.int64)


def _content_hash(images: list[NDArray[Any]] | ImageSet) -> str:
    """Name the images by what they are."""
    if isinstance(images, ImageSet):
        return images.content_hash
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.shape} {image.dtype}".encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()


def _plain_array(array: ArrayLike) -> NDArray[Any]:
    """Bring to a plain array; masked entries of numbers become NaN."""
    if isinstance(array, np.ma.MaskedArray) and array.dtype.kind in "fiu":
        return np.asarray(np.ma.filled(array.astype(np.float64), np.nan))
    return np.asarray(array)


def _separate_images(images: Any) -> list[Any]:
    """Split one array into images; a sequence of arrays stays as it is."""
    if isinstance(images, list | tuple):
        return list(images)
    array = _plain_array(images)
    if array.ndim not in (2, 3, 4):
        raise InputError(
            f"images: has shape {array.shape}; wanted {WANTED_FORMS}, an ImageSet or a store's path"
        )
    return [array] if array.ndim == 2 else list(array)


def _cube(image: Any, position: int) -> NDArray[Any]:
    """Bring one image to [band, y, x]."""
    array = _plain_array(image)
    if array.dtype.kind not in "fiub":
        raise InputError(f"images: image {position} has dtype {array.dtype}; wanted real numbers")
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"images: image {position} has shape {array.shape}; wanted [y, x] or [band, y, x]")
    return array[np.newaxis] if array.ndim == 2 else array


def _names_of_axis(arrays: list[NDArray[Any]], bands: Sequence[str] | None) -> tuple[str, ...]:
    """Name the band axis of arrays, which has to be the same in all."""
    count = len(arrays[0])
    for position, array in enumerate(arrays):
        if len(array) != count:
            raise InputError(
                f"images: image {position} has {len(array)} bands, image 0 has {count}; measure them apart"
            )
    if bands is None:
        return ("",) if count == 1 else tuple(str(place) for place in range(count))
    names = (bands,) if isinstance(bands, str) else tuple(bands)
    if len(names) != count or len(set(names)) != count:
        raise SettingsError(
            f"bands: has {len(names)} names ({', '.join(names)}) for {count} bands; wanted one each, all different"
        )
    return names


def _places(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[int, ...]:
    """Find bands on the axis of an image set."""
    for name in names:
        if name not in known:
            raise SettingsError(
                f"the images have no such band{near_miss(name, known)}",
                argument="bands",
                came=name,
                way_out=f"they have {', '.join(known)}",
            )
    return tuple(known.index(name) for name in names)


def _maps(
    name: str, maps: Any, form: _Form, refuse_bad: Callable[[str, NDArray[Any]], None]
) -> list[NDArray[Any]] | None:
    """Bring maps to one array an image; refuse those of another shape."""
    if maps is None:
        return None
    arrays = _separate_maps(maps)
    if len(arrays) != len(form):
        raise SettingsError(f"{name}: {len(arrays)} maps for {len(form)} images; wanted one an image")
    for position, array in enumerate(arrays):
        shape = tuple(int(side) for side in form.shapes[position])
        if array.shape not in (shape, (form.n_bands, *shape)):
            raise SettingsError(
                f"{name}: map {position} has shape {array.shape} for an image of shape {shape}; wanted the same"
            )
        refuse_bad(f"{name}: map {position}", array)
    return arrays


def _separate_maps(maps: Any) -> list[NDArray[Any]]:
    """Split maps as images are split."""
    if isinstance(maps, list | tuple):
        return [_plain_array(array) for array in maps]
    array = _plain_array(maps)
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


def _label_of_each(label: Any, form: _Form, labels: Any) -> list[int] | None:
    """Bring the chosen labels to one an image."""
    if label is None:
        return None
    if labels is None:
        raise SettingsError(
            f"label is {label} without segmentation maps; give labels too, or leave label out"
        )
    chosen = [label] * len(form) if np.ndim(label) == 0 else list(label)
    if len(chosen) != len(form):
        raise SettingsError(
            f"label: {len(chosen)} labels for {len(form)} images; wanted one, or one an image"
        )
    for position, value in enumerate(chosen):
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < 1:
            raise SettingsError(f"label of image {position} is {value!r}; wanted an integer from 1 up")
    return [int(value) for value in chosen]


def _psf_of_each(psf: Any, form: _Form) -> list[NDArray[np.float64]] | None:
    """Bring point spread functions to one an image, and refuse what has no sum to divide by."""
    if psf is None:
        return None
    arrays = _separate_maps(psf)
    if not isinstance(psf, list | tuple) and np.ndim(psf) == 2:
        arrays = arrays * len(form)
    if len(arrays) != len(form):
        raise SettingsError(f"psf: {len(arrays)} for {len(form)} images; wanted one, or one an image")
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
