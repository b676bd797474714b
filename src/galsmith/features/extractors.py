"""The networks that features can come from, by name, and how each one looks at pictures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError
from galsmith.features.weights import (
    EFFICIENTNET_LITE0_SHA256,
    INCEPTION_WEIGHTS,
    efficientnet_lite0_weights,
    find_weights,
    load_state,
)
from galsmith.settings import near_miss

if TYPE_CHECKING:
    from torch import nn

Picture = NDArray[np.uint8]
Features = NDArray[np.float32]
DEFAULT_EXTRACTOR = "efficientnet-lite0"
HASH_DIGITS = 16


class FeatureExtractor(Protocol):
    """What makes features of pictures."""

    @property
    def id(self) -> str:
        """Network, hash of its weights, layer and resizing; features of different ids cannot be compared."""

    @property
    def weights_sha256(self) -> str:
        """Of the whole file of weights."""

    @property
    def n_features(self) -> int:
        """Numbers a picture."""

    def extract(self, pictures: Sequence[Picture]) -> Features:
        """Features of pictures [y, x, 3] uint8 of any sizes, [picture, feature] float32."""


def inception(weights: str | Path | None = None, *, device: str, download: bool) -> FeatureExtractor:
    """Build the standard Inception, whose distances alone are called FID and KID."""
    from galsmith.features.inception import Inception

    path = find_weights(INCEPTION_WEIGHTS, path=weights, download=download)
    network = Inception()
    network.load_state_dict(load_state(path))
    return inception_extractor(network, weights_sha256=INCEPTION_WEIGHTS.sha256, device=device)


def inception_extractor(network: "nn.Module", *, weights_sha256: str, device: str) -> FeatureExtractor:
    """Look at pictures through an Inception as the standard FID does, whatever its weights are.

    Parameters
    ----------
    network : nn.Module
        A `galsmith.features.inception.Inception`; it is changed, since its normalizations are folded.
    weights_sha256 : str
        Of its weights; goes into the id, so that only the published weights give the standard id.
    device : str
        As torch names it.
    """
    from galsmith.features.inception import FOLDED_PAIRS, N_FEATURES, SIZE_PIX
    from galsmith.features.network import NetworkExtractor, placed_network, resize_as_tensorflow_1

    return NetworkExtractor(
        network=placed_network(network, FOLDED_PAIRS, device),
        id=f"inception-2015-12-05/{weights_sha256[:HASH_DIGITS]}/pool3-{N_FEATURES}/tf1-bilinear-{SIZE_PIX}",
        weights_sha256=weights_sha256,
        n_features=N_FEATURES,
        resize=partial(resize_as_tensorflow_1, size_pix=SIZE_PIX),
        center=128.0,
        device=device,
    )


def efficientnet_lite0(weights: str | Path | None = None, *, device: str, download: bool) -> FeatureExtractor:
    """Build EfficientNet-Lite0 with ImageNet weights, which come with a package and need no network."""
    from galsmith.features.efficientnet_lite0 import FOLDED_PAIRS, N_FEATURES, SIZE_PIX, EfficientNetLite0
    from galsmith.features.network import NetworkExtractor, placed_network, resize_antialiased

    del download
    if weights is not None:
        raise SettingsError(
            "those of efficientnet-lite0 come with its package",
            argument="weights",
            came=weights,
            way_out="leave it out",
        )
    network = EfficientNetLite0()
    network.load_state_dict(load_state(efficientnet_lite0_weights()))
    digits = EFFICIENTNET_LITE0_SHA256[:HASH_DIGITS]
    return NetworkExtractor(
        network=placed_network(network, FOLDED_PAIRS, device),
        id=f"efficientnet-lite0/{digits}/pool-{N_FEATURES}/antialiased-bilinear-{SIZE_PIX}",
        weights_sha256=EFFICIENTNET_LITE0_SHA256,
        n_features=N_FEATURES,
        resize=partial(resize_antialiased, size_pix=SIZE_PIX),
        center=127.0,
        device=device,
    )


EXTRACTORS: Mapping[str, Callable[..., FeatureExtractor]] = {
    "efficientnet-lite0": efficientnet_lite0,
    "inception-2015-12-05": inception,
}
WEIGHTS: Mapping[str, Callable[[], Path]] = {
    "efficientnet-lite0": efficientnet_lite0_weights,
    "inception-2015-12-05": partial(find_weights, INCEPTION_WEIGHTS),
}
"""Where the weights of each of these lie, found without building it."""


def require_extractor(name: str) -> None:
    """Refuse a network that cannot be built here, before anything long is done; nothing is loaded.

    Raises
    ------
    SettingsError
        If there is no such network; the near miss is named.
    InputError
        If torch or the weights are missing, or the weights are other ones; it says where they are had.
    """
    if name not in EXTRACTORS:
        raise SettingsError(
            f"there is no such network{near_miss(name, list(EXTRACTORS))}",
            argument="features",
            came=name,
            wanted=f"one of {', '.join(EXTRACTORS)} (inception gives FID and KID)",
        )
    if find_spec("torch") is None:
        raise InputError(
            "it needs torch, which is not installed",
            argument="features",
            came=name,
            way_out="pip install 'galsmith[features]'",
        )
    if name in WEIGHTS:
        WEIGHTS[name]()


def build_extractor(
    name: str, *, weights: str | Path | None = None, device: str = "cpu", download: bool = False
) -> FeatureExtractor:
    """Build an extractor by its name in `EXTRACTORS`.

    Parameters
    ----------
    name : str
        Which network.
    weights : str or Path, optional
        File of its weights, for networks whose weights do not come with a package.
    device : str
        As torch names it.
    download : bool
        Fetch the weights where they are not on this machine.

    Raises
    ------
    SettingsError
        If there is no such extractor or device.
    InputError
        If torch or the weights are missing, or the weights are other ones.
    """
    if name not in EXTRACTORS:
        raise SettingsError(argument="extractor", came=name, wanted=f"one of {', '.join(EXTRACTORS)}")
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "it needs torch, which is not installed",
            argument="extractor",
            came=name,
            way_out="pip install 'galsmith[features]'",
        ) from error
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SettingsError(
            f"it cannot be used here ({reason})", argument="device", came=device, way_out="take 'cpu'"
        ) from error
    return EXTRACTORS[name](weights, device=device, download=download)
