"""Which quantity of statmorph is which property of galsmith, and how near the two have to be."""

from collections.abc import Mapping

import numpy as np

INVALID = -99.0

EXACT = "exact"
POSITION = "position"
ANGLE = "angle"
RELATIVE = "relative"
SKY = "sky"
OVER_R_EFF = "over the effective radius"
PLAIN = "plain"

# Property of galsmith: quantity of statmorph, how a difference is taken (see `difference`).
NON_PARAMETRIC: dict[str, tuple[str, str]] = {
    "stamp_x_min_pix": ("xmin_stamp", EXACT),
    "stamp_y_min_pix": ("ymin_stamp", EXACT),
    "stamp_x_max_pix": ("xmax_stamp", EXACT),
    "stamp_y_max_pix": ("ymax_stamp", EXACT),
    "centroid_x_pix": ("xc_centroid", POSITION),
    "centroid_y_pix": ("yc_centroid", POSITION),
    "ellipticity": ("ellipticity_centroid", PLAIN),
    "elongation": ("elongation_centroid", RELATIVE),
    "orientation_rad": ("orientation_centroid", ANGLE),
    "center_x_pix": ("xc_asymmetry", POSITION),
    "center_y_pix": ("yc_asymmetry", POSITION),
    "ellipticity_center": ("ellipticity_asymmetry", PLAIN),
    "elongation_center": ("elongation_asymmetry", RELATIVE),
    "orientation_center_rad": ("orientation_asymmetry", ANGLE),
    "flux": ("flux_circ", RELATIVE),
    "flux_ellip": ("flux_ellip", RELATIVE),
    "r_petro_pix": ("rpetro_circ", RELATIVE),
    "r_petro_ellip_pix": ("rpetro_ellip", RELATIVE),
    "r_max_pix": ("rmax_circ", RELATIVE),
    "r_max_ellip_pix": ("rmax_ellip", RELATIVE),
    "r_half_pix": ("rhalf_circ", RELATIVE),
    "r_half_ellip_pix": ("rhalf_ellip", RELATIVE),
    "r20_pix": ("r20", RELATIVE),
    "r50_pix": ("r50", RELATIVE),
    "r80_pix": ("r80", RELATIVE),
    "gini": ("gini", PLAIN),
    "m20": ("m20", PLAIN),
    "bulge_statistic": ("gini_m20_bulge", PLAIN),
    "merger_statistic": ("gini_m20_merger", PLAIN),
    "sn_per_pixel": ("sn_per_pixel", RELATIVE),
    "concentration": ("concentration", PLAIN),
    "asymmetry": ("asymmetry", PLAIN),
    "smoothness": ("smoothness", PLAIN),
    "multimode": ("multimode", PLAIN),
    "intensity": ("intensity", PLAIN),
    "deviation": ("deviation", PLAIN),
    "rms_asymmetry_squared": ("rms_asymmetry2", PLAIN),
    "outer_asymmetry": ("outer_asymmetry", PLAIN),
    "shape_asymmetry": ("shape_asymmetry", PLAIN),
    "sky_mean": ("sky_mean", SKY),
    "sky_median": ("sky_median", SKY),
    "sky_sigma": ("sky_sigma", RELATIVE),
}
SERSIC: dict[str, tuple[str, str]] = {
    "sersic_amplitude": ("sersic_amplitude", RELATIVE),
    "sersic_r_eff_pix": ("sersic_rhalf", RELATIVE),
    "sersic_index": ("sersic_n", PLAIN),
    "sersic_x_pix": ("sersic_xc", OVER_R_EFF),
    "sersic_y_pix": ("sersic_yc", OVER_R_EFF),
    "sersic_ellipticity": ("sersic_ellip", PLAIN),
    "sersic_orientation_rad": ("sersic_theta", ANGLE),
    "sersic_chi2_dof": ("sersic_chi2_dof", RELATIVE),
    "sersic_aic": ("sersic_aic", RELATIVE),
    "sersic_bic": ("sersic_bic", RELATIVE),
}
DOUBLE_SERSIC: dict[str, tuple[str, str]] = {
    "double_sersic_x_pix": ("doublesersic_xc", POSITION),
    "double_sersic_y_pix": ("doublesersic_yc", POSITION),
    "double_sersic_amplitude_1": ("doublesersic_amplitude1", RELATIVE),
    "double_sersic_r_eff_1_pix": ("doublesersic_rhalf1", RELATIVE),
    "double_sersic_index_1": ("doublesersic_n1", RELATIVE),
    "double_sersic_ellipticity_1": ("doublesersic_ellip1", PLAIN),
    "double_sersic_orientation_1_rad": ("doublesersic_theta1", ANGLE),
    "double_sersic_amplitude_2": ("doublesersic_amplitude2", RELATIVE),
    "double_sersic_r_eff_2_pix": ("doublesersic_rhalf2", RELATIVE),
    "double_sersic_index_2": ("doublesersic_n2", RELATIVE),
    "double_sersic_ellipticity_2": ("doublesersic_ellip2", PLAIN),
    "double_sersic_orientation_2_rad": ("doublesersic_theta2", ANGLE),
    "double_sersic_chi2_dof": ("doublesersic_chi2_dof", RELATIVE),
    "double_sersic_aic": ("doublesersic_aic", RELATIVE),
    "double_sersic_bic": ("doublesersic_bic", RELATIVE),
}
ALL = NON_PARAMETRIC | SERSIC | DOUBLE_SERSIC
# statmorph's numbers that follow from others: galsmith has no column for them.
LEFT_OUT = ("nx_stamp", "ny_stamp")


def difference(name: str, ours: float, frozen: Mapping[str, float]) -> float:
    """How far a value of ours lies from statmorph's.

    Positions in pixels; angles in radians, modulo pi; fluxes, radii and other positive scales over statmorph's
    value; the center of the Sérsic law over its effective radius; the level of the sky over its sigma; the
    rest plainly, over statmorph's value where that exceeds 1. statmorph's -99 has to be our NaN: 0 where it
    is, infinity where it is not.
    """
    quantity, kind = ALL[name]
    theirs = frozen[quantity]
    if theirs == INVALID or not np.isfinite(theirs):
        return 0.0 if np.isnan(ours) else np.inf
    if np.isnan(ours):
        return np.inf
    if kind == ANGLE:
        return float(abs((ours - theirs + np.pi / 2) % np.pi - np.pi / 2))
    apart = abs(ours - theirs)
    if apart == 0:
        return 0.0
    scale = {
        EXACT: 0.0,
        POSITION: 1.0,
        RELATIVE: abs(theirs),
        SKY: frozen["sky_sigma"],
        OVER_R_EFF: frozen["sersic_rhalf"],
        PLAIN: max(1.0, abs(theirs)),
    }[kind]
    return float(apart / scale) if scale > 0 else np.inf
