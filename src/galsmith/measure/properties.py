"""The declared quantities: what every column of a measurement table means, for tables, axes and documents."""

from dataclasses import dataclass

N_POWER_MODES = 15

_LOTZ = "Lotz et al. 2004"
_RODRIGUEZ = "Rodriguez-Gomez et al. 2019"
_SERSIC = "of the Sérsic law fitted to the pixels (Sérsic 1963; Graham & Driver 2005)"


@dataclass(frozen=True)
class Property:
    """One quantity that is measured on every galaxy.

    Attributes
    ----------
    name : str
        Its column, with the unit as suffix where it has one.
    symbol : str
        What a figure's axis says, in matplotlib's mathematical text.
    unit : str
        An astropy unit, ``"dex"``, ``"flux"`` for the flux unit of the image set, or nothing.
    group : str
        ``morphology``, ``size``, ``position``, ``photometry``, ``sersic``, ``sky``, ``power_wavelength``
        or ``power_rings``.
    definition : str
        One sentence with its source.
    is_circular : bool
        Whether it is an angle that repeats; see `period`.
    headline : bool
        Whether it counts in the headline distance (Holzschuh et al. 2022, section 4.1).
    period : float or None
        The period of a circular quantity, in its unit.
    """

    name: str
    symbol: str
    unit: str
    group: str
    definition: str
    is_circular: bool = False
    headline: bool = False
    period: float | None = None


_PI = 3.141592653589793

_MORPHOLOGY = (
    Property(
        "asymmetry",
        "$A$",
        "",
        "morphology",
        "Light that a half turn about the best center moves, over the light, within 1.5 Petrosian radii, less that of "
        f"the sky ({_LOTZ}, eq. 10; Conselice 2003)",
        headline=True,
    ),
    Property(
        "smoothness",
        "$S$",
        "",
        "morphology",
        "Light that a box of a quarter Petrosian radius smooths away, over the light, between 0.25 and 1.5 Petrosian "
        f"radii, less that of the sky ({_LOTZ}, eq. 11)",
        headline=True,
    ),
    Property(
        "concentration",
        "$C$",
        "",
        "morphology",
        f"5 log10(r80 / r20), radii within which 80 % and 20 % of the light lie ({_LOTZ}, eq. 8)",
        headline=True,
    ),
    Property(
        "gini",
        "$G$",
        "",
        "morphology",
        f"Gini coefficient of the absolute pixel values of the galaxy ({_LOTZ}, eq. 6)",
        headline=True,
    ),
    Property(
        "m20",
        "$M_{20}$",
        "",
        "morphology",
        "log10 of the second moment of the brightest pixels that hold 20 % of the flux over that of the galaxy "
        f"({_LOTZ}, eq. 8)",
        headline=True,
    ),
    Property(
        "r_half_pix",
        r"$r_\mathrm{half}$",
        "pix",
        "morphology",
        "Radius of the circle that holds half of the light within the largest radius of the galaxy "
        f"({_RODRIGUEZ}; Pawlik et al. 2016)",
        headline=True,
    ),
    Property(
        "sersic_index",
        "$n$",
        "",
        "morphology",
        f"Index n {_SERSIC}",
        headline=True,
    ),
    Property(
        "orientation_rad",
        r"$\theta$",
        "rad",
        "morphology",
        "Angle of the major axis from the second moments about the centroid, counter-clockwise from +x, in "
        "(-pi/2, pi/2] (Bertin & Arnouts 1996)",
        is_circular=True,
        headline=True,
        period=_PI,
    ),
    Property(
        "ellipticity",
        "$1 - b/a$",
        "",
        "morphology",
        "1 - b/a from the second moments about the centroid (Bertin & Arnouts 1996)",
        headline=True,
    ),
    Property(
        "elongation",
        "$a/b$",
        "",
        "morphology",
        "a/b from the second moments about the centroid (Bertin & Arnouts 1996)",
        headline=True,
    ),
    Property(
        "bulge_statistic",
        "$F(G, M_{20})$",
        "",
        "morphology",
        f"-0.693 M20 + 4.95 G - 3.96; 0 and above is early type ({_RODRIGUEZ}; Snyder et al. 2015)",
        headline=True,
    ),
    Property(
        "merger_statistic",
        "$S(G, M_{20})$",
        "",
        "morphology",
        f"0.139 M20 + 0.990 G - 0.327; above 0 is a candidate merger ({_RODRIGUEZ}; Snyder et al. 2015)",
    ),
)

_SIZES = (
    Property(
        "r_petro_pix",
        r"$r_\mathrm{petro}$",
        "pix",
        "size",
        f"Circle on which the surface brightness is 0.2 of the mean within it ({_LOTZ}; Petrosian 1976)",
    ),
    Property(
        "r_petro_ellip_pix",
        r"$a_\mathrm{petro}$",
        "pix",
        "size",
        f"Semi-major axis of the ellipse on which the surface brightness is 0.2 of the mean within it ({_LOTZ})",
    ),
    Property(
        "r_half_ellip_pix",
        r"$a_\mathrm{half}$",
        "pix",
        "size",
        "Semi-major axis of the ellipse that holds half of the light within the largest ellipse of the galaxy "
        f"({_RODRIGUEZ})",
    ),
    Property(
        "r20_pix",
        "$r_{20}$",
        "pix",
        "size",
        f"Radius that holds 20 % of the light within 1.5 Petrosian radii ({_LOTZ})",
    ),
    Property(
        "r50_pix",
        "$r_{50}$",
        "pix",
        "size",
        f"Radius that holds 50 % of the light within 1.5 Petrosian radii ({_LOTZ})",
    ),
    Property(
        "r80_pix",
        "$r_{80}$",
        "pix",
        "size",
        f"Radius that holds 80 % of the light within 1.5 Petrosian radii ({_LOTZ})",
    ),
    Property(
        "r_max_pix",
        r"$r_\mathrm{max}$",
        "pix",
        "size",
        "Largest distance of a pixel of the galaxy from its center (Pawlik et al. 2016)",
    ),
)

_OTHERS = (
    Property(
        "center_x_pix",
        "$x_A$",
        "pix",
        "position",
        f"Column of the point about which the asymmetry is least; the first pixel's center is 0 ({_LOTZ})",
    ),
    Property(
        "center_y_pix",
        "$y_A$",
        "pix",
        "position",
        f"Row of the point about which the asymmetry is least; the first pixel's center is 0 ({_LOTZ})",
    ),
    Property(
        "flux",
        "$F$",
        "flux",
        "photometry",
        "Flux within a circle of 2 Petrosian radii about the center of least asymmetry (Petrosian 1976)",
    ),
    Property(
        "flux_ellip",
        r"$F_\mathrm{ellip}$",
        "flux",
        "photometry",
        "Flux within an ellipse of 2 Petrosian semi-major axes (Petrosian 1976)",
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
    ),
    Property(
        "sersic_amplitude",
        "$I_e$",
        "flux",
        "sersic",
        f"Flux per pixel at the effective radius {_SERSIC}",
    ),
    Property(
        "sersic_r_eff_pix",
        r"$r_\mathrm{eff}$",
        "pix",
        "sersic",
        f"Effective semi-major axis {_SERSIC}",
    ),
    Property(
        "sersic_ellipticity",
        r"$(1 - b/a)_\mathrm{Sersic}$",
        "",
        "sersic",
        f"1 - b/a {_SERSIC}",
    ),
    Property(
        "sersic_orientation_rad",
        r"$\theta_\mathrm{Sersic}$",
        "rad",
        "sersic",
        f"Angle of the major axis {_SERSIC}, counter-clockwise from +x, in (-pi/2, pi/2]",
        is_circular=True,
        period=_PI,
    ),
    Property(
        "sky_mean",
        r"$\mu_\mathrm{sky}$",
        "flux",
        "sky",
        f"Mean pixel of the sky box, the first empty square of the frame ({_RODRIGUEZ})",
    ),
    Property(
        "sky_sigma",
        r"$\sigma_\mathrm{sky}$",
        "flux",
        "sky",
        f"Standard deviation of the pixels of the sky box ({_RODRIGUEZ})",
    ),
)


def _power_modes(binning: str, meaning: str, *, headline: bool) -> tuple[Property, ...]:
    """Declare the modes of one binning."""
    return tuple(
        Property(
            f"power_{binning}_{mode:02d}",
            rf"$\log_{{10}} P_{{{mode}}}$",
            "dex",
            f"power_{binning}",
            f"log10 of the mean amplitude |F|/N^2 over {meaning.format(mode=mode)} "
            "(Holzschuh et al. 2022, section 4.1.2)",
            headline=headline,
        )
        for mode in range(N_POWER_MODES)
    )


PROPERTIES: tuple[Property, ...] = (
    *_MORPHOLOGY,
    *_SIZES,
    *_OTHERS,
    *_power_modes("wavelength", "bin {mode} of spatial frequency, shared by all image sizes", headline=True),
    *_power_modes(
        "rings", "the ring of integer radius {mode} of the image's own Fourier grid", headline=False
    ),
)

PROPERTY_BY_NAME: dict[str, Property] = {entry.name: entry for entry in PROPERTIES}


def property_of_column(column: str) -> Property | None:
    """Find what a column of a measurement table holds.

    Parameters
    ----------
    column : str
        A property's name, or that of a power mode with its band, such as ``"power_wavelength_03_g"``.

    Returns
    -------
    Property or None
        None for what is no measurement, such as ``"object_id"``.
    """
    if column in PROPERTY_BY_NAME:
        return PROPERTY_BY_NAME[column]
    if not column.startswith("power_"):
        return None
    stem = "_".join(column.split("_")[:3])
    return PROPERTY_BY_NAME.get(stem)


def properties_markdown() -> str:
    """Render all properties as the Markdown tables of ``docs/properties.md``."""
    lines: list[str] = []
    for group in dict.fromkeys(entry.group for entry in PROPERTIES):
        lines += [
            f"## {group}",
            "",
            "| column | symbol | unit | headline | definition |",
            "|---|---|---|---|---|",
        ]
        lines += [_markdown_row(entry) for entry in PROPERTIES if entry.group == group]
        lines.append("")
    return "\n".join(lines)


def _markdown_row(entry: Property) -> str:
    """Render one property as a row."""
    unit = "flux unit of the set" if entry.unit == "flux" else entry.unit or "–"
    period = " Circular, period pi." if entry.is_circular else ""
    symbol = entry.symbol.replace("|", r"\|")
    definition = entry.definition.replace("|", r"\|")
    return (
        f"| `{entry.name}` | {symbol} | {unit} | {'yes' if entry.headline else ''} | {definition}.{period} |"
    )
