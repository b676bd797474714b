"""`ImageHeader`: what is true of every image of a set: bands, unit, size of a pixel, zero points, PSF, what it shows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from galsmith.images.units import is_per_area

UNKNOWN_UNIT = "unknown"  # of images whose source states none
Shown = Literal["galaxy", "field"]


@dataclass(frozen=True)
class ImageHeader:
    """What is true of every image of a set, wherever its pixels come from.

    Attributes
    ----------
    bands : tuple of str
        Filter names, in the order of the band axis; any sequence of names is taken.
    flux_unit : str
        Unit of a pixel's value, such as ``"electron / s"``, ``"nJy"`` or ``"display"`` for pictures.
    pixel_scale_arcsec : float or None
        Angle per pixel side; None where it differs by image (then the catalog's column ``pixel_scale_arcsec`` has it)
        or is unknown.
    physical_pixel_kpc : float or None
        Length per pixel side where known.
    zero_points_mag : mapping of band to float
        AB magnitude of one `flux_unit`, where known.
    psf : mapping
        What is known of the point spread function, such as ``{"psf_fwhm_pix": 3.0}``.
    shows : {"galaxy", "field"}
        What an image is a picture of: one galaxy, or a field of the sky with hundreds of sources. Whatever treats the two
        otherwise (measuring, comparing, reports) asks this.

    Raises
    ------
    ValueError
        If no band is named, bands are one text, or images show something else.
    """

    bands: tuple[str, ...]
    flux_unit: str
    pixel_scale_arcsec: float | None = None
    physical_pixel_kpc: float | None = None
    zero_points_mag: Mapping[str, float] = field(default_factory=dict)
    psf: Mapping[str, Any] = field(default_factory=dict)
    shows: Shown = "galaxy"

    def __post_init__(self) -> None:
        """Take names in any sequence; a text is not one."""
        object.__setattr__(self, "bands", _names(self.bands))
        if self.shows not in get_args(Shown):
            raise ValueError(f"shows is {self.shows!r}; wanted {' or '.join(get_args(Shown))}")

    @property
    def names_bands(self) -> bool:
        """Whether the bands have names of their own, and not those that `unnamed_bands` gives."""
        return self.bands != unnamed_bands(len(self.bands))

    @property
    def states_unit(self) -> bool:
        """Whether the unit of a pixel's value is known."""
        return self.flux_unit != UNKNOWN_UNIT

    @property
    def shows_fields(self) -> bool:
        """Whether an image is a field of the sky, not one galaxy."""
        return self.shows == "field"

    @property
    def images_name(self) -> str:
        """What the images are called in words: galaxies or fields."""
        return "fields" if self.shows_fields else "galaxies"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as stores and the cards of snapshots have them.

        What galaxies show is not said, so that hashes of what was made before fields were known stay as they are.
        """
        return {
            "bands": list(self.bands),
            "pixel_scale_arcsec": self.pixel_scale_arcsec,
            "physical_pixel_kpc": self.physical_pixel_kpc,
            "flux_unit": self.flux_unit,
            "zero_points_mag": dict(self.zero_points_mag),
            "psf": dict(self.psf),
            **({"shows": self.shows} if self.shows_fields else {}),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ImageHeader":
        """Read what `to_dict` wrote; other keys are left alone."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})

    def enlarged(self, factor: float | None) -> "ImageHeader":
        """Give the header of images whose pixels have `factor` times this side; None where it differs by image.

        A pixel that is larger on the sky has more flux of the same surface brightness, so zero points of that follow.
        """
        zero_points = self.zero_points_mag
        if factor != 1 and is_per_area(self.flux_unit):
            brighter = None if factor is None else 5 * math.log10(factor)
            zero_points = (
                {} if brighter is None else {band: value - brighter for band, value in zero_points.items()}
            )
        return replace(
            self,
            pixel_scale_arcsec=_times(self.pixel_scale_arcsec, factor),
            physical_pixel_kpc=_times(self.physical_pixel_kpc, factor),
            zero_points_mag=zero_points,
        )

    def checked_image(self, image: ArrayLike, name: str) -> NDArray[np.float32]:
        """Bring one image to [band, y, x] float32, and refuse one that has not these bands.

        Parameters
        ----------
        image : array_like
            [band, y, x], or [y, x] for one band; in `flux_unit` per pixel.
        name : str
            The image, for the message.

        Raises
        ------
        ValueError
            If it has another number of bands or of axes.
        """
        array = np.asarray(image, dtype=np.float32)
        array = array[np.newaxis] if array.ndim == 2 else array
        if array.ndim != 3 or len(array) != len(self.bands):
            ending = "" if len(self.bands) == 1 else "s"
            raise ValueError(
                f"{name} has shape {np.shape(image)}; wanted [band, y, x] with {len(self.bands)} band{ending} "
                f"({', '.join(self.bands)}), or [y, x] for one"
            )
        return array


def unnamed_bands(count: int) -> tuple[str, ...]:
    """Stand-ins for the names of bands that no source states: ``band0`` and so on."""
    return tuple(f"band{number}" for number in range(count))


def _names(bands: Any) -> tuple[str, ...]:
    """Bring names of bands to a tuple."""
    if isinstance(bands, str) or not len(bands):
        raise ValueError(f"bands is {bands!r}; wanted one name a band, such as ('g', 'r')")
    return tuple(bands)


def _times(size: float | None, factor: float | None) -> float | None:
    """Enlarge a size; None where it or the factor is unknown."""
    return None if size is None or factor is None else size * factor
