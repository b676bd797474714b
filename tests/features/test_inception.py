"""The standard Inception: its names, its features under seeded weights, frozen, and what its own first weights do."""

import numpy as np
import pytest

from galsmith.features.extractors import build_extractor, inception_extractor
from galsmith.features.inception import Inception
from galsmith.features.network import resize_as_tensorflow_1
from galsmith.features.weights import INCEPTION_WEIGHTS
from galsmith.seeds import random_stream

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def pictures():
    return list(random_stream(5, "test.pictures").integers(0, 256, size=(3, 64, 64, 3)).astype(np.uint8))


def extracted(network, pictures):
    return inception_extractor(network, weights_sha256="0" * 64, device="cpu").extract(pictures)


def test_the_state_dict_has_the_names_of_the_public_port():
    state = Inception().state_dict()
    assert len(state) == 566
    assert state["Mixed_6b.branch7x7dbl_2.conv.weight"].shape == (128, 128, 7, 1)
    assert state["Mixed_7c.branch3x3dbl_3b.bn.running_var"].shape == (384,)
    assert state["fc.weight"].shape == (1008, 2048)
    # The published file holds these numbers and, for each entry, some 150 bytes of names.
    n_bytes = sum(values.numel() * values.element_size() for values in state.values())
    assert 100 * 566 < INCEPTION_WEIGHTS.size - n_bytes < 200 * 566


def test_seeded_features_are_those_of_the_ports(pictures, seeded):
    # Origin: a network written apart from this one, with these weights; that one gave the same features as
    # pytorch-fid 0.3.0 and torch-fidelity 0.4.0 under weights of its own. Largest difference there 0, here 2e-6.
    features = extracted(seeded(Inception()), pictures)
    assert features.shape == (3, 2048)
    assert features.dtype == np.float32
    expected = [
        [1.5252206, 0.0946919, 2.0418808, 0.2422160, 0.3423022],
        [1.4494853, 0.0928744, 2.0099583, 0.2430083, 0.3911010],
        [1.4920645, 0.0968805, 2.0260215, 0.2280409, 0.3515317],
    ]
    assert features[:, [0, 321, 1000, 1500, 2047]] == pytest.approx(np.array(expected), abs=1e-4)
    assert features.mean(axis=1) == pytest.approx([0.6293326, 0.6231265, 0.6304268], abs=1e-5)


def test_folding_changes_nothing(pictures, seeded):
    plain = seeded(Inception()).eval()
    with torch.inference_mode():
        numbers = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        expected = plain((resize_as_tensorflow_1(numbers, 299) - 128) / 128).numpy()
    assert extracted(plain, pictures) == pytest.approx(expected, abs=1e-5)


def test_default_weights_collapse(pictures, seeded):
    spread = np.ptp(extracted(seeded(Inception()), pictures), axis=0).mean()
    collapsed = np.ptp(extracted(Inception(), pictures), axis=0).mean()
    assert spread > 0.01
    assert collapsed < 1e-6


def test_published_weights_are_read_from_a_file(tmp_path, monkeypatch, pictures, seeded):
    network = seeded(Inception())
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(
        "galsmith.features.extractors.find_weights", lambda *_, **__: tmp_path / "weights.pth"
    )
    extractor = build_extractor("inception-2015-12-05")
    assert extractor.id == "inception-2015-12-05/6726825d0af5f729/pool3-2048/tf1-bilinear-299"
    assert np.array_equal(extractor.extract(pictures[:1]), extracted(network, pictures[:1]))
