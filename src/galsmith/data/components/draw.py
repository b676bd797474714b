"""The draw of galaxies 0 to n - 1 from (seed, k): all that is true of each, as a table, before a pixel is made."""

import math

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.special import betaincinv, gammainc, ndtri

from galsmith.data.components.law import KINDS, ComponentSettings, Values
from galsmith.data.sersic import b_n
from galsmith.seeds import derive_seed, random_stream

PURPOSE = "simulate.components"
# One uniform number each, in this order, so that a law that is changed leaves all others as they were.
SHARES = (
    *("offset_x", "offset_y", "luminosity", "kind", "size", "orientation", "inclination", "near_side"),
    *("elliptical_index", "elliptical_ratio", "thickness"),
    *("bulge_fraction", "bulge_index", "bulge_radius", "bulge_flattening"),
    *("has_bar", "bar_fraction", "bar_radius", "bar_ratio", "bar_angle"),
    *("arm_count", "pitch", "contrast", "sharpness", "phase", "sense", "unequal", "unequal_phase"),
    *("lopsidedness", "lopsided_phase", "wave_amplitude", "clump_fraction"),
    *("old_color", "disk_color", "gradient", "optical_depth"),
)
DISK_INDEX = 1.0
HALVINGS = 50


def draw_galaxies(settings: ComponentSettings, *, n: int, seed: int) -> QTable:
    """Draw galaxies 0 to n - 1, galaxy k from `seed` and k alone.

    Parameters
    ----------
    settings : ComponentSettings
        The recipe.
    n : int
        How many galaxies.
    seed : int
        The user's seed.

    Returns
    -------
    QTable
        ``object_id``, ``seed``, ``kind``, and the truth of each galaxy; docs/how-to/simulate-components.md lists it.
        Radii are effective radii along the major axis, of components seen from above; NaN where a galaxy has no such part.
    """
    draws = np.array(
        [random_stream(seed, PURPOSE, position).random(len(SHARES)) for position in range(n)]
    ).reshape(n, len(SHARES))
    share = dict(zip(SHARES, draws.T, strict=True))
    table = QTable()
    table["object_id"] = np.array([f"{position:08d}" for position in range(n)], dtype=str)
    table["seed"] = np.array([derive_seed(seed, PURPOSE, position) for position in range(n)], dtype=np.int64)
    _draw_whole(table, settings, share)
    _draw_early(table, settings, share)
    _draw_disks(table, settings, share)
    _draw_young(table, settings, share)
    _draw_fluxes(table, settings, share)
    table["r_half_pix"] = _half_light_radii(table, along_major_axis=False) * u.pix
    return table


def sides_pix(table: QTable, settings: ComponentSettings) -> NDArray[np.int64]:
    """Side of the image of every galaxy of `draw_galaxies`, [galaxy] int64."""
    frame = settings.frame
    sides = np.rint(frame.half_light_radii * _half_light_radii(table, along_major_axis=True))
    return np.clip(sides, frame.low_pix, frame.high_pix).astype(np.int64)


def _draw_whole(table: QTable, settings: ComponentSettings, share: dict[str, Values]) -> None:
    """Draw where a galaxy lies, how bright it is, its kind and its radius."""
    law = settings.luminosity
    magnitude = law.at(share["luminosity"])
    kind = settings.kinds.at(share["kind"], law.magnitude_star - magnitude)
    deviate = ndtri(share["size"])
    early = settings.early_size
    early_kpc = 10 ** (-0.4 * early.a * magnitude + early.b) * np.exp(early.scatter * deviate)
    late_kpc = settings.late_size.at(magnitude, deviate)
    table["kind"] = np.array(KINDS)[kind]
    for axis in "xy":
        table[f"offset_{axis}_pix"] = (2 * share[f"offset_{axis}"] - 1) * settings.frame.offset_pix * u.pix
    table[f"magnitude_{settings.reference_band}"] = (magnitude + settings.distance_modulus_mag) * u.mag
    table["r_eff_kpc"] = np.where(kind == 0, early_kpc, late_kpc) * u.kpc
    table["orientation_rad"] = (math.pi / 2 - math.pi * share["orientation"]) * u.rad


def _draw_early(table: QTable, settings: ComponentSettings, share: dict[str, Values]) -> None:
    """Draw bulges; an elliptical is nothing else."""
    law, is_elliptical = settings.bulge, _is(table, "elliptical")
    fraction = np.select(
        [is_elliptical, _is(table, "lenticular"), _is(table, "irregular")],
        [
            1.0,
            betaincinv(law.lenticular_alpha, law.lenticular_beta, share["bulge_fraction"]),
            law.irregular_share,
        ],
        betaincinv(law.spiral_alpha, law.spiral_beta, share["bulge_fraction"]),
    )
    radius_pix = table["r_eff_kpc"].to_value(u.kpc) / settings.physical_pixel_kpc
    # Directions of view are uniform on the sphere, so the cosine of the inclination is uniform.
    cosine = np.where(is_elliptical, np.nan, share["inclination"])
    flattening = law.flattening.at(share["bulge_flattening"])
    table["bulge_fraction"] = fraction
    table["bulge_sersic_index"] = np.where(
        is_elliptical,
        settings.elliptical.sersic_index.at(share["elliptical_index"]),
        law.sersic_index.at(share["bulge_index"]),
    )
    ratio = np.where(is_elliptical, 1.0, law.radius_ratio.at(share["bulge_radius"]))
    table["bulge_r_eff_pix"] = ratio * radius_pix * u.pix
    table["bulge_axis_ratio"] = np.where(
        is_elliptical,
        settings.elliptical.axis_ratio.at(share["elliptical_ratio"]),
        apparent_ratio(cosine, flattening),
    )
    table["disk_r_eff_pix"] = np.where(is_elliptical, np.nan, radius_pix) * u.pix
    table["disk_axis_ratio"] = apparent_ratio(cosine, settings.disk.thickness.at(share["thickness"]))
    table["inclination_rad"] = np.arccos(cosine) * u.rad
    table["near_side"] = np.where(share["near_side"] < 0.5, -1, 1)


def _draw_disks(table: QTable, settings: ComponentSettings, share: dict[str, Values]) -> None:
    """Draw bars and arms."""
    bar, arms = settings.bar, settings.arms
    has_bar = (share["has_bar"] < bar.share) & (_is(table, "spiral") | _is(table, "lenticular"))
    table["bar_fraction"] = (1 - table["bulge_fraction"]) * np.where(
        has_bar, bar.fraction.at(share["bar_fraction"]), 0.0
    )
    for name, values in (
        ("bar_r_eff_pix", bar.radius_ratio.at(share["bar_radius"]) * table["disk_r_eff_pix"]),
        ("bar_axis_ratio", bar.axis_ratio.at(share["bar_ratio"])),
        ("bar_angle_rad", math.pi * share["bar_angle"] * u.rad),
    ):
        table[name] = np.where(has_bar, values, np.nan)
    has_arms = _is(table, "spiral")
    ends = np.cumsum(arms.count_shares) / np.sum(arms.count_shares)
    count = 2 + np.minimum((share["arm_count"][:, np.newaxis] >= ends).sum(axis=1), len(ends) - 1)
    table["arm_count"] = np.where(has_arms, count, 0)
    for name, values in (
        ("arm_pitch_deg", arms.pitch_deg.at(share["pitch"]) * u.deg),
        ("arm_contrast", arms.contrast.at(share["contrast"])),
        ("arm_sharpness", arms.sharpness.at(share["sharpness"])),
        ("arm_phase_rad", 2 * math.pi * share["phase"] * u.rad),
        ("arm_sense", np.where(share["sense"] < 0.5, -1.0, 1.0)),
        ("arm_unequal", arms.unequal.at(share["unequal"])),
        ("arm_unequal_phase_rad", 2 * math.pi * share["unequal_phase"] * u.rad),
    ):
        table[name] = np.where(has_arms, values, np.nan)


def _draw_young(table: QTable, settings: ComponentSettings, share: dict[str, Values]) -> None:
    """Draw what is uneven, clumps and dust."""
    modes, clumps, dust = settings.modes, settings.clumps, settings.dust
    is_irregular, is_smooth = _is(table, "irregular"), _is(table, "elliptical") | _is(table, "lenticular")
    factor = np.select([is_irregular, is_smooth], [modes.irregular_factor, 0.0], 1.0)
    table["lopsidedness"] = factor * modes.lopsidedness.at(share["lopsidedness"])
    table["lopsided_phase_rad"] = 2 * math.pi * share["lopsided_phase"] * u.rad
    table["wave_amplitude"] = factor * modes.amplitude.at(share["wave_amplitude"])
    fraction = np.select(
        [is_irregular, is_smooth],
        [clumps.irregular_fraction.at(share["clump_fraction"]), 0.0],
        clumps.spiral_fraction.at(share["clump_fraction"]),
    )
    table["clump_fraction"] = fraction * (1 - table["bulge_fraction"] - table["bar_fraction"])
    factor = np.select(
        [_is(table, "elliptical"), _is(table, "lenticular")], [0.0, dust.lenticular_factor], 1.0
    )
    table["dust_optical_depth"] = factor * dust.optical_depth.at(share["optical_depth"])


def _draw_fluxes(table: QTable, settings: ComponentSettings, share: dict[str, Values]) -> None:
    """Draw colors, and state the flux of every component in every band, without dust and to infinity."""
    colors, band = settings.colors, settings.reference_band
    magnitude = table[f"magnitude_{band}"].to_value(u.mag)
    brighter = settings.luminosity.magnitude_star - (magnitude - settings.distance_modulus_mag)
    firsts = {
        "bulge": colors.old.at(share["old_color"]) + colors.old_per_mag * brighter,
        "disk": colors.disk.at(share["disk_color"]),
        "clump": np.full(len(table), colors.young),
    }
    firsts["bar"] = firsts["disk"]
    total = 10 ** (-0.4 * (magnitude - settings.zero_point_mag))
    fractions = {name: table[f"{name}_fraction"] for name in ("bulge", "bar", "clump")}
    fractions["disk"] = 1 - sum(fractions.values())
    table["size_gradient"] = colors.size_gradient.at(share["gradient"])
    sums = np.zeros((len(settings.bands), len(table)))
    for name, first in firsts.items():
        relative = _magnitudes_from_reference(first, settings)
        fluxes = total * fractions[name] * 10 ** (-0.4 * relative)
        sums += fluxes
        for place, of_band in enumerate(settings.bands):
            table[f"{name}_flux_{of_band}"] = fluxes[place] * (u.electron / u.s)
    for place, of_band in enumerate(settings.bands):
        table[f"flux_{of_band}"] = sums[place] * (u.electron / u.s)


def _magnitudes_from_reference(first: Values, settings: ComponentSettings) -> Values:
    """Magnitude in every band less that in the reference band, [band, galaxy], of a first color."""
    colors = settings.colors
    later = [
        intercept + slope * first for intercept, slope in zip(colors.intercepts, colors.slopes, strict=True)
    ]
    steps = [np.zeros_like(first), *([first] if len(settings.bands) > 1 else []), *later]
    magnitudes = -np.cumsum(steps, axis=0)
    return np.asarray(magnitudes - magnitudes[settings.reference])


def apparent_ratio(cosine: Values, flattening: Values) -> Values:
    """Apparent axis ratio of an oblate spheroid: q^2 = cos^2 i + q0^2 sin^2 i (Hubble 1926)."""
    return np.asarray(np.sqrt(cosine**2 + flattening**2 * (1 - cosine**2)))


def _half_light_radii(table: QTable, *, along_major_axis: bool) -> Values:
    """Radius with half the light of bulge, disk and bar in the reference band, [galaxy] in pixels.

    Each component's light is spread over circles of its ellipses' areas, or over circles with their major axes; the
    enclosed light of a Sérsic law is gamma(2n, b (r / r_eff)^(1 / n)) / Gamma(2n) (Graham & Driver 2005, eq. 2).
    """
    radii, parts = [], []
    for name, index in (("bulge", np.asarray(table["bulge_sersic_index"])), ("disk", DISK_INDEX)):
        ratio = 1.0 if along_major_axis else np.asarray(table[f"{name}_axis_ratio"])
        radii.append((table[f"{name}_r_eff_pix"].to_value(u.pix) * np.sqrt(ratio), index))
    fraction = np.asarray(table["bulge_fraction"])
    parts = [fraction, 1 - fraction]  # what is a bar, or clumps, lies where the disk does
    low, high = np.zeros(len(table)), np.full(len(table), 1e4)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = np.zeros(len(table))
        for (radius, index), part in zip(radii, parts, strict=True):
            relative = middle / np.where(part > 0, radius, 1.0)
            inside += np.where(part > 0, part * gammainc(2 * index, b_n(index) * relative ** (1 / index)), 0)
        low, high = np.where(inside < 0.5, middle, low), np.where(inside < 0.5, high, middle)
    return (low + high) / 2


def _is(table: QTable, kind: str) -> NDArray[np.bool_]:
    """Which galaxies are of a kind."""
    return np.asarray(table["kind"] == kind)
