"""What the engine may notice about a galaxy: the names of its flags and how grave each is.

Kernels take an array ``noticed`` (uint8, one entry a flag) and set ``noticed[SOME_FLAG] = 1``. The gravity is
statmorph's: 1 suspect, 2 bad, 4 nothing was measured; 0 is told but does not count. ``flag`` of a galaxy is the
greatest gravity among its flags, those of the Sérsic fits apart.
"""

import numpy as np
from numpy.typing import NDArray

# name, gravity; the order is that of the integers below
_MORPHOLOGY_FLAGS = (
    ("not_finite_pixels", 0),
    ("no_source", 4),
    ("source_below_smoothing", 4),
    ("all_masked", 4),
    ("nonpositive_flux", 4),
    ("stamp_too_small", 4),
    ("source_at_edge", 0),
    ("centroid_out_of_range", 2),
    ("centroid_masked", 2),
    ("nonpositive_second_moment", 2),
    ("no_sky_box", 2),
    ("not_background_subtracted", 2),
    ("petrosian_zero_flux", 2),
    ("petrosian_below_annulus", 2),
    ("petrosian_beyond_stamp", 2),
    ("center_left_stamp", 1),
    ("center_zero_flux", 1),
    ("center_drifted", 1),
    ("center_is_centroid", 2),
    ("center_masked", 2),
    ("total_flux_zero", 2),
    ("total_flux_negative", 2),
    ("light_radius_undefined", 2),
    ("gini_map_empty", 2),
    ("gini_map_full", 2),
    ("gini_map_disjoint", 1),
    ("gini_undefined", 2),
    ("m20_undefined", 2),
    ("sn_undefined", 2),
    ("smoothness_undefined", 2),
    ("mid_zero_flux", 2),
    ("mid_map_is_gini_map", 0),
    ("mid_peak_added", 2),
    ("mid_single_clump", 0),
    ("deviation_undefined", 2),
    ("maps_differ", 1),
    ("maps_empty", 2),
    ("shape_map_from_sky_box", 0),
    ("shape_map_undefined", 2),
    ("shape_peak_added", 2),
    ("r_max_zero", 2),
    ("label_missing", 4),
    ("value_undefined", 2),
)
_SERSIC_FLAGS = (
    ("sersic_radius_below_annulus", 2),
    ("sersic_nonpositive_amplitude", 2),
    ("sersic_not_enough_pixels", 2),
    ("sersic_not_converged", 2),
    ("sersic_at_bound", 1),
)
_DOUBLE_SERSIC_FLAGS = (
    ("double_sersic_not_enough_pixels", 2),
    ("double_sersic_not_converged", 2),
    ("double_sersic_at_bound", 1),
)
_ALL = _MORPHOLOGY_FLAGS + _SERSIC_FLAGS + _DOUBLE_SERSIC_FLAGS

FLAG_NAMES: tuple[str, ...] = tuple(name for name, _ in _ALL)
FLAG_GRAVITY: NDArray[np.int64] = np.array([gravity for _, gravity in _ALL])
N_FLAGS = len(_ALL)
FIRST_SERSIC_FLAG = len(_MORPHOLOGY_FLAGS)
FIRST_DOUBLE_SERSIC_FLAG = FIRST_SERSIC_FLAG + len(_SERSIC_FLAGS)

(
    NOT_FINITE_PIXELS,
    NO_SOURCE,
    SOURCE_BELOW_SMOOTHING,
    ALL_MASKED,
    NONPOSITIVE_FLUX,
    STAMP_TOO_SMALL,
    SOURCE_AT_EDGE,
    CENTROID_OUT_OF_RANGE,
    CENTROID_MASKED,
    NONPOSITIVE_SECOND_MOMENT,
    NO_SKY_BOX,
    NOT_BACKGROUND_SUBTRACTED,
    PETROSIAN_ZERO_FLUX,
    PETROSIAN_BELOW_ANNULUS,
    PETROSIAN_BEYOND_STAMP,
    CENTER_LEFT_STAMP,
    CENTER_ZERO_FLUX,
    CENTER_DRIFTED,
    CENTER_IS_CENTROID,
    CENTER_MASKED,
    TOTAL_FLUX_ZERO,
    TOTAL_FLUX_NEGATIVE,
    LIGHT_RADIUS_UNDEFINED,
    GINI_MAP_EMPTY,
    GINI_MAP_FULL,
    GINI_MAP_DISJOINT,
    GINI_UNDEFINED,
    M20_UNDEFINED,
    SN_UNDEFINED,
    SMOOTHNESS_UNDEFINED,
    MID_ZERO_FLUX,
    MID_MAP_IS_GINI_MAP,
    MID_PEAK_ADDED,
    MID_SINGLE_CLUMP,
    DEVIATION_UNDEFINED,
    MAPS_DIFFER,
    MAPS_EMPTY,
    SHAPE_MAP_FROM_SKY_BOX,
    SHAPE_MAP_UNDEFINED,
    SHAPE_PEAK_ADDED,
    R_MAX_ZERO,
    LABEL_MISSING,
    VALUE_UNDEFINED,
    SERSIC_RADIUS_BELOW_ANNULUS,
    SERSIC_NONPOSITIVE_AMPLITUDE,
    SERSIC_NOT_ENOUGH_PIXELS,
    SERSIC_NOT_CONVERGED,
    SERSIC_AT_BOUND,
    DOUBLE_SERSIC_NOT_ENOUGH_PIXELS,
    DOUBLE_SERSIC_NOT_CONVERGED,
    DOUBLE_SERSIC_AT_BOUND,
) = range(N_FLAGS)
