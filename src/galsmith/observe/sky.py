"""The sky below the sources: its level, and whether it stays in the image."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader
from galsmith.observe.by_band import LevelByBand, MagnitudeByBand, in_bands
from galsmith.settings import Settings


class Sky(Settings):
    """The sky below the sources.

    Attributes
    ----------
    level : float or mapping of band to float, or None
        In the header's unit per observed pixel.
    mag_arcsec2 : float or mapping of band to float, or None
        Or its surface brightness in AB magnitudes per square arcsecond.
    is_kept : bool
        Whether it stays in the image; its noise does in any case.
    """

    level: LevelByBand | None = None
    mag_arcsec2: MagnitudeByBand | None = None
    is_kept: bool = False

    @model_validator(mode="after")
    def _one_level(self) -> Self:
        """Want one statement of the level."""
        if (self.level is None) == (self.mag_arcsec2 is None):
            came = "neither came" if self.level is None else "both came"
            raise ValueError(f"level and mag_arcsec2: {came}; wanted one of them")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    def levels(self, header: ImageHeader) -> NDArray[np.float64]:
        """Give the level in each band, [band] float64, in the unit of observed images per pixel.

        Raises
        ------
        SettingsError
            If it is stated as a magnitude, and zero points or the size of a pixel are not known.
        """
        if self.mag_arcsec2 is None:
            level = 0.0 if self.level is None else self.level
            return in_bands(level, header.bands, argument="sky.level")
        scale = header.pixel_scale_arcsec
        missing = [band for band in header.bands if band not in header.zero_points_mag]
        if missing or scale is None:
            what = "the size of a pixel" if not missing else f"the zero point of {', '.join(missing)}"
            raise SettingsError(
                f"{what} is not known",
                argument="sky.mag_arcsec2",
                came=self.mag_arcsec2,
                way_out="give sky.level in the images' unit, or ingest them with `zero_points_mag` and "
                "`pixel_scale_arcsec`",
            )
        magnitudes = in_bands(self.mag_arcsec2, header.bands, argument="sky.mag_arcsec2")
        zero_points = np.array([header.zero_points_mag[band] for band in header.bands])
        return 10 ** (-0.4 * (magnitudes - 5 * math.log10(scale) - zero_points))
