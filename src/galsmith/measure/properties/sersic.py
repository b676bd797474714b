"""The declared quantities of the fitted Sérsic laws: one law, and two laws of one center."""

import math
from itertools import combinations

from galsmith.measure.properties.property import Property

_SERSIC = "of the Sérsic law fitted to the pixels (Sérsic 1963; Graham & Driver 2005)"
_DOUBLE = "of the two Sérsic laws of one center fitted to the pixels (Rodriguez-Gomez et al. 2019)"
_COMPONENTS = {1: "first (inner at the start of the fit)", 2: "second (outer at the start of the fit)"}
_ANGLE = "counter-clockwise from +x, in (-pi/2, pi/2]"

SERSIC_INDEX = Property(
    "sersic_index",
    "$n$",
    "",
    "morphology",
    f"Index n {_SERSIC}",
    headline=True,
    statmorph="sersic_n",
)

SERSIC_PROPERTIES: tuple[Property, ...] = (
    Property(
        "sersic_amplitude",
        "$I_e$",
        "flux",
        "sersic",
        f"Flux per pixel at the effective radius {_SERSIC}",
        statmorph="sersic_amplitude",
    ),
    Property(
        "sersic_r_eff_pix",
        r"$r_\mathrm{eff}$",
        "pix",
        "sersic",
        f"Effective semi-major axis {_SERSIC}",
        statmorph="sersic_rhalf",
    ),
    Property(
        "sersic_ellipticity",
        r"$(1 - b/a)_\mathrm{Sersic}$",
        "",
        "sersic",
        f"1 - b/a {_SERSIC}",
        statmorph="sersic_ellip",
    ),
    Property(
        "sersic_orientation_rad",
        r"$\theta_\mathrm{Sersic}$",
        "rad",
        "sersic",
        f"Angle of the major axis {_SERSIC}, {_ANGLE}",
        is_circular=True,
        period=math.pi,
        statmorph="sersic_theta",
    ),
    Property(
        "sersic_x_pix",
        r"$x_\mathrm{Sersic}$",
        "pix",
        "sersic",
        f"Column of the center {_SERSIC}",
        statmorph="sersic_xc",
    ),
    Property(
        "sersic_y_pix",
        r"$y_\mathrm{Sersic}$",
        "pix",
        "sersic",
        f"Row of the center {_SERSIC}",
        statmorph="sersic_yc",
    ),
    Property(
        "sersic_chi2_dof",
        r"$\chi^2_\nu$",
        "",
        "sersic",
        f"Squared residuals over their variance, a degree of freedom, {_SERSIC}",
        statmorph="sersic_chi2_dof",
    ),
    Property(
        "sersic_aic",
        r"$\mathrm{AIC}$",
        "",
        "sersic",
        f"Akaike's information criterion {_SERSIC} (Akaike 1974)",
        statmorph="sersic_aic",
    ),
    Property(
        "sersic_bic",
        r"$\mathrm{BIC}$",
        "",
        "sersic",
        f"Bayesian information criterion {_SERSIC} (Schwarz 1978)",
        statmorph="sersic_bic",
    ),
)

_UNCERTAIN = {
    "flux": ("F", "flux", "total flux"),
    "r_eff": (r"r_\mathrm{eff}", "pix", "effective semi-major axis"),
    "index": ("n", "", "index"),
    "ellipticity": (r"\epsilon", "", "ellipticity, and so of b/a,"),
    "orientation": (r"\theta", "rad", "angle of the major axis"),
    "x": ("x", "pix", "column of the center"),
    "y": ("y", "pix", "row of the center"),
}
_TOLD = "from the curvature of chi-squared at its minimum and the noise that weighed the pixels"


def _sigma(name: str) -> Property:
    """Declare the standard deviation of one parameter."""
    symbol, unit, words = _UNCERTAIN[name]
    suffix = f"_{unit}" if unit in ("pix", "rad") else ""
    return Property(
        f"sersic_{name}_sigma{suffix}",
        rf"$\sigma({symbol})$",
        unit,
        "sersic_uncertainty",
        f"Standard deviation of the {words} {_SERSIC}, {_TOLD}",
        is_compared=False,
    )


def _correlation(one: str, other: str) -> Property:
    """Declare the correlation of two parameters."""
    symbols = f"{_UNCERTAIN[one][0]}, {_UNCERTAIN[other][0]}"
    return Property(
        f"sersic_{one}_{other}_correlation",
        rf"$\rho({symbols})$",
        "",
        "sersic_uncertainty",
        f"Correlation of {one} and {other} {_SERSIC}: their covariance over both standard deviations",
        is_compared=False,
    )


# The covariance of the first five is told whole: flux, r_eff, index, ellipticity, orientation.
SERSIC_UNCERTAINTIES: tuple[Property, ...] = (
    Property(
        "sersic_flux",
        r"$F_\mathrm{Sersic}$",
        "flux",
        "sersic_uncertainty",
        f"Flux out to infinity {_SERSIC}",
        is_compared=False,
    ),
    *(_sigma(name) for name in _UNCERTAIN),
    *(_correlation(one, other) for one, other in combinations(list(_UNCERTAIN)[:5], 2)),
)


def _component(number: int) -> tuple[Property, ...]:
    """Declare the parameters of one of the two laws."""
    name, law = "double_sersic", f"of the {_COMPONENTS[number]} {_DOUBLE}"
    return (
        Property(
            f"{name}_amplitude_{number}",
            f"$I_{{e,{number}}}$",
            "flux",
            name,
            f"Flux per pixel at the effective radius {law}",
            statmorph=f"doublesersic_amplitude{number}",
        ),
        Property(
            f"{name}_r_eff_{number}_pix",
            rf"$r_{{\mathrm{{eff}},{number}}}$",
            "pix",
            name,
            f"Effective semi-major axis {law}",
            statmorph=f"doublesersic_rhalf{number}",
        ),
        Property(
            f"{name}_index_{number}",
            f"$n_{number}$",
            "",
            name,
            f"Index n {law}",
            statmorph=f"doublesersic_n{number}",
        ),
        Property(
            f"{name}_ellipticity_{number}",
            f"$(1 - b/a)_{number}$",
            "",
            name,
            f"1 - b/a {law}",
            statmorph=f"doublesersic_ellip{number}",
        ),
        Property(
            f"{name}_orientation_{number}_rad",
            rf"$\theta_{number}$",
            "rad",
            name,
            f"Angle of the major axis {law}, {_ANGLE}",
            is_circular=True,
            period=math.pi,
            statmorph=f"doublesersic_theta{number}",
        ),
    )


DOUBLE_SERSIC_PROPERTIES: tuple[Property, ...] = (
    Property(
        "double_sersic_x_pix",
        r"$x_\mathrm{double}$",
        "pix",
        "double_sersic",
        f"Column of the center {_DOUBLE}",
        statmorph="doublesersic_xc",
    ),
    Property(
        "double_sersic_y_pix",
        r"$y_\mathrm{double}$",
        "pix",
        "double_sersic",
        f"Row of the center {_DOUBLE}",
        statmorph="doublesersic_yc",
    ),
    *_component(1),
    *_component(2),
    Property(
        "double_sersic_chi2_dof",
        r"$\chi^2_{\nu,\mathrm{double}}$",
        "",
        "double_sersic",
        f"Squared residuals over their variance, a degree of freedom, {_DOUBLE}",
        statmorph="doublesersic_chi2_dof",
    ),
    Property(
        "double_sersic_aic",
        r"$\mathrm{AIC}_\mathrm{double}$",
        "",
        "double_sersic",
        f"Akaike's information criterion {_DOUBLE} (Akaike 1974)",
        statmorph="doublesersic_aic",
    ),
    Property(
        "double_sersic_bic",
        r"$\mathrm{BIC}_\mathrm{double}$",
        "",
        "double_sersic",
        f"Bayesian information criterion {_DOUBLE} (Schwarz 1978)",
        statmorph="doublesersic_bic",
    ),
)
