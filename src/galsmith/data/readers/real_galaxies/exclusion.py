"""Which galaxies of a COSMOS sample are suspect: the exclusion levels of ``galsim.COSMOSCatalog``."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.real_galaxies.tables import Columns, RealGalaxyTables
from galsmith.errors import InputError

ExclusionLevel = Literal["none", "bad_stamp", "bad_fits", "marginal"]
EXCLUSION_LEVELS: tuple[ExclusionLevel, ...] = get_args(ExclusionLevel)
MOST_DEVIANT_FLUX_MAG = 0.8
Flags = NDArray[np.bool_]


def strictest_level(tables: RealGalaxyTables) -> ExclusionLevel:
    """Give the strictest level that the tables allow: ``"marginal"``, GalSim's default, or ``"none"``."""
    has_fits = {"FIT_STATUS", "HLR", "SERSICFIT"} <= set(tables.fits)
    return "marginal" if tables.selection and has_fits else "none"


def is_excluded(tables: RealGalaxyTables, level: ExclusionLevel) -> Flags:
    """Tell which galaxies a level excludes, [galaxy] bool.

    The cuts of `galsim.COSMOSCatalog`, which were those of the GREAT3 challenge (Mandelbaum et al. 2014): stamps
    with faint or badly masked galaxies or without flux (``"bad_stamp"``); galaxies where both parametric fits
    failed (``"bad_fits"``); and for ``"marginal"`` all of these, galaxies where one of the fits failed, fits
    with a large index and radius, and those whose fitted flux disagrees with the catalog's.

    Raises
    ------
    InputError
        If the level needs a table that is not there.
    """
    excluded = np.zeros(len(tables), dtype=bool)
    if level in ("bad_stamp", "marginal"):
        excluded |= _has_bad_stamp(tables)
    if level in ("bad_fits", "marginal"):
        sersic, bulge = _fit_succeeded(_needed(tables, "fits", level))
        excluded |= ~(sersic & bulge) if level == "marginal" else ~(sersic | bulge)
    if level == "marginal":
        fits, selection = tables.fits, tables.selection
        excluded |= ~((fits["SERSICFIT"][:, 2] < 5) | (fits["HLR"][:, 0] < 1))
        excluded |= ~(np.abs(selection["DMAG"]) < MOST_DEVIANT_FLUX_MAG)
    return excluded


def _has_bad_stamp(tables: RealGalaxyTables) -> Flags:
    """Tell which galaxies are faint, or close to a mask that is bright beside their own peak."""
    selection = _needed(tables, "selection", "bad_stamp")
    is_bright_sample = "23.5" in tables.path.name
    faintest, largest_ratio = (20.0, 0.2) if is_bright_sample else (12.0, 0.8)
    peak = np.where(selection["PEAK_IMAGE_PIXEL_COUNT"] == 0, 1e-5, selection["PEAK_IMAGE_PIXEL_COUNT"])
    is_free = (selection["MIN_MASK_DIST_PIXELS"] > 11) | (
        selection["AVERAGE_MASK_ADJACENT_PIXEL_COUNT"] / peak < largest_ratio
    )
    is_bright = selection["SN_ELLIP_GAUSS"] >= faintest
    has_flux = tables.main.get("STAMP_FLUX", np.ones(len(tables))) > 0
    return np.asarray(~(is_bright & is_free & has_flux), dtype=bool)


def _fit_succeeded(fits: Columns) -> tuple[Flags, Flags]:
    """Tell of which galaxies the Sérsic fit, and that of bulge and disk, converged."""
    status = fits["FIT_STATUS"]
    sersic, bulge = status[:, 4], status[:, 0]
    return (sersic > 0) & (sersic < 5), (bulge > 0) & (bulge < 5)


def _needed(tables: RealGalaxyTables, which: Literal["fits", "selection"], level: ExclusionLevel) -> Columns:
    """Give a table, or say that it is not there."""
    columns = tables.fits if which == "fits" else tables.selection
    if not columns or (which == "fits" and "FIT_STATUS" not in columns):
        stem = tables.path.name.removesuffix(".fits")
        raise InputError(
            f"{tables.path}: --exclude {level} needs {stem}_{which}.fits with GalSim's columns beside it; "
            "get it with the sample, or keep all galaxies with --exclude none"
        )
    return columns
