"""Simulated Sérsic galaxies as a source: the catalog first, images when asked for."""

from collections.abc import Sequence

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.data.sersic.priors import SersicSettings, draw_parameters
from galsmith.data.sersic.render import render_sersic
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
FLUX_UNIT = "electron / s"


class SersicSource:
    """Galaxies 0 to n - 1 of a recipe and a seed.

    The flux of a galaxy is 10^(-0.4 (magnitude - zero point)) electrons per second. The code that the authors
    of the galaxies paper published multiplies by the exposure time of 2520 s twice; galsmith does not at all,
    so its pixels are theirs divided by a constant.

    Parameters
    ----------
    settings : SersicSettings
        The recipe.
    n : int
        How many galaxies.
    seed : int
        The user's seed.
    """

    def __init__(self, settings: SersicSettings, *, n: int, seed: int) -> None:
        self._settings = settings
        self.header = ImageHeader(
            (settings.band,),
            FLUX_UNIT,
            settings.pixel_scale_arcsec,
            zero_points_mag={settings.band: settings.zero_point_mag},
        )
        self.origin = Origin({"recipe": settings.model_dump(mode="json"), "n": n}, stage="simulating")
        self.catalog = draw_parameters(settings, n=n, seed=seed)
        shapes = np.full((n, 2), settings.size_pix, dtype=np.int64)
        self.listing = Listing([f"galaxy {row}" for row in range(n)], shapes)

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels | UnusableImage]:
        """Render galaxies, each [1, y, x] float32 in electrons per second and pixel."""
        images = self._rendered(rows)
        return [image[np.newaxis] for image in images]

    def describe(self, rows: NDArray[np.int64], fluxes: NDArray[np.float64]) -> QTable:
        """Give catalog rows, with the share of the total flux that the frame holds."""
        table = self.catalog[rows]
        table["frame_flux_fraction"] = fluxes[:, 0] / self._flux(rows)
        return table

    def _rendered(self, rows: NDArray[np.int64]) -> Pixels:
        """Render galaxies, [galaxy, y, x] float32."""
        table, settings = self.catalog[rows], self._settings
        middle = (settings.size_pix - 1) / 2
        scale = settings.pixel_scale_arcsec
        return render_sersic(
            size_pix=settings.size_pix,
            center_x_pix=middle + table["center_x_arcsec"].to_value(u.arcsec) / scale,
            center_y_pix=middle + table["center_y_arcsec"].to_value(u.arcsec) / scale,
            r_eff_pix=table["r_eff_arcsec"].to_value(u.arcsec) / scale,
            sersic_index=np.asarray(table["sersic_index"]),
            axis_ratio=np.asarray(table["axis_ratio"]),
            orientation_rad=table["orientation_rad"].to_value(u.rad),
            flux=self._flux(rows),
            constant=settings.b_n,
        )

    def _flux(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Total flux of galaxies in electrons per second."""
        magnitude = self.catalog["magnitude"][rows].to_value(u.mag)
        return np.asarray(10 ** (-0.4 * (magnitude - self._settings.zero_point_mag)), dtype=np.float64)
