"""Settings of a measurement, recorded with every table."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from galsmith.errors import SettingsError
from galsmith.settings import Settings, near_miss

ALL_BANDS = "all"

Quantities = Literal["morphology", "power"]
Segmentation = Literal["paper", "survey"]
Sky = Literal["box", "annulus"]
SersicFitting = Literal["optimum", "parity", "none"]


class MeasureSettings(Settings):
    """How galaxies are measured.

    Attributes
    ----------
    quantities : tuple of {"morphology", "power"}
        What is measured.
    band : str or None
        The band on which morphology is measured; None takes the only band, or the middle one
        (i of g, r, i, z as Holzschuh et al. 2022 do), ``"all"`` measures every band, a row each.
    segmentation : {"paper", "survey"}
        How the galaxy is found: ``"paper"`` as Holzschuh et al. (2022) did, so that numbers compare with
        theirs; ``"survey"`` takes the source at the center and the sky from all of the background.
    sky : {"box", "annulus"} or None
        Where the sky's mean, noise and asymmetry come from: ``"box"`` the first empty square, as statmorph
        does, ``"annulus"`` all of the background, which does not change when an image is turned. None takes
        the box with the paper's segmentation, all of the background with the survey's.
    sersic : {"optimum", "parity", "none"}
        The Sérsic fit: ``"optimum"`` goes to the minimum, ``"parity"`` stops where statmorph stops,
        ``"none"`` leaves it out.
    double_sersic : bool
        Whether two Sérsic laws of one center are fitted too, which begins where one law ends.
    gain : float
        Electrons per flux unit; weighs the Sérsic fits and the signal to noise.
    psf_fwhm_pix : float or None
        Width of a Gaussian point spread function that the Sérsic fits take into account.
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

    quantities: tuple[Quantities, ...] = Field(default=("morphology", "power"), min_length=1)
    band: str | None = None
    segmentation: Segmentation = "paper"
    sky: Sky | None = None
    sersic: SersicFitting = "optimum"
    double_sersic: bool = False
    gain: float = Field(default=1.0, gt=0)
    psf_fwhm_pix: float | None = Field(default=None, gt=0)
    subtract_background: bool | None = None
    threshold_sigma: float = Field(default=1.5, gt=0)
    minimum_pixels: int = Field(default=5, ge=1)
    smoothing_pix: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _double_fit_needs_a_single_one(self) -> Self:
        """Refuse two laws without one."""
        if self.double_sersic and self.sersic == "none":
            raise ValueError(
                "double_sersic begins where the fit of one law ends; set sersic to 'optimum' or 'parity'"
            )
        return self


def chosen_sky(settings: MeasureSettings) -> Sky:
    """Give the sky of the settings, or what goes with their segmentation."""
    if settings.sky is None:
        return "annulus" if settings.segmentation == "survey" else "box"
    return settings.sky


def resolved_settings(settings: MeasureSettings, *, bands: Sequence[str], flux_unit: str) -> MeasureSettings:
    """Fill in what was left open: the band, the sky, and whether the background is subtracted.

    Raises
    ------
    SettingsError
        If the set lacks the band that was asked for.
    """
    band = bands[len(bands) // 2] if settings.band is None else settings.band
    if band not in (*bands, ALL_BANDS):
        raise SettingsError(
            f"band {band!r}: the images have no such band{near_miss(band, list(bands))}; they have "
            f"{', '.join(bands)}; 'all' measures every band"
        )
    chosen = {"band": band, "sky": chosen_sky(settings), "subtract_background": settings.subtract_background}
    if settings.subtract_background is None:
        chosen["subtract_background"] = flux_unit == "display"
    return settings.model_copy(update=chosen)
