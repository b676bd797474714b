"""Networks see sets of three bands in color and in gray: what one band cannot see, color does."""

import numpy as np
import pytest

from galsmith.compare.evidence.images import features_named
from galsmith.features.extractors import EXTRACTORS
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.measure import MeasureSettings
from galsmith.seeds import random_stream

pytest.importorskip("torch")

QUICK = {
    "replicates": 20,
    "splits": 20,
    "beyond": False,
    "measure_settings": MeasureSettings(quantities=("power",)),
    "features": ["mean-colors"],
}


class MeanColors:
    """An extractor that costs nothing: the mean of each channel, and of the middle of the picture."""

    id = "mean-colors/none"
    weights_sha256 = ""
    n_features = 6

    def extract(self, pictures):
        rows = [np.r_[one.mean(axis=(0, 1)), one[6:10, 6:10].mean(axis=(0, 1))] for one in pictures]
        return np.array(rows, dtype=np.float32).reshape(-1, 6)


@pytest.fixture
def mean_colors(monkeypatch):
    monkeypatch.setitem(EXTRACTORS, "mean-colors", lambda weights, *, device, download: MeanColors())


def blobs(case, bands, weights, count=60):
    rng = random_stream(case, "test.blobs")
    y, x = np.indices((16, 16)) - 7.5
    blob = 20 * np.exp(-(x**2 + y**2) / 8)
    light = blob * rng.uniform(0.5, 1.5, size=(count, 1, 1, 1)) * np.array(weights)[:, np.newaxis, np.newaxis]
    return image_set_from_arrays(
        list((light + rng.normal(size=(count, len(bands), 16, 16))).astype(np.float32)),
        ImageHeader(bands, "nJy"),
    )


@pytest.mark.usefixtures("mean_colors")
def test_three_bands_are_seen_in_color_and_in_gray_and_color_sees_exchanged_bands():
    bands = ("g", "r", "i")
    judgment = judge(blobs(1, bands, (1, 2, 3)), {"ours": blobs(2, bands, (3, 2, 1))}, **QUICK).judgment()
    ids = [one.extractor_id for one in judgment.features]
    assert ids == ["mean-colors/none/asinh-of-i-r-g", "mean-colors/none/magma-of-r"]
    assert [features_named(one) for one in ids] == ["mean-colors, in color", "mean-colors"]
    in_color, in_gray = judgment.features
    assert in_color.kernel.p_value < 0.01 < in_gray.kernel.p_value


@pytest.mark.usefixtures("mean_colors")
def test_one_band_is_seen_in_gray_alone():
    judgment = judge(blobs(1, ("r",), (1,)), {"ours": blobs(2, ("r",), (1,))}, **QUICK).judgment()
    assert [one.extractor_id for one in judgment.features] == ["mean-colors/none/magma-of-r"]
