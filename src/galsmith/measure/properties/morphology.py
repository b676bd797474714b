"""The declared quantities of a galaxy that the kernels measure, but for the fitted Sérsic laws; and those corrected."""

import math

from galsmith.measure.properties.property import Property
from galsmith.measure.properties.sersic import (
    DOUBLE_SERSIC_PROPERTIES,
    SERSIC_INDEX,
    SERSIC_PROPERTIES,
    SERSIC_UNCERTAINTIES,
)

_LOTZ = "Lotz et al. 2004"
_RODRIGUEZ = "Rodriguez-Gomez et al. 2019"
_MID = "Freeman et al. 2013; Peth et al. 2016"
_AXES = {"x": "column", "y": "row"}
_ENDS = {"min": "First", "max": "Last"}


MORPHOLOGY = (
    Property(
        "asymmetry",
        "$A$",
        "",
        "morphology",
        "Light that a half turn about the best center moves, over the light, within 1.5 Petrosian radii, less that of "
        f"the sky ({_LOTZ}, eq. 10; Conselice 2003)",
        headline=True,
        statmorph="asymmetry",
    ),
    Property(
        "smoothness",
        "$S$",
        "",
        "morphology",
        "Light that a box of a quarter Petrosian radius smooths away, over the light, between 0.25 and 1.5 Petrosian "
        f"radii, less that of the sky ({_LOTZ}, eq. 11)",
        headline=True,
        statmorph="smoothness",
    ),
    Property(
        "concentration",
        "$C$",
        "",
        "morphology",
        f"5 log10(r80 / r20), radii within which 80 % and 20 % of the light lie ({_LOTZ}, eq. 8)",
        headline=True,
        statmorph="concentration",
    ),
    Property(
        "gini",
        "$G$",
        "",
        "morphology",
        f"Gini coefficient of the absolute pixel values of the galaxy ({_LOTZ}, eq. 6)",
        headline=True,
        statmorph="gini",
    ),
    Property(
        "m20",
        "$M_{20}$",
        "",
        "morphology",
        "log10 of the second moment of the brightest pixels that hold 20 % of the flux over that of the galaxy "
        f"({_LOTZ}, eq. 8)",
        headline=True,
        statmorph="m20",
    ),
    Property(
        "r_half_pix",
        r"$r_\mathrm{half}$",
        "pix",
        "morphology",
        "Radius of the circle that holds half of the light within the largest radius of the galaxy "
        f"({_RODRIGUEZ}; Pawlik et al. 2016)",
        headline=True,
        statmorph="rhalf_circ",
    ),
    SERSIC_INDEX,
    Property(
        "orientation_rad",
        r"$\theta$",
        "rad",
        "morphology",
        "Angle of the major axis from the second moments about the centroid, counter-clockwise from +x, in "
        "(-pi/2, pi/2] (Bertin & Arnouts 1996)",
        is_circular=True,
        headline=True,
        period=math.pi,
        statmorph="orientation_centroid",
    ),
    Property(
        "ellipticity",
        "$1 - b/a$",
        "",
        "morphology",
        "1 - b/a from the second moments about the centroid (Bertin & Arnouts 1996)",
        headline=True,
        statmorph="ellipticity_centroid",
    ),
    Property(
        "elongation",
        "$a/b$",
        "",
        "morphology",
        "a/b from the second moments about the centroid (Bertin & Arnouts 1996)",
        headline=True,
        statmorph="elongation_centroid",
    ),
    Property(
        "bulge_statistic",
        "$F(G, M_{20})$",
        "",
        "morphology",
        f"-0.693 M20 + 4.95 G - 3.96; 0 and above is early type ({_RODRIGUEZ}; Snyder et al. 2015)",
        headline=True,
        statmorph="gini_m20_bulge",
    ),
    Property(
        "merger_statistic",
        "$S(G, M_{20})$",
        "",
        "morphology",
        f"0.139 M20 + 0.990 G - 0.327; above 0 is a candidate merger ({_RODRIGUEZ}; Snyder et al. 2015)",
        statmorph="gini_m20_merger",
    ),
    Property(
        "multimode",
        "$M$",
        "",
        "morphology",
        "Area of the second largest over that of the largest clump, at the brightness threshold where the former squared "
        f"over the latter is greatest ({_MID}; {_RODRIGUEZ})",
        statmorph="multimode",
    ),
    Property(
        "intensity",
        "$I$",
        "",
        "morphology",
        f"Light of the second brightest over that of the brightest region about a peak of the smoothed galaxy ({_MID})",
        statmorph="intensity",
    ),
    Property(
        "deviation",
        "$D$",
        "",
        "morphology",
        "Distance of the brightest region's peak from the centroid, over the radius of a circle of the galaxy's area "
        f"({_MID})",
        statmorph="deviation",
    ),
    Property(
        "rms_asymmetry_squared",
        r"$A_\mathrm{rms}^2$",
        "",
        "morphology",
        "Squared difference that a half turn makes over the squared light, less that of the sky (Sazonova et al. 2024, "
        "eq. 27)",
        statmorph="rms_asymmetry2",
    ),
    Property(
        "outer_asymmetry",
        "$A_o$",
        "",
        "morphology",
        "Asymmetry between the ellipse of half of the light and the largest ellipse of the galaxy (Wen et al. 2014)",
        statmorph="outer_asymmetry",
    ),
    Property(
        "shape_asymmetry",
        "$A_S$",
        "",
        "morphology",
        "Asymmetry of the galaxy's outline, every pixel within counting as one (Pawlik et al. 2016)",
        statmorph="shape_asymmetry",
    ),
    Property(
        "ellipticity_center",
        "$(1 - b/a)_A$",
        "",
        "morphology",
        "1 - b/a from the second moments about the point of least asymmetry (Bertin & Arnouts 1996)",
        statmorph="ellipticity_asymmetry",
    ),
    Property(
        "elongation_center",
        "$(a/b)_A$",
        "",
        "morphology",
        "a/b from the second moments about the point of least asymmetry (Bertin & Arnouts 1996)",
        statmorph="elongation_asymmetry",
    ),
    Property(
        "orientation_center_rad",
        r"$\theta_A$",
        "rad",
        "morphology",
        "Angle of the major axis from the second moments about the point of least asymmetry, counter-clockwise from +x, "
        "in (-pi/2, pi/2] (Bertin & Arnouts 1996)",
        is_circular=True,
        period=math.pi,
        statmorph="orientation_asymmetry",
    ),
)

SIZES = (
    Property(
        "r_petro_pix",
        r"$r_\mathrm{petro}$",
        "pix",
        "size",
        f"Circle on which the surface brightness is 0.2 of the mean within it ({_LOTZ}; Petrosian 1976)",
        statmorph="rpetro_circ",
    ),
    Property(
        "r_petro_ellip_pix",
        r"$a_\mathrm{petro}$",
        "pix",
        "size",
        f"Semi-major axis of the ellipse on which the surface brightness is 0.2 of the mean within it ({_LOTZ})",
        statmorph="rpetro_ellip",
    ),
    Property(
        "r_half_ellip_pix",
        r"$a_\mathrm{half}$",
        "pix",
        "size",
        "Semi-major axis of the ellipse that holds half of the light within the largest ellipse of the galaxy "
        f"({_RODRIGUEZ})",
        statmorph="rhalf_ellip",
    ),
    Property(
        "r20_pix",
        "$r_{20}$",
        "pix",
        "size",
        f"Radius that holds 20 % of the light within 1.5 Petrosian radii ({_LOTZ})",
        statmorph="r20",
    ),
    Property(
        "r50_pix",
        "$r_{50}$",
        "pix",
        "size",
        f"Radius that holds 50 % of the light within 1.5 Petrosian radii ({_LOTZ})",
        statmorph="r50",
    ),
    Property(
        "r80_pix",
        "$r_{80}$",
        "pix",
        "size",
        f"Radius that holds 80 % of the light within 1.5 Petrosian radii ({_LOTZ})",
        statmorph="r80",
    ),
    Property(
        "r_max_pix",
        r"$r_\mathrm{max}$",
        "pix",
        "size",
        "Largest distance of a pixel of the galaxy from its center (Pawlik et al. 2016)",
        statmorph="rmax_circ",
    ),
    Property(
        "r_max_ellip_pix",
        r"$a_\mathrm{max}$",
        "pix",
        "size",
        f"Semi-major axis of the smallest ellipse that holds all pixels of the galaxy ({_RODRIGUEZ})",
        statmorph="rmax_ellip",
    ),
)

PLACES = (
    Property(
        "centroid_x_pix",
        r"$\bar{x}$",
        "pix",
        "position",
        "Column of the centroid of the galaxy's segment; the first pixel's center is 0",
        statmorph="xc_centroid",
    ),
    Property(
        "centroid_y_pix",
        r"$\bar{y}$",
        "pix",
        "position",
        "Row of the centroid of the galaxy's segment; the first pixel's center is 0",
        statmorph="yc_centroid",
    ),
    Property(
        "center_x_pix",
        "$x_A$",
        "pix",
        "position",
        f"Column of the point about which the asymmetry is least; the first pixel's center is 0 ({_LOTZ})",
        statmorph="xc_asymmetry",
    ),
    Property(
        "center_y_pix",
        "$y_A$",
        "pix",
        "position",
        f"Row of the point about which the asymmetry is least; the first pixel's center is 0 ({_LOTZ})",
        statmorph="yc_asymmetry",
    ),
    *(
        Property(
            f"stamp_{axis}_{end}_pix",
            rf"${axis}_\mathrm{{{end}}}$",
            "pix",
            "position",
            f"{_ENDS[end]} {_AXES[axis]} of the cutout about the galaxy on which all is measured ({_RODRIGUEZ})",
            statmorph=f"{axis}{end}_stamp",
        )
        for end in _ENDS
        for axis in _AXES
    ),
)

PHOTOMETRY = (
    Property(
        "flux",
        "$F$",
        "flux",
        "photometry",
        "Flux within a circle of 2 Petrosian radii about the center of least asymmetry (Petrosian 1976)",
        statmorph="flux_circ",
    ),
    Property(
        "flux_ellip",
        r"$F_\mathrm{ellip}$",
        "flux",
        "photometry",
        "Flux within an ellipse of 2 Petrosian semi-major axes (Petrosian 1976)",
        statmorph="flux_ellip",
    ),
    Property(
        "flux_frame",
        r"$F_\mathrm{frame}$",
        "flux",
        "photometry",
        "Sum of all finite pixels of the frame",
    ),
    Property(
        "sn_per_pixel",
        "$S/N$",
        "",
        "photometry",
        f"Mean signal to noise of the galaxy's pixels, noise from gain and sky ({_LOTZ})",
        statmorph="sn_per_pixel",
    ),
)

SKY = (
    Property(
        "sky_mean",
        r"$\mu_\mathrm{sky}$",
        "flux",
        "sky",
        f"Mean pixel of the sky box, the first empty square of the frame ({_RODRIGUEZ})",
        statmorph="sky_mean",
    ),
    Property(
        "sky_median",
        r"$\mathrm{med}_\mathrm{sky}$",
        "flux",
        "sky",
        f"Median pixel of the sky box ({_RODRIGUEZ})",
        statmorph="sky_median",
    ),
    Property(
        "sky_sigma",
        r"$\sigma_\mathrm{sky}$",
        "flux",
        "sky",
        f"Standard deviation of the pixels of the sky box ({_RODRIGUEZ})",
        statmorph="sky_sigma",
    ),
)

# In the order of their places in a galaxy's row, which are compiled into the kernels.
KERNEL_PROPERTIES = (
    *MORPHOLOGY,
    *SIZES,
    *PLACES,
    *PHOTOMETRY,
    *SERSIC_PROPERTIES,
    *SERSIC_UNCERTAINTIES,
    *DOUBLE_SERSIC_PROPERTIES,
    *SKY,
)

# Of which noise and blur take most, and by which sets are not compared once they are corrected.
CORRECTED_QUANTITIES = ("asymmetry", "concentration", "gini", "m20")
_GRID = (
    "polynomials fitted to galaxies of known truth, after Sazonova et al. 2025; docs/how-to/corrections.md"
)


def corrected_column(name: str) -> str:
    """Name the column of a corrected quantity: ``gini_corrected``."""
    return f"{name}_corrected"


def correction_column(name: str) -> str:
    """Name the column of what was added: ``gini_correction``."""
    return f"{name}_correction"


def _declared(entry: Property) -> tuple[Property, Property]:
    """Declare the corrected quantity and the size of its correction."""
    symbol = entry.symbol.strip("$")
    meaning = entry.definition.rpartition(" (")[0]
    return (
        Property(
            corrected_column(entry.name),
            rf"${symbol}^\mathrm{{c}}$",
            entry.unit,
            "corrected",
            f"As an image without noise or blur would give it: {meaning} ({_GRID})",
            is_compared=False,
        ),
        Property(
            correction_column(entry.name),
            rf"$\Delta {symbol}$",
            entry.unit,
            "corrected",
            f"What was added to `{entry.name}` for that",
            is_compared=False,
        ),
    )


CORRECTED_PROPERTIES: tuple[Property, ...] = tuple(
    declared
    for name in CORRECTED_QUANTITIES
    for declared in _declared(next(entry for entry in MORPHOLOGY if entry.name == name))
)
