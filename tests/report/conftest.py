"""Two small stores with measurements and a comparison, as the verbs leave them on disk."""

import math
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from galsmith.compare import judge_tables
from galsmith.compare.memory.copies import Copies, CopySearch, LikePair
from galsmith.compare.memory.repeats import Repeats, Twins
from galsmith.compare.records import (
    BeyondMarginals,
    ClassifierTest,
    ClosestPair,
    CorrelationPair,
    Estimate,
    FeatureComparison,
    Giveaway,
    Memorization,
    Statistic,
    Support,
)
from galsmith.data.store import write_store
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure
from galsmith.measure.table_formats import write_table
from galsmith.provenance import Parent, Provenance
from galsmith.seeds import random_stream

EXTRACTOR = "efficientnet-lite0/579344248a93e230/pool-1280/magma-of-F814W"


VOID = {"meta", "link", "img", "br", "hr", "input", "path", "circle"}


class Page(HTMLParser):
    """Collects what a test asks of a page, and checks that tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.loads, self.scripts, self.ids, self.text = [], [], [], 0, [], []
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in VOID:
            self._open.append(tag)
        self.images += [given] if tag == "img" else []
        self.links += [given] if tag == "a" else []
        self.scripts += tag == "script"
        self.ids += [given["id"]] if "id" in given else []
        loads = {"src", "data", "poster", "srcset", "xlink:href"} | ({"href"} if tag != "a" else set())
        self.loads += [value for key, value in given.items() if key in loads]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


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
            images, ImageHeader(bands, flux_unit, 0.03), catalog=catalog, provenance=provenance
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
    judge_tables(*tables, output, replicates=30, splits=30, cuts={"asymmetry": (-5, 5)}, beyond=False)
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


def statistic(name, value, *, floor=0.1, sigma=0.02, p_value=math.nan):
    interval = (value - 0.03, value + 0.03)
    estimate = Estimate(value, value, 0.015, interval, floor, sigma)
    return Statistic(name, f"What {name} is.", estimate, p_value, 40, 38)


def classifier(auc=0.873, *, p_value=0.001, on="properties", head="trees"):
    return ClassifierTest(
        head,
        on,
        statistic("area under the curve", auc, floor=0.5, p_value=p_value),
        statistic("balanced accuracy", 0.8, floor=0.5, p_value=p_value),
        (Giveaway("asymmetry", 0.214, 0.02), Giveaway("gini * asymmetry", 0.057, 0.01)),
        (5, 9),
        (7, 11),
    )


def beyond(*, sliced=0.517, p_value=0.001, auc=0.873):
    return BeyondMarginals(
        statistics={
            "sliced": statistic("sliced W1", sliced, p_value=p_value),
            "energy": statistic("energy distance", 0.128, p_value=0.4),
            "correlation": statistic("correlation difference", 0.0937, p_value=0.4),
        },
        correlation_pairs=(CorrelationPair("asymmetry", "gini", 0.61, -0.12, -0.73, 0.001, 0.004),),
        classifiers=(classifier(auc, p_value=p_value),),
        columns=("asymmetry", "r_half_pix", "gini"),
        n_reference=37,
        n_generated=37,
    )


def features(*, frechet=0.743, label="FD[efficientnet-lite0]"):
    return FeatureComparison(
        EXTRACTOR,
        label,
        statistic(label, frechet, p_value=0.002),
        statistic("KD[efficientnet-lite0]", 0.0213, floor=0.0, p_value=0.01),
        (0.0219, 0.0031),
        Support(
            statistic("precision", 0.812, floor=0.95),
            statistic("recall", 0.723, floor=0.95),
            statistic("density", 0.934, floor=1.0),
            statistic("coverage", 0.645, floor=0.95),
            dict.fromkeys(("precision", "recall", "density", "coverage"), math.nan),
        ),
        (classifier(0.661, on=EXTRACTOR),),
    )


def memorization(*, share=0.311, p_value=0.001, distance=0.25):
    return Memorization(
        space="pixels",
        authenticity=statistic("AuthPct", 0.417, floor=0.6, p_value=p_value),
        c_t=statistic("C_T", -5.21, floor=0.0, sigma=1.0, p_value=p_value),
        share_closer=statistic("share closer", share, floor=0.01, p_value=p_value),
        quantiles=(0.0, 0.5, 1.0),
        distances_generated=(0.1, 0.9, 2.0),
        distances_held_out=(0.8, 1.2, 2.1),
        pairs=(ClosestPair(3, 6, distance, 4, 0.0), ClosestPair(8, 2, 0.5, 1, 0.01)),
        n_training=40,
        n_held_out=40,
        n_generated=40,
    )


def copies(*, unexplained=0.0123):
    pair = LikePair(4, 7, unexplained, 0.05, -22.5, 1.1457, is_mirrored=True, yardstick_quantile=0.0)
    half = LikePair(5, 1, 0.0004, 0.001, -180.0, 1.0, is_mirrored=False, yardstick_quantile=0.0)
    share = statistic("share closer", 0.1, floor=0.01, p_value=0.2)
    searches = tuple(
        CopySearch(name, share, share, (0.0, 1.0), (0.1, 1.0), (0.2, 1.0), (pair, half), 40, 40, 40)
        for name in ("training images", "reference")
    )
    repeats = Repeats(40, 39, share, share, 38.0, (2,), 40, ((2, 9),))
    twins = tuple(Twins(search.searched, 0, share, ()) for search in searches)
    return Copies(searches, twins, repeats)


@pytest.fixture(scope="session")
def records():
    """Makers of hand-made records of what goes beyond single properties."""
    return SimpleNamespace(
        extractor=EXTRACTOR,
        statistic=statistic,
        classifier=classifier,
        beyond=beyond,
        features=features,
        memorization=memorization,
        copies=copies,
    )


@pytest.fixture(scope="session")
def parsed():
    """Parser of a page; refuses tags that do not close in order."""
    return Page


@pytest.fixture
def without_figures(monkeypatch):
    """Leave out the slow part where a test reads the page alone."""
    monkeypatch.setattr("galsmith.report.write.write_figures", lambda folder, sets, together: None)
