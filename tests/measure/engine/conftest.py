"""The engine's steps beside statmorph's, on the same galaxy."""

import warnings
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from galsmith.measure.engine.flags import N_FLAGS
from galsmith.measure.engine.light.apertures import row_prefix_sums
from galsmith.measure.engine.sky import sky_box
from galsmith.measure.engine.stamp import Moments, Stamp, cut_stamp

NO_MASK, NO_SIGMA_MAP = np.zeros((0, 0), dtype=bool), np.zeros((0, 0))


def _noticed():
    return np.zeros(N_FLAGS, dtype=np.uint8)


def _cut(image, labels, *, mask=None, sigma_map=None):
    no_mask, no_sigma = mask is None, sigma_map is None
    return cut_stamp(
        np.ascontiguousarray(image, dtype=np.float64),
        np.ascontiguousarray(labels, dtype=np.int32),
        1,
        NO_MASK if no_mask else mask,
        NO_SIGMA_MAP if no_sigma else sigma_map,
        False,
        _noticed(),
    )


@pytest.fixture(scope="session")
def noticed() -> Callable[[], np.ndarray]:
    """Fresh flags, none of them set: ``noticed()``."""
    return _noticed


@pytest.fixture(scope="session")
def cut() -> Callable[..., object]:
    """Cut the stamp of label 1: ``cut(image, labels, mask=None, sigma_map=None)``."""
    return _cut


@pytest.fixture(scope="session")
def stamp_from() -> Callable[..., Stamp]:
    """All of an image as a stamp, no pixel judged bad: ``stamp_from(image, mask=None, peak=(0, 0))``."""

    def made(image, mask=None, *, peak=(0, 0)):
        mask = np.zeros(image.shape, dtype=bool) if mask is None else mask
        pixels = np.where(mask, 0.0, image)
        valid = np.zeros((image.shape[0], image.shape[1] + 1), dtype=np.int64)
        np.cumsum(~mask, axis=1, out=valid[:, 1:])
        return Stamp(
            pixels=pixels,
            raw=np.ascontiguousarray(image),
            galaxy=pixels,
            segment=~mask,
            occupied=mask,
            mask=mask,
            masked=np.flatnonzero(mask),
            row_sums=row_prefix_sums(pixels),
            row_abs_sums=row_prefix_sums(np.abs(pixels)),
            row_valid=valid,
            turned=np.pad(pixels[::-1, ::-1], 1),
            pad=1,
            x_min=0,
            y_min=0,
            x_peak=peak[0],
            y_peak=peak[1],
        )

    return made


@pytest.fixture(scope="session")
def side_by_side() -> Callable[..., SimpleNamespace]:
    """Let statmorph find center, shape and radii of label 1, and cut the same stamp for the engine.

    ``side_by_side(image, labels, gain=100, mask=None, sigma_map=None)`` has `oracle` (statmorph's own object, whose
    quantities are computed when asked for), `stamp`, `sky`, `x`, `y`, `x_centroid`, `y_centroid`, `moments`,
    `r_petro`, `r_petro_ellip` and `sigma_map`.
    """
    module = pytest.importorskip("statmorph.statmorph", reason="statmorph is in galsmith[statmorph]")

    class Lazy(module.SourceMorphology):
        def _calculate_morphology(self):
            """Nothing before it is asked for."""

        def _check_segmaps(self):
            """Nor this."""

    def asked(image, labels, *, gain=100.0, mask=None, sigma_map=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            oracle = Lazy(
                image, np.asarray(labels, dtype=np.int64), 1, gain=gain, mask=mask, weightmap=sigma_map
            )
            x, y = (float(place) for place in oracle._asymmetry_center)
            shape = (oracle.ellipticity_asymmetry, oracle.elongation_asymmetry, oracle.orientation_asymmetry)
            radii = float(oracle.rpetro_circ), float(oracle.rpetro_ellip)
        stamp = _cut(image, labels, mask=mask, sigma_map=sigma_map)
        return SimpleNamespace(
            oracle=oracle,
            stamp=stamp,
            sky=sky_box(stamp, _noticed()),
            x=x,
            y=y,
            x_centroid=float(oracle._xc_stamp),
            y_centroid=float(oracle._yc_stamp),
            moments=Moments(*(float(value) for value in shape)),
            r_petro=radii[0],
            r_petro_ellip=radii[1],
            sigma_map=NO_SIGMA_MAP if sigma_map is None else sigma_map,
        )

    return asked
