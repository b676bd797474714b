"""Measurement tables in memory, with columns whose distributions are known."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

UNITS = {"r_half_pix": u.pix, "orientation_rad": u.rad}


def table_of(columns, *, flags=None, **meta):
    """A table as `galsmith.measure` makes it, of plain columns."""
    count = len(next(iter(columns.values())))
    table = QTable()
    table["object_id"] = np.array([f"{row:05d}" for row in range(count)])
    for name, values in columns.items():
        table[name] = np.asarray(values, dtype=np.float64) * UNITS.get(name, 1)
    table["flag"] = np.zeros(count, dtype=np.int64)
    table["flags"] = np.array(flags if flags is not None else [""] * count, dtype=str)
    table.meta = {
        "content_hash": "0" * 64,
        "bands": ["F814W"],
        "pixel_scale_arcsec": 0.03,
        "flux_unit": "electron / s",
        "provenance": Provenance("measure", {"gain": 1.0}, versions={}).to_dict(),
        **meta,
    }
    return table


def galaxies(count, *, case=0, shift=0.0, stretch=1.0, **meta):
    """A set of galaxies with correlated Gaussian, skewed, circular and power columns."""
    rng = random_stream(case, "test.galaxies")
    common = rng.normal(size=count)
    columns = {
        "asymmetry": 0.1 + 0.05 * (stretch * rng.normal(size=count) + shift),
        "concentration": 3.2 + 0.6 * (stretch * (0.8 * common + 0.6 * rng.normal(size=count)) + shift),
        "sersic_index": np.exp(0.6 * (common + shift)),
        "r_half_pix": 9 + 2 * (stretch * rng.normal(size=count) + shift),
        "orientation_rad": np.pi * (rng.uniform(size=count) - 0.5),
        "r_petro_pix": 20 + 4 * rng.normal(size=count),
        "power_wavelength_00": -0.2 + 0.35 * (common + shift),
        "power_wavelength_07": -1.2 + 0.35 * (common + 0.1 * rng.normal(size=count) + shift),
    }
    return table_of(columns, **meta)


@pytest.fixture
def reference():
    return galaxies(400, case=1)


@pytest.fixture
def generated():
    return galaxies(300, case=2, shift=0.3)


@pytest.fixture(scope="session")
def make_galaxies():
    return galaxies


@pytest.fixture
def make_table():
    return table_of
