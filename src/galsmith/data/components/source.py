"""Galaxies of several components as a source: the truth first, pixels when asked for."""

import math
from collections.abc import Iterator
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincinv, i0

from galsmith.data.components.draw import PURPOSE, draw_galaxies, sides_pix
from galsmith.data.components.law import ComponentSettings, Values
from galsmith.data.components.render import (
    SMALLEST_RADIUS,
    Plane,
    profile_row,
    render_galaxy,
    turned_conic,
)
from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.images import ImageHeader
from galsmith.seeds import random_stream

Pixels = NDArray[np.float32]
FLUX_UNIT = "electron / s"
DUST_UM = 0.55  # where optical depths are stated
DISK_INDEX, SCALE_LENGTHS = 1.0, 1.6783  # effective radius of an exponential disk in its scale lengths
HIGHEST_TURN = 8.0  # of waves: radians in ln r
CLUMPS_WITHIN = 1.9  # effective radii
EDGE_POWER = 4  # own choice: a layer is seen from the side within some 30 degrees


class ComponentGalaxies:
    """Galaxies 0 to n - 1 of a recipe and a seed, each with a size of its own.

    Parameters
    ----------
    settings : ComponentSettings
        The recipe.
    n : int
        How many galaxies.
    seed : int
        The user's seed.
    """

    def __init__(self, settings: ComponentSettings, *, n: int, seed: int) -> None:
        self._settings, self._seed = settings, seed
        self.header = ImageHeader(
            settings.bands,
            FLUX_UNIT,
            settings.pixel_scale_arcsec,
            settings.physical_pixel_kpc,
            zero_points_mag=dict.fromkeys(settings.bands, settings.zero_point_mag),
        )
        self.origin = Origin({"recipe": settings.model_dump(mode="json"), "n": n}, stage="simulating")
        self.catalog = draw_galaxies(settings, n=n, seed=seed)
        # plain numbers: one of a column with a unit costs as much as many pixels
        self._columns = {
            name: np.asarray(getattr(self.catalog[name], "value", self.catalog[name]))
            for name in self.catalog.colnames
        }
        sides = sides_pix(self.catalog, settings)
        self.listing = Listing([f"galaxy {row}" for row in range(n)], np.stack([sides, sides], axis=1))

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Render galaxies, each [band, y, x] float32 in electrons per second and pixel."""
        return (self._rendered(int(row)) for row in rows)

    def describe(self, rows: NDArray[np.int64], fluxes: NDArray[np.float64]) -> QTable:
        """Give catalog rows, with the flux in the frame a band, which dust and the frame's edge leave."""
        table = self.catalog[rows]
        for place, band in enumerate(self._settings.bands):
            table[f"frame_flux_{band}"] = fluxes[:, place] * (u.electron / u.s)
        return table

    def _rendered(self, row: int) -> Pixels:
        """Render one galaxy."""
        side = int(self.listing.shapes[row, 0])
        truth = {name: self._columns[name][row] for name in self._columns}
        return render_galaxy(self._profiles(truth), self._plane(truth, side, row), side_pix=side)

    def _profiles(self, truth: dict[str, Any]) -> Values:
        """Rows of bulge, disk and bar."""
        settings, turn = self._settings, truth["orientation_rad"]
        um, same = np.asarray(settings.wavelengths_um), np.ones(len(settings.bands))
        shrinkage = (um / settings.reference_um) ** -truth["size_gradient"]
        bulge = turned_conic(truth["bulge_r_eff_pix"], truth["bulge_axis_ratio"], 0.0, turn_rad=turn)
        rows = np.zeros((3, 7 + 2 * len(um)))
        is_elliptical = truth["kind"] == "elliptical"
        if truth["bulge_fraction"] > 0:
            rows[0] = profile_row(
                bulge,
                sersic_index=truth["bulge_sersic_index"],
                fluxes=self._fluxes(truth, "bulge"),
                shrinkage=shrinkage if is_elliptical else same,
            )
        if is_elliptical:
            return rows
        ratio = truth["disk_axis_ratio"]
        rows[1] = profile_row(
            turned_conic(truth["disk_r_eff_pix"], ratio, 0.0, turn_rad=turn),
            sersic_index=DISK_INDEX,
            fluxes=self._fluxes(truth, "disk"),
            shrinkage=shrinkage,
        )
        if truth["bar_fraction"] > 0:
            bar = (truth["bar_r_eff_pix"], truth["bar_axis_ratio"], truth["bar_angle_rad"])
            rows[2] = profile_row(
                turned_conic(*bar, squeezed=ratio, turn_rad=turn),
                sersic_index=settings.bar.sersic_index,
                fluxes=self._fluxes(truth, "bar"),
                shrinkage=same,
            )
        return rows

    def _fluxes(self, truth: dict[str, Any], component: str) -> Values:
        """Flux of one component in every band."""
        return np.array([truth[f"{component}_flux_{band}"] for band in self._settings.bands])

    def _plane(self, truth: dict[str, Any], side: int, row: int) -> Plane:
        """Give the disk's plane and what is in it."""
        center = ((side - 1) / 2 + truth["offset_x_pix"], (side - 1) / 2 + truth["offset_y_pix"])
        settings, um = self._settings, np.asarray(self._settings.wavelengths_um)
        dust, has_disk = settings.dust, truth["kind"] != "elliptical"
        angle, cosine = truth["orientation_rad"], math.cos(truth["inclination_rad"]) if has_disk else 1.0
        r_eff = truth["disk_r_eff_pix"] if has_disk else 1.0
        dust_ratio = math.hypot(cosine, dust.thickness * math.sqrt(1 - cosine**2))
        frame = np.array(
            [
                *(*center, math.cos(angle), math.sin(angle)),
                truth["disk_axis_ratio"] if has_disk else 1.0,
                dust_ratio,
                r_eff,
                truth["near_side"] * math.sqrt(1 - cosine**2) / max(cosine, SMALLEST_RADIUS),
            ]
        )
        arms = self._arms(truth, r_eff)
        waves = self._waves(truth, random_stream(self._seed, f"{PURPOSE}.waves", row))
        clumps = np.zeros((0, 3 + len(um)))
        if truth["clump_fraction"] > 0:
            clumps = self._clumps(truth, frame, arms, random_stream(self._seed, f"{PURPOSE}.clumps", row))
        return Plane(
            frame,
            arms,
            (truth["arm_contrast"] if arms[0] else 0.0)
            * (settings.reference_um / um) ** settings.arms.blueness,
            waves,
            clumps,
            np.array(
                [
                    truth["dust_optical_depth"] / dust_ratio,
                    dust.radius_ratio * r_eff / SCALE_LENGTHS,
                    dust.lane_contrast,
                    truth["bulge_r_eff_pix"],
                    # seen from the side, all of the light along a line through the layer lies in it
                    dust.mixed_share + (1 - dust.mixed_share) * (1 - cosine) ** EDGE_POWER,
                ]
            ),
            (DUST_UM / um) ** dust.wavelength_power,
        )

    def _arms(self, truth: dict[str, Any], r_eff: float) -> Values:
        """Numbers of the arms, as `Plane` has them; an inner radius alone where there are none."""
        law = self._settings.arms
        arms = np.zeros(10)
        arms[5:7] = law.inner_ratio * r_eff, law.outer_ratio * r_eff
        if truth["arm_count"] > 0:
            sharpness = truth["arm_sharpness"]
            arms[:5] = (
                truth["arm_count"],
                truth["arm_sense"] / math.tan(math.radians(truth["arm_pitch_deg"])),
                truth["arm_phase_rad"],
                sharpness,
                1 / i0(sharpness),
            )
            arms[7:] = (
                truth["arm_unequal"],
                truth["arm_unequal_phase_rad"],
                -truth["arm_sense"] * self._settings.dust.lane_shift_rad,
            )
        return arms

    def _waves(self, truth: dict[str, Any], rng: np.random.Generator) -> Values:
        """Draw waves, [wave, 4]: the lopsided one first."""
        law = self._settings.modes
        waves = np.zeros((1 + law.waves, 4))
        waves[0] = (truth["lopsidedness"], 1, 0, truth["lopsided_phase_rad"])
        waves[1:, 0] = truth["wave_amplitude"]
        waves[1:, 1] = rng.integers(3, law.highest + 1, law.waves)
        waves[1:, 2] = rng.uniform(-HIGHEST_TURN, HIGHEST_TURN, law.waves)
        waves[1:, 3] = rng.uniform(0, 2 * math.pi, law.waves)
        return waves

    def _clumps(self, truth: dict[str, Any], frame: Values, arms: Values, rng: np.random.Generator) -> Values:
        """Draw clumps, [clump, 3 + band]: along an exponential disk, near arms where there are any."""
        law, r_eff = self._settings.clumps, truth["disk_r_eff_pix"]
        count = 1 + int(rng.poisson(law.mean_number))
        # light between circles r exp(-r / h) dr, a gamma law, cut at an end
        inside = gammainc(2, CLUMPS_WITHIN * SCALE_LENGTHS)
        radius = gammaincinv(2, inside * rng.random(count)) * r_eff / SCALE_LENGTHS
        phi = rng.uniform(0, 2 * math.pi, count)
        if arms[0]:
            n_arms, cotangent, phase, sharpness = arms[:4]
            theta = rng.vonmises(0.0, sharpness, count) + 2 * math.pi * rng.integers(0, int(n_arms), count)
            phi = theta / n_arms + cotangent * np.log(radius / r_eff) + phase
        along, across = radius * np.cos(phi), radius * np.sin(phi) * frame[4]
        # Pareto law between two ends, by its quantiles
        bound = law.range_factor ** (1 - law.slope)
        relative = (1 - rng.random(count) * (1 - bound)) ** (1 / (1 - law.slope))
        sigma = law.radius_ratio.at(rng.random(count)) * r_eff
        fluxes = self._fluxes(truth, "clump")
        return np.column_stack(
            [
                frame[0] + along * frame[2] - across * frame[3],
                frame[1] + along * frame[3] + across * frame[2],
                sigma,
                relative[:, np.newaxis] / relative.sum() * fluxes,
            ]
        )
