"""Which Sérsic galaxies to draw: one prior for every parameter, and the draw of galaxy k from (seed, k)."""

import math
from typing import Any, Literal

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from pydantic import Field, model_validator

from galsmith.seeds import derive_seed, random_stream
from galsmith.settings import Settings

PURPOSE = "simulate.sersic"
PARAMETERS = (
    ("center_x_arcsec", u.arcsec),
    ("center_y_arcsec", u.arcsec),
    ("r_eff_arcsec", u.arcsec),
    ("sersic_index", None),
    ("axis_ratio", None),
    ("orientation_rad", u.rad),
    ("magnitude", u.mag),
)
LIMITS = {
    "r_eff_arcsec": (1e-4, 1e4),
    "sersic_index": (0.3, 10.0),
    "axis_ratio": (0.02, 1.0),
}


class Prior(Settings):
    """Uniform between `low` and `high`; equal ends fix the value, and so does a plain number in a recipe."""

    low: float
    high: float

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        """Read a plain number as a fixed value."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"low": float(value), "high": float(value)}
        return value

    @model_validator(mode="after")
    def _check_order(self) -> "Prior":
        """Refuse ends in the wrong order."""
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, which is {self.high}; swap them")
        return self

    def at(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at shares of the way from low to high, [galaxy] float64."""
        return self.low + (self.high - self.low) * share


class SersicSettings(Settings):
    """A recipe of `galsmith simulate sersic`.

    Attributes
    ----------
    size_pix : int
        Side of the images.
    pixel_scale_arcsec : float
        Angle per pixel side.
    band : str
        Name of the filter.
    zero_point_mag : float
        AB magnitude of 1 electron / s.
    b_n : {"exact", "series"}
        The constant of the law solved exactly, or by the series that the galaxies paper prints.
    center_x_arcsec, center_y_arcsec : Prior
        Of the galaxy, from the middle of the frame, x right, y up.
    r_eff_arcsec : Prior
        Effective radius of the circle with the ellipse's area.
    sersic_index, axis_ratio : Prior
        n, in [0.3, 10]; b/a, in [0.02, 1].
    orientation_rad : Prior
        Of the major axis, counter-clockwise from +x; the catalog has it in (-pi/2, pi/2].
    magnitude : Prior
        AB magnitude of the total flux, integrated to infinity; the frame holds less.
    """

    size_pix: int = Field(ge=4, le=8192)
    pixel_scale_arcsec: float = Field(gt=0)
    band: str = Field(min_length=1)
    zero_point_mag: float
    b_n: Literal["exact", "series"] = "exact"
    center_x_arcsec: Prior
    center_y_arcsec: Prior
    r_eff_arcsec: Prior
    sersic_index: Prior
    axis_ratio: Prior
    orientation_rad: Prior
    magnitude: Prior

    @model_validator(mode="after")
    def _check_limits(self) -> "SersicSettings":
        """Refuse galaxies that the law or the renderer does not cover."""
        for name, (lowest, highest) in LIMITS.items():
            prior: Prior = getattr(self, name)
            if prior.low < lowest or prior.high > highest:
                raise ValueError(
                    f"{name} runs from {prior.low} to {prior.high}; wanted within [{lowest}, {highest}]"
                )
        return self


def draw_parameters(settings: SersicSettings, *, n: int, seed: int) -> QTable:
    """Draw the parameters of galaxies 0 to n - 1.

    Galaxy k depends on `seed` and k alone, so a small set is the beginning of a large one; a prior that is
    changed leaves the other parameters as they were.

    Parameters
    ----------
    settings : SersicSettings
        The priors.
    n : int
        How many galaxies.
    seed : int
        The user's seed.

    Returns
    -------
    QTable
        ``object_id``, ``seed`` (int64, of the galaxy's own stream) and the seven parameters with their units.
    """
    shares = np.array(
        [random_stream(seed, PURPOSE, position).random(len(PARAMETERS)) for position in range(n)]
    ).reshape(n, len(PARAMETERS))
    table = QTable()
    table["object_id"] = np.array([f"{position:08d}" for position in range(n)], dtype=str)
    table["seed"] = np.array([derive_seed(seed, PURPOSE, position) for position in range(n)], dtype=np.int64)
    for column, (name, unit) in enumerate(PARAMETERS):
        prior: Prior = getattr(settings, name)
        values = prior.at(shares[:, column])
        if name == "orientation_rad":
            values = math.pi / 2 - np.mod(math.pi / 2 - values, math.pi)
        table[name] = values if unit is None else values * unit
    return table
