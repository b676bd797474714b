"""Two small stores with measurements and a comparison, as the verbs leave them on disk."""

from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from galsmith.compare import compare
from galsmith.data.store import write_store
from galsmith.images import image_set_from_arrays
from galsmith.measure import MeasureSettings, measure
from galsmith.measure.table_formats import write_table
from galsmith.provenance import Parent, Provenance
from galsmith.seeds import random_stream


@dataclass(frozen=True)
class Compared:
    """Where everything lies."""

    folder: Path
    comparison: Path
    stores: tuple[Path, Path]
    tables: tuple[Path, Path]


def make_compared(
    folder,
    *,
    bands=("F814W",),
    flux_unit="electron / s",
    count=40,
    names=None,
    flags=("", "suspect"),
    side_pix=24,
):
    """Blurred noise galaxies on two sides, measured for power, with plain morphology columns beside it."""
    stores, tables = [], []
    for case, name in enumerate(("source", "drawn")):
        rng = random_stream(case, "test.report")
        y, x = np.mgrid[:side_pix, :side_pix] - side_pix / 2
        width = rng.uniform(2, 4 + case, size=(count, 1, 1, 1))
        images = np.exp(-(x**2 + y**2) / (2 * width**2)) + 0.01 * rng.normal(
            size=(count, len(bands), side_pix, side_pix)
        )
        if flux_unit == "display":
            images = np.clip(200 * images, 0, 255).round()
        catalog = QTable({"object_id": np.array(names)}) if names is not None else None
        provenance = (
            Provenance("simulate sersic", {"n": count, "image": {"size_pix": side_pix}}, 3)
            if name == "source"
            else Provenance("sample", {"n": count}, 5, (Parent("snapshot", "ab" * 32, "run/snapshot"),))
        )
        image_set = image_set_from_arrays(
            images,
            bands=bands,
            flux_unit=flux_unit,
            pixel_scale_arcsec=0.03,
            catalog=catalog,
            provenance=provenance,
        )
        write_store(folder / name, image_set)
        path = folder / f"{name}.parquet"
        table = measure(folder / name, path, settings=MeasureSettings(quantities=("power",)))
        table["asymmetry"] = rng.normal(0.1, 0.05, count) + 0.2 * case
        table["r_half_pix"] = rng.normal(6, 1, count) * u.pix
        table["gini"] = np.where(np.arange(count) < 3, np.nan, rng.normal(0.5, 0.05, count))
        table["flags"] = np.array([flags[0]] * (count - 4) + [flags[1]] * 4)
        write_table(path, table)
        stores.append(folder / name)
        tables.append(path)
    output = folder / "comparison.json"
    compare(*tables, output, replicates=30, splits=30, cuts={"asymmetry": (-5, 5)})
    return Compared(folder, output, tuple(stores), tuple(tables))


@pytest.fixture(scope="session")
def one_band(tmp_path_factory):
    return make_compared(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="session")
def three_bands(tmp_path_factory):
    return make_compared(tmp_path_factory.mktemp("three"), bands=("g", "r", "i"), flux_unit="nJy")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    return make_compared(tmp_path_factory.mktemp("pictures"), bands=("R", "G", "B"), flux_unit="display")


@pytest.fixture
def compared_in():
    return make_compared
