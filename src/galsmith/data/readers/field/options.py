"""`FieldOptions`: how galaxies are found in survey images, told from stars and cut out."""

from dataclasses import dataclass
from typing import Literal

from galsmith.data.readers.zero_points import GivenZeroPoints
from galsmith.errors import SettingsError

AT_LEAST_ONE = ("minimum_area_pix", "minimum_cutout_pix", "maximum_cutout_pix", "sky_box_pix")
POSITIVE = ("threshold_sigma", "extent_multiple", "pixel_scale_arcsec", "star_r_half_pix")
FLAGS = {
    "minimum_area_pix": "min-area",
    "minimum_cutout_pix": "min-cutout",
    "maximum_cutout_pix": "max-cutout",
    "sky_box_pix": "sky-box",
    "threshold_sigma": "threshold",
    "extent_multiple": "extent",
    "pixel_scale_arcsec": "pixel-scale",
    "star_r_half_pix": "star-radius",
}


@dataclass(frozen=True)
class FieldOptions:
    """How galaxies are found in survey images, told from stars and cut out.

    Attributes
    ----------
    bands : tuple of str or None
        Filter names: the stems of a folder's files, or the order of files or planes. None takes what is there.
    detect_in : str or None
        Band in which sources are detected; the middle one when None.
    hdu : int or str or None
        Which header-data unit holds an image; the first that does when None.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitude of one unit of each file; else its header says it.
    flux_unit : str or None
        Keep the files' own numbers, in this unit; None brings all bands to nJy, which needs the zero points.
    pixel_scale_arcsec : float or None
        Angle per pixel side; else the world coordinates.
    faintest_mag : float or None
        Sources fainter in the detection band are not taken.
    minimum_snr : float
        Nor are those of less signal to noise.
    threshold_sigma : float
        How far above the sky a pixel belongs to a source, in standard deviations of the sky.
    minimum_area_pix : int
        Of connected pixels above the threshold.
    sky : {"subtract", "keep"}
        Whether the level of the sky is subtracted from the cutouts; for detecting it always is.
    sky_box_pix : int
        Side of the boxes in which it is measured.
    stars : {"reject", "keep"}
        Whether stars are left out.
    star_r_half_pix : float or None
        Half-light radius of stars; found from the sources when None.
    extent_multiple : float
        Half the side of a cutout, in units of a source's own extent.
    minimum_cutout_pix, maximum_cutout_pix : int
        Smallest and largest side; sources that want more are left out.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    bands: tuple[str, ...] | None = None
    detect_in: str | None = None
    hdu: int | str | None = None
    zero_points_mag: GivenZeroPoints | None = None
    flux_unit: str | None = None
    pixel_scale_arcsec: float | None = None
    faintest_mag: float | None = None
    minimum_snr: float = 20.0
    threshold_sigma: float = 1.5
    minimum_area_pix: int = 10
    sky: Literal["subtract", "keep"] = "subtract"
    sky_box_pix: int = 256
    stars: Literal["reject", "keep"] = "reject"
    star_r_half_pix: float | None = None
    extent_multiple: float = 2.0
    minimum_cutout_pix: int = 32
    maximum_cutout_pix: int = 256

    def __post_init__(self) -> None:
        """Check every value once."""
        for name in (*AT_LEAST_ONE, *POSITIVE):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"--{FLAGS[name]} {value}: wanted a positive number")
        if self.minimum_snr < 0:
            raise SettingsError(f"--min-snr {self.minimum_snr}: wanted 0 or more")
        if self.minimum_cutout_pix > self.maximum_cutout_pix:
            raise SettingsError(
                f"--min-cutout {self.minimum_cutout_pix}: is above --max-cutout {self.maximum_cutout_pix}; lower it"
            )
        if self.bands is not None and len(set(self.bands)) < len(self.bands):
            raise SettingsError(f"--bands {','.join(self.bands)}: wanted each band once")
