"""Settings of a measurement, recorded with every table."""

import logging
from collections.abc import Container, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from galsmith.data.store.companions import PsfKind
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader
from galsmith.images.bands import bands_of_pairs, default_pairs, parse_pair
from galsmith.measure.properties.colors import flux_column
from galsmith.measure.properties.registry import PROPERTIES
from galsmith.settings import Settings, near_miss

logger = logging.getLogger("galsmith")
ALL_BANDS = "all"
FEWEST_REPETITIONS = 8  # of fewer a standard deviation is off by a quarter and more

Quantities = Literal["morphology", "power", "details", "field"]
Segmentation = Literal["paper", "survey"]
Sky = Literal["box", "annulus"]
SersicFitting = Literal["integrated", "parity", "none"]
ColorApertures = Literal["shared", "each"]


class MeasureSettings(Settings):
    """How galaxies are measured.

    Attributes
    ----------
    quantities : tuple of {"morphology", "power", "details", "field"}
        What is measured of galaxies: shapes, sizes and fits of one band; power spectra of every band; and bands against
        each other, patterns of the pixel grid and the winding of arms, which need the center and radii of the
        morphology. Of fields, whose header says ``shows: field``, it is always ``"field"`` alone: their sources, sky and
        waves.
    band : str or None
        The band on which morphology is measured; None takes the only band, or the middle one
        (i of g, r, i, z as Holzschuh et al. 2022 do), ``"all"`` measures every band, a row each.
    segmentation : {"paper", "survey"} or None
        How the galaxy is found: ``"paper"`` as Holzschuh et al. (2022) did, so that numbers compare with
        theirs; ``"survey"`` takes the source at the center and the sky from all of the background. None takes the
        paper's, and the survey's in cutouts around the positions of a catalog.
    sky : {"box", "annulus"} or None
        Where the sky's mean, noise and asymmetry come from: ``"box"`` the first empty square, as statmorph
        does, ``"annulus"`` all of the background, which does not change when an image is turned. None takes
        the box with the paper's segmentation, all of the background with the survey's.
    sersic : {"integrated", "parity", "none"}
        The Sérsic fit: ``"integrated"`` integrates the law over pixels, goes to the minimum and tells uncertainties;
        ``"parity"`` takes the law at pixel centers, as statmorph does, which is off by up to a factor where a
        law is steep, and stops where statmorph stops; ``"none"`` leaves it out.
    double_sersic : bool
        Whether two Sérsic laws of one center are fitted too, which begins where one law ends.
    colors : tuple of str or None
        Pairs of bands, such as ``"g-i"``; needs morphology and one row a galaxy. None takes g - i where both
        are there, else the first less the last band, and all neighbors; nothing where there is one band.
    color_apertures : {"shared", "each"}
        Where fluxes of colors are summed: ``"shared"`` within 2 Petrosian radii of the measured band about its
        center, the same pixels in all bands; ``"each"`` within those of each band, as Holzschuh et al. (2022)
        did, which measures every band.
    gain : float or None
        Electrons per flux unit; weighs the Sérsic fits and the signal to noise where there is no map of sigmas. None
        takes that of the image's header or unit, or else weighs by the sky alone.
    uncertainties : int
        How often each galaxy is measured again with other noise, which gives every quantity but those of fits a
        column ``<name>_sigma``; 0 leaves these out, 20 to 32 are good.
    corrections : bool
        Whether asymmetry, concentration, Gini and M20 are corrected for noise and resolution too, in columns
        ``<name>_corrected`` and ``<name>_correction``; needs the width of the point spread.
    psf_fwhm_pix : float or None
        Width of a Gaussian point spread function that the Sérsic fits take into account.
    psf_kind : {"effective", "optical"}
        What point spread functions hold: ``"effective"`` the pixel too, as an image of a star does, so that a law is
        convolved with it and not integrated over pixels once more; ``"optical"`` values of the function itself at
        pixel centers. Fits with statmorph's steps take either as it is.
    ignore : tuple of {"mask", "noise", "psf", "gain"}
        What of that which lies beside the images, in their store or in their files, is not used.
    subtract_background : bool or None
        Whether the median of a stamp's border is taken off before its morphology is measured. None does so
        for pictures (flux unit ``"display"``), whose sky is not zero, and for nothing else: on EFIGI's
        pictures 29 of 30 Petrosian radii are meaningless without it.
    threshold_sigma : float
        A source lies this many standard deviations above the sky.
    minimum_pixels : int
        A source has at least so many connected pixels.
    smoothing_pix : int
        Side of the box that smooths the outline of the source.
    """

    quantities: tuple[Quantities, ...] = Field(default=("morphology", "power", "details"), min_length=1)
    band: str | None = None
    segmentation: Segmentation | None = None
    sky: Sky | None = None
    sersic: SersicFitting = "integrated"
    double_sersic: bool = False
    colors: tuple[str, ...] | None = None
    color_apertures: ColorApertures = "shared"
    gain: float | None = Field(default=None, gt=0)
    uncertainties: int = Field(default=0, ge=0)
    corrections: bool = False
    psf_fwhm_pix: float | None = Field(default=None, gt=0)
    psf_kind: PsfKind = "effective"
    ignore: tuple[Literal["mask", "noise", "psf", "gain"], ...] = ()
    subtract_background: bool | None = None
    threshold_sigma: float = Field(default=1.5, gt=0)
    minimum_pixels: int = Field(default=5, ge=1)
    smoothing_pix: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _uncertainties_need_morphology_and_some_repetitions(self) -> Self:
        """Refuse a scatter of few numbers, and that of nothing."""
        if 0 < self.uncertainties < FEWEST_REPETITIONS:
            raise ValueError(
                f"uncertainties is {self.uncertainties}; wanted {FEWEST_REPETITIONS} or more repetitions, or 0 for none"
            )
        if self.uncertainties and "morphology" not in self.quantities:
            raise ValueError("uncertainties are of the quantity 'morphology'; add it to quantities")
        return self

    @model_validator(mode="after")
    def _details_need_morphology(self) -> Self:
        """Refuse what has no center and no radii."""
        if "details" in self.quantities and "morphology" not in self.quantities:
            raise ValueError(
                "quantities has 'details', whose center and radii come from 'morphology'; add it to quantities"
            )
        return self

    @model_validator(mode="after")
    def _corrections_need_morphology(self) -> Self:
        """Refuse corrections of nothing."""
        if self.corrections and "morphology" not in self.quantities:
            raise ValueError("corrections are of the quantity 'morphology'; add it to quantities")
        return self

    @model_validator(mode="after")
    def _double_fit_needs_a_single_one(self) -> Self:
        """Refuse two laws without one."""
        if self.double_sersic and self.sersic == "none":
            raise ValueError(
                "double_sersic begins where the fit of one law ends; set sersic to 'integrated' or 'parity'"
            )
        return self


_DEFAULTS = {name: field.default for name, field in MeasureSettings.model_fields.items()}
# What has an effect in some cases alone.
_OF_SEARCH = ("threshold_sigma", "minimum_pixels", "smoothing_pix")
_OF_PSF = ("psf_fwhm_pix", "psf_kind")
_WAYS_OUT = {
    **dict.fromkeys(
        ("psf_fwhm_pix", "psf_kind"), "; or set 'ignore' to ['psf'], which leaves those beside the images"
    ),
    "gain": "; or set 'ignore' to ['noise'], which leaves what lies beside the images",
}
_OF_A_FIELD: tuple[Quantities, ...] = ("field",)
_OF_MORPHOLOGY = (*_OF_SEARCH, *_OF_PSF, "sersic", "double_sersic", "gain", "color_apertures")


def chosen_segmentation(settings: MeasureSettings) -> Segmentation:
    """Give the segmentation of the settings, or the paper's."""
    return "paper" if settings.segmentation is None else settings.segmentation


def chosen_sky(settings: MeasureSettings) -> Sky:
    """Give the sky of the settings, or what goes with their segmentation."""
    if settings.sky is None:
        return "annulus" if settings.segmentation == "survey" else "box"
    return settings.sky


def resolved_settings(
    settings: MeasureSettings, header: ImageHeader, *, is_central: bool = False
) -> MeasureSettings:
    """Fill in what was left open: band, segmentation, sky, colors, and whether the background is subtracted.

    Parameters
    ----------
    settings : MeasureSettings
        As the user gave them.
    header : ImageHeader
        Of the images.
    is_central : bool
        Whether the galaxies are those in the middle of cutouts around positions.

    Raises
    ------
    SettingsError
        If the set lacks a band that was asked for, colors are wanted where there can be none, or the quantities are those
        of galaxies where the images show fields, or the other way round.
    """
    settings = settings.model_copy(update={"quantities": _chosen_quantities(settings, header)})
    bands = header.bands
    band = bands[len(bands) // 2] if settings.band is None else settings.band
    if band not in (*bands, ALL_BANDS):
        raise SettingsError(
            f"the images have no such band{near_miss(band, list(bands))}",
            argument="band",
            came=band,
            way_out=f"they have {', '.join(bands)}; 'all' measures every band",
        )
    if settings.segmentation is None and is_central:
        settings = settings.model_copy(update={"segmentation": "survey"})
    chosen: dict[str, Any] = {
        "band": band,
        "segmentation": chosen_segmentation(settings),
        "sky": chosen_sky(settings),
        "subtract_background": settings.subtract_background,
    }
    if settings.subtract_background is None:
        chosen["subtract_background"] = header.flux_unit == "display" and not header.shows_fields
    chosen["colors"] = _chosen_colors(settings, band, bands)
    return settings.model_copy(update=chosen)


def refuse_idle_settings(
    asked: MeasureSettings,
    chosen: MeasureSettings,
    *,
    given: Container[str],
    is_known: bool = True,
    are_named: bool = True,
    engine: str = "galsmith",
) -> None:
    """Refuse settings that were asked for and have no effect together with the others.

    Parameters
    ----------
    asked : MeasureSettings
        As the user gave them; what has its default was not asked for.
    chosen : MeasureSettings
        As `resolved_settings` made them.
    given : container of str
        Which maps were given beside the images and are used, as `galsmith.data.galaxies.GalaxyOrigin` names them.
    is_known : bool
        Whether these are all, as of files and stores; arrays in memory may have others.
    are_named : bool
        Whether a user named them, as those of files, or they lie in a store anyway.
    engine : str
        What measures morphology.

    Raises
    ------
    SettingsError
        With what makes it idle.
    """
    alone = "fields are measured as a whole" if "field" in chosen.quantities else "only power is measured"
    asks_for_psf = chosen.sersic != "none" or chosen.corrections
    wanted = [name for name, default in _DEFAULTS.items() if getattr(asked, name) != default]
    for names, is_idle, why in (
        (_OF_MORPHOLOGY, "morphology" not in chosen.quantities, alone),
        (
            _OF_SEARCH,
            "label_map" in given,
            "a map says where the galaxy is (`segmap`), and nothing is searched",
        ),
        (("smoothing_pix",), chosen.segmentation == "survey", "the survey's method smooths no outline"),
        (_OF_PSF, not asks_for_psf, "without a Sérsic fit nothing asks for the point spread function"),
        (("psf_fwhm_pix",), "psf" in given, "a point spread function is given beside every image"),
        (("psf_kind",), "psf_kind" in given, "the store says what its point spread functions hold"),
        (
            ("psf_kind",),
            (chosen.sersic == "parity" or engine != "galsmith") and not chosen.corrections,
            "fits with statmorph's steps take a point spread function as it is",
        ),
        (
            ("psf_kind",),
            is_known and chosen.psf_fwhm_pix is None and "psf" not in given,
            "no point spread function was given",
        ),
        (("gain",), "noise" in given, "the noise of every pixel is given"),
        (("color_apertures",), not chosen.colors, "no color is measured"),
    ):
        idle = [name for name in names if name in wanted]
        if is_idle and idle:
            raise SettingsError(
                f"it has no effect: {why}",
                argument=idle[0],
                came=getattr(asked, idle[0]),
                way_out=f"leave it out{_WAYS_OUT.get(idle[0], '') if given else ''}",
            )
    if are_named and "psf" in given and not (asks_for_psf and "morphology" in chosen.quantities):
        logger.warning("`psf` has no effect: without a Sérsic fit nothing asks for the point spread function")


def _chosen_quantities(settings: MeasureSettings, header: ImageHeader) -> tuple[Quantities, ...]:
    """Take what was asked for, or all that goes with what the images show; refuse what does not go with it."""
    asked = settings.quantities
    if not header.shows_fields:
        if "field" in asked:
            raise SettingsError(
                "'field' is measured of images that show fields of many sources, and these show a galaxy each",
                argument="quantities",
                came=", ".join(asked),
                way_out="leave it out, or say of the images that they show fields: `shows=field`",
            )
        return asked
    if asked not in (_OF_A_FIELD, _DEFAULTS["quantities"]):
        raise SettingsError(
            "the images show fields of many sources, of which 'field' alone is measured",
            argument="quantities",
            came=", ".join(asked),
            way_out="leave it out; or cut the sources out first (galsmith ingest field), to measure each as a galaxy",
        )
    return _OF_A_FIELD


def _chosen_colors(settings: MeasureSettings, band: str, bands: Sequence[str]) -> tuple[str, ...]:
    """Name the colors that are measured, in the form of ``g-i``, each once."""
    obstacle = ""
    if "field" in settings.quantities:
        obstacle = "the images show fields, of which no color is measured"
    elif "morphology" not in settings.quantities:
        obstacle = "their apertures come from the quantity 'morphology'; add it to quantities"
    elif band == ALL_BANDS and len(bands) > 1:
        obstacle = (
            "band 'all' gives a row a band, and a color has two; choose the band whose aperture is taken"
        )
    if settings.colors is None:
        pairs = () if obstacle else default_pairs(bands)
    else:
        pairs = tuple(dict.fromkeys(parse_pair(text, bands) for text in settings.colors))
        if pairs and obstacle:
            raise SettingsError(f"colors {', '.join(map(str, pairs))}: {obstacle}")
    taken = {entry.name for entry in PROPERTIES}
    for name in bands_of_pairs(pairs):
        if flux_column(name) in taken:
            raise SettingsError(
                f"colors: the column {flux_column(name)} of band {name} is another quantity's; rename the band, or "
                "measure no colors: an empty list"
            )
    return tuple(map(str, pairs))
