"""Settings of a measurement, recorded with every table."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from galsmith.errors import SettingsError
from galsmith.settings import Settings, near_miss

Quantities = Literal["morphology", "power"]


class MeasureSettings(Settings):
    """How galaxies are measured.

    Attributes
    ----------
    quantities : tuple of {"morphology", "power"}
        What is measured.
    band : str or None
        The band on which morphology is measured; None takes the only band, or the middle one
        (i of g, r, i, z as Holzschuh et al. 2022 do).
    gain : float
        Electrons per flux unit; weighs the Sérsic fit and the signal to noise.
    psf_fwhm_pix : float or None
        Width of a Gaussian point spread function that the Sérsic fit takes into account.
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
    gain: float = Field(default=1.0, gt=0)
    psf_fwhm_pix: float | None = Field(default=None, gt=0)
    subtract_background: bool | None = None
    threshold_sigma: float = Field(default=1.5, gt=0)
    minimum_pixels: int = Field(default=5, ge=1)
    smoothing_pix: int = Field(default=10, ge=1)


def resolved_settings(settings: MeasureSettings, *, bands: Sequence[str], flux_unit: str) -> MeasureSettings:
    """Fill in what depends on the image set: the band, and whether the background is subtracted.

    Raises
    ------
    SettingsError
        If the set lacks the band that was asked for.
    """
    band = bands[len(bands) // 2] if settings.band is None else settings.band
    if band not in bands:
        raise SettingsError(
            f"band {band!r}: the images have no such band{near_miss(band, list(bands))}; they have {', '.join(bands)}"
        )
    subtract = (
        flux_unit == "display" if settings.subtract_background is None else settings.subtract_background
    )
    return settings.model_copy(update={"band": band, "subtract_background": subtract})
