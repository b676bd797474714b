"""Options of readers as a user writes them: fields with their help; bands, HDUs and zero points out of text; a field's."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.images import ImageHeader

Hdu = int | str | tuple[str, int]
"""An HDU's number, its name (EXTNAME), or name and version (EXTVER)."""
GivenZeroPoints = Mapping[str, float] | Sequence[float]
HDU_HELP = "HDU that has the image: number, name, or name and version as SCI,2; the first when left out."
ZERO_POINTS_HELP = "AB magnitude of 1 unit, as 25.0, 25.0,25.1 or g=25.0,r=25.1, where headers have none."
PLANE_HELP = "The only plane of a cube to take, from 0."
MASK_HELP = "MAP of pixels to ignore: not 0; none leaves out that of the files of surveys."
MASK_BITS_HELP = "Bits of the mask that count: SAT,CR, values such as 4096, or all; else those of damage."
SIGMA_HELP = "MAP of the standard deviation of every pixel; none leaves out that of the files."
IVAR_HELP = "MAP of the inverse variance of every pixel, instead."
PSF_HELP = "Point spread function of all images, or a MAP of theirs."
COSMOLOGY_PARTS = ("labeled", "scored", "query")
AT_LEAST_ONE = ("minimum_area_pix", "minimum_cutout_pix", "maximum_cutout_pix", "sky_box_pix")
POSITIVE = ("threshold_sigma", "extent_multiple", "pixel_scale_arcsec", "star_r_half_pix")


def option(
    words: str,
    default: Any = None,
    *,
    flag: str | None = None,
    parse: Callable[[str], Any] | None = None,
    kind: type | None = None,
) -> Any:
    """Make a field of a reader's options.

    Parameters
    ----------
    words : str
        Help on the command line.
    default : object
        Its value when left out; not mutable.
    flag : str, optional
        Name on the command line; that of the field when left out.
    parse : callable, optional
        Makes the value out of text, where no type does.
    kind : type, optional
        What the command line takes, where the field takes more.
    """
    return field(default=default, metadata={"help": words, "flag": flag, "parse": parse, "kind": kind})


def refuse_two_noises(sigma: str | None, ivar: str | None) -> None:
    """Refuse two statements of the noise; ``"none"`` as `sigma` leaves that of the files.

    Raises
    ------
    SettingsError
        If both came.
    """
    if ivar is not None and sigma not in (None, "none"):
        raise SettingsError("says what `sigma` says; give one of them", argument="ivar", came=ivar)


def parse_bands(text: str) -> tuple[str, ...]:
    """Read names written as ``g,r,i``."""
    return tuple(name.strip() for name in text.split(","))


def parse_hdu(text: str) -> Hdu:
    """Read an HDU's number, its name, or name and version as ``SCI,2``."""
    name, separator, version = text.strip().rpartition(",")
    if separator and version.strip().isdecimal():
        return name.strip(), int(version)
    return int(text) if text.strip().isdecimal() else text.strip()


def hdu_text(hdu: Hdu) -> str:
    """Write an HDU as it is read."""
    return ",".join(map(str, hdu)) if isinstance(hdu, tuple) else str(hdu)


def parse_zero_points(text: str) -> dict[str, float] | tuple[float, ...]:
    """Read magnitudes written as ``25.0``, ``25.0,25.1`` or ``g=25.0,r=25.1``.

    Raises
    ------
    SettingsError
        If one is no number.
    """
    words = [word.strip() for word in text.split(",")]
    try:
        if any("=" in word for word in words):
            pairs = [word.split("=") for word in words]
            return {name.strip(): float(value) for name, value in pairs}
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise SettingsError(
            argument="zero_points_mag",
            came=text,
            wanted="a magnitude, one a band as 25.0,25.1, or names as g=25.0,r=25.1",
        ) from error


def zero_points_by_band(given: GivenZeroPoints, bands: Sequence[str]) -> dict[str, float]:
    """Give every band its zero point.

    Parameters
    ----------
    given : mapping of band to float, or sequence of float
        AB magnitudes of one flux unit; a sequence of one is of all bands. A mapping may leave bands out.
    bands : sequence of str
        Filter names.

    Raises
    ------
    SettingsError
        If there are more or fewer than bands, one is of no band, or one is not finite.
    """
    if isinstance(given, Mapping):
        unknown = [band for band in given if band not in bands]
        if unknown:
            raise SettingsError(
                f"`zero_points_mag={unknown[0]}=...`: no such band; the bands are {','.join(bands)}"
            )
        values = {band: float(given[band]) for band in bands if band in given}
    elif len(given) in (1, len(bands)):
        values = dict(zip(bands, [*given] * (len(bands) if len(given) == 1 else 1), strict=True))
    else:
        raise SettingsError(
            f"`zero_points_mag`: names {len(given)} values for the {len(bands)} bands {','.join(bands)}; give "
            f"one, one a band, or write {bands[0]}=25.0"
        )
    for band, value in values.items():
        if not math.isfinite(value):
            raise SettingsError(argument="zero_points_mag", came=f"{band}={value}", wanted="a magnitude")
    return values


def with_zero_points(header: "ImageHeader", given: GivenZeroPoints | None) -> "ImageHeader":
    """Put the zero points that a user gave before those of the files."""
    if given is None:
        return header
    found = {**header.zero_points_mag, **zero_points_by_band(given, header.bands)}
    return replace(header, zero_points_mag=found)


def parse_parts(text: str) -> tuple[str, ...]:
    """Read parts written as ``labeled,scored``."""
    return tuple(name.strip() for name in text.split(","))


@dataclass(frozen=True)
class CosmologyOptions:
    """How the published cosmology fields are read.

    Attributes
    ----------
    parts : tuple of str or None
        Which of ``"labeled"``, ``"scored"`` and ``"query"``; all that are there when None.

    Raises
    ------
    SettingsError
        If there is no such part, or none is named.
    """

    parts: tuple[str, ...] | None = option(
        "Which of labeled,scored,query to read; all that are there when left out.", parse=parse_parts
    )

    def __post_init__(self) -> None:
        """Check the names."""
        unknown = [name for name in self.parts or () if name not in COSMOLOGY_PARTS]
        if unknown or self.parts == ():
            raise SettingsError(
                argument="parts", came=self.parts, wanted=f"some of {','.join(COSMOLOGY_PARTS)}"
            )


@dataclass(frozen=True)
class HatsOptions:
    """How images of a HATS catalog are read.

    Attributes
    ----------
    bands : tuple of str or None
        Which bands, in the order wanted; None takes those that all images have.
    mask_true : {"usable", "bad"}
        What a pixel is whose mask is true: usable, as in all sets of the MultimodalUniverse, or not to be used.
    flux_unit : str or None
        Unit of a pixel's value, which the format does not say; ``"unknown"`` when None, but for what galsmith wrote.
    pixel_scale_arcsec : float or None
        Angle per pixel side, in place of the images' own.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitude of one unit.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    bands: tuple[str, ...] | None = option(
        "Which bands, such as DES-G,DES-R; those that all images have when left out.", parse=parse_bands
    )
    mask_true: Literal["usable", "bad"] = option("What pixels are whose mask is true.", "usable")
    flux_unit: str | None = option("Unit of a pixel's value, which the format does not say.")
    pixel_scale_arcsec: float | None = option(
        "Arcsec per pixel, in place of the images' own.", flag="pixel-scale"
    )
    zero_points_mag: GivenZeroPoints | None = option(
        "AB magnitude of 1 unit, as 25.0, 25.0,25.1 or g=25.0,r=25.1.",
        flag="zero-points",
        parse=parse_zero_points,
    )

    def __post_init__(self) -> None:
        """Check every value once."""
        if self.mask_true not in ("usable", "bad"):
            raise SettingsError(argument="mask_true", came=self.mask_true, wanted="usable or bad")
        if self.bands is not None and (not self.bands or len(set(self.bands)) < len(self.bands)):
            raise SettingsError(argument="bands", came=self.bands, wanted="some bands, each once")
        if self.pixel_scale_arcsec is not None and not self.pixel_scale_arcsec > 0:
            raise SettingsError(
                argument="pixel_scale_arcsec",
                came=self.pixel_scale_arcsec,
                wanted="a positive angle in arcsec",
            )


@dataclass(frozen=True)
class FieldOptions:
    """How galaxies are found in survey images, told from stars and cut out.

    Attributes
    ----------
    bands : tuple of str or None
        Filter names: the stems of a folder's files, or the order of files or planes. None takes what is there.
    detect_in : str or None
        Band in which sources are detected; the middle one when None.
    hdu : int, str, (str, int) or None
        Which header-data unit holds an image; the first that does when None.
    plane : int or None
        Which plane of a cube is the only band, from 0.
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

    bands: tuple[str, ...] | None = option(
        "Names of the bands, such as g,r,i: of a folder's files by name, else in their order.",
        parse=parse_bands,
    )
    detect_in: str | None = option("Band to detect in; the middle one when left out.")
    zero_points_mag: GivenZeroPoints | None = option(
        ZERO_POINTS_HELP, flag="zero-points", parse=parse_zero_points
    )
    flux_unit: str | None = option("Keep the files' numbers, in this unit; else bands are brought to nJy.")
    pixel_scale_arcsec: float | None = option(
        "Arcsec per pixel, where the header has no WCS.", flag="pixel-scale"
    )
    hdu: Hdu | None = option(HDU_HELP, parse=parse_hdu)
    plane: int | None = option(PLANE_HELP)
    faintest_mag: float | None = option(
        "Take no fainter sources than this, in the detection band.", flag="max-mag"
    )
    minimum_snr: float = option("Nor any of less signal to noise.", 20.0, flag="min-snr")
    threshold_sigma: float = option(
        "Sigmas above the sky from which a pixel belongs to a source.", 1.5, flag="threshold"
    )
    minimum_area_pix: int = option("Connected pixels that make a source.", 10, flag="min-area")
    sky: Literal["subtract", "keep"] = option("What to do with the level of the sky in cutouts.", "subtract")
    sky_box_pix: int = option(
        "Side of the boxes in which the sky is measured, in pixels.", 256, flag="sky-box"
    )
    stars: Literal["reject", "keep"] = option("What to do with stars.", "reject")
    star_r_half_pix: float | None = option(
        "Half-light radius of stars in pixels; found when left out.", flag="star-radius"
    )
    extent_multiple: float = option(
        "Half the side of a cutout, in units of the source's extent.", 2.0, flag="extent"
    )
    minimum_cutout_pix: int = option("Smallest side of a cutout, in pixels.", 32, flag="min-cutout")
    maximum_cutout_pix: int = option(
        "Largest side; sources that want more are left out.", 256, flag="max-cutout"
    )

    def __post_init__(self) -> None:
        """Check every value once."""
        for name in (*AT_LEAST_ONE, *POSITIVE):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(argument=name, came=value, wanted="a positive number")
        if self.minimum_snr < 0:
            raise SettingsError(argument="minimum_snr", came=self.minimum_snr, wanted="0 or more")
        if self.minimum_cutout_pix > self.maximum_cutout_pix:
            raise SettingsError(
                f"is above `maximum_cutout_pix={self.maximum_cutout_pix}`; lower it",
                argument="minimum_cutout_pix",
                came=self.minimum_cutout_pix,
            )
        if self.bands is not None and len(set(self.bands)) < len(self.bands):
            raise SettingsError(argument="bands", came=self.bands, wanted="each band once")
