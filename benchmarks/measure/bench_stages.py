"""CPU seconds of the engine's steps, called one by one on one image."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_images import BenchImage

from galsmith.measure.engine import flags
from galsmith.measure.engine.light.apertures import Geometry, circles
from galsmith.measure.engine.light.asymmetry import (
    ASYMMETRY_EXTENT,
    asymmetry,
    asymmetry_center,
    outer_asymmetry,
    shape_asymmetry,
    squared_asymmetry,
)
from galsmith.measure.engine.light.radii import light_radii, light_radius, petrosian_radius
from galsmith.measure.engine.light.shape import centroid, moments_about, r_max, shape_map
from galsmith.measure.engine.light.statistics import gini, gini_map, m20, noise_map, smoothness, sn_per_pixel
from galsmith.measure.engine.mid.statistics import measure_mid
from galsmith.measure.engine.segmentation.methods import paper_map
from galsmith.measure.engine.sersic.fit import INTEGRATED, Start, fit_sersic
from galsmith.measure.engine.sky import sky_box
from galsmith.measure.engine.stamp import cut_stamp

REPEATS = 3
NOTHING = np.empty((0, 0))
NO_MASK = np.empty((0, 0), dtype=np.bool_)
AS_STATMORPH = (False,)  # not symmetric


class Stages:
    """Times steps by name: the best of a few, as calls from Python cost tens of microseconds each."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.noticed = np.zeros(flags.N_FLAGS, dtype=np.uint8)

    def timed(self, name: str, step: Callable[..., Any], *arguments: Any) -> Any:
        """Do a step and add its time to a stage."""
        step(*arguments)  # compiled, or read from the cache
        best = float("inf")
        for _ in range(REPEATS):
            started = time.process_time()
            result = step(*arguments)
            best = min(best, time.process_time() - started)
        self.seconds[name] = self.seconds.get(name, 0.0) + best
        return result


def stage_seconds(image: BenchImage) -> dict[str, float]:
    """CPU seconds of every stage on one image, in the engine's order; empty where no galaxy is found."""
    stages = Stages()
    timed, noticed = stages.timed, stages.noticed
    labels, failure = timed("segmentation", paper_map, image.pixels, 1.5, 5, 10)
    if failure >= 0:
        return {}
    stamp = timed(
        "cutting the stamp", cut_stamp, image.pixels, labels, 1, NO_MASK, NOTHING, *AS_STATMORPH, noticed
    )
    sky = timed("sky box", sky_box, stamp, noticed)
    middle = timed("moments", centroid, stamp, noticed)
    timed("moments", moments_about, stamp, *middle, noticed)
    r_centroid = timed("circular Petrosian", petrosian_radius, stamp, circles(*middle), noticed)
    center = timed("asymmetry center", asymmetry_center, stamp, sky, *middle, r_centroid, noticed)
    shape = timed("moments", moments_about, stamp, *center, noticed)
    ellipses = Geometry(*center, shape.elongation, shape.orientation_rad)
    r_petro = timed("circular Petrosian", petrosian_radius, stamp, circles(*center), noticed)
    a_petro = timed("elliptical Petrosian", petrosian_radius, stamp, ellipses, noticed)
    radii = timed("light radii", light_radii, stamp, circles(*center), ASYMMETRY_EXTENT * r_petro, noticed)
    a_half = _time_outline(stages, stamp, sky, ellipses=ellipses, a_petro=a_petro)
    radius = ASYMMETRY_EXTENT * r_centroid
    timed("asymmetries", asymmetry, stamp, sky, *center, radius, noticed)
    timed("asymmetries", squared_asymmetry, stamp, sky, *center, radius, noticed)
    timed("smoothness", smoothness, stamp, sky, *center, r_petro, noticed)
    noise = timed("noise map", noise_map, stamp, image.gain, sky, NOTHING)
    inside = timed("Gini map", gini_map, stamp, ellipses._replace(x=middle[0], y=middle[1]), a_petro, noticed)
    timed("Gini and M20", gini, stamp, inside, noticed)
    timed("Gini and M20", m20, stamp, inside, noticed)
    timed("Gini and M20", sn_per_pixel, stamp, inside, noise, noticed)
    timed("multimode, I, D", measure_mid, stamp, inside, noticed)
    concentration = 5 * np.log10(radii[2] / radii[0])
    start = Start(*center, a_half, concentration, shape)
    timed("Sérsic fit", fit_sersic, stamp, noise, start, NOTHING, INTEGRATED, noticed)
    return stages.seconds


def _time_outline(stages: Stages, stamp: Any, sky: Any, *, ellipses: Geometry, a_petro: float) -> float:
    """Time the shape map and what it gives; the half-light semi-major axis is returned."""
    timed, noticed, center = stages.timed, stages.noticed, (ellipses.x, ellipses.y)
    outline = timed("shape map", shape_map, stamp, sky, *center, a_petro, noticed)
    farthest = timed("shape map", r_max, outline, circles(*center), noticed)
    farthest_ellip = timed("shape map", r_max, outline, ellipses, noticed)
    timed("half-light radii", light_radius, stamp, circles(*center), farthest, 0.5, noticed)
    a_half = timed("half-light radii", light_radius, stamp, ellipses, farthest_ellip, 0.5, noticed)
    timed("asymmetries", outer_asymmetry, stamp, sky, ellipses, a_half, farthest_ellip, noticed)
    timed("asymmetries", shape_asymmetry, stamp, outline, *center, farthest, noticed)
    return float(a_half)
