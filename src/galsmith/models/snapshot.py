"""Snapshots: what whoever samples needs (weights, config, transform, card), as safetensors and JSON, never pickle.

The weights file carries everything in its header and is replaced in one step, so it is the only truth;
``snapshot.json`` beside it is the same page for people and other programs.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from galsmith.data.transforms import PixelTransform
from galsmith.errors import InputError, SettingsError
from galsmith.files import Kind, at_hand, place_of, said_in_json, settle, write_json, written_atomically
from galsmith.files.seal import BLANK, KEY, refuse_changed, seal
from galsmith.models.allocation import bounded_allocation
from galsmith.models.families import listed_families, model_settings
from galsmith.models.family import Family
from galsmith.models.pretrained import is_pretrained, models_text, pretrained_folder
from galsmith.models.protocols import DataDescription
from galsmith.models.snapshot_page import FORMAT_NAME, FORMAT_VERSION, PAGE_FILE, check_snapshot_page
from galsmith.provenance import Provenance
from galsmith.settings import Settings

WEIGHTS_FILE = "snapshot.safetensors"
TRAINED_SCALARS = "trained_scalars"  # a tensor of no network: names of theirs have a dot, or are a buffer's
Scalars = NDArray[np.float32]


SNAPSHOT = Kind(
    "snapshot",
    said_in_json(FORMAT_NAME, lambda page: Provenance.from_dict(page["card"]["provenance"]).fingerprint()),
    PAGE_FILE,
    (PAGE_FILE, WEIGHTS_FILE),
)


@dataclass(frozen=True)
class Snapshot:
    """A generator that is ready to draw, and what is known of it.

    Attributes
    ----------
    generator : torch.nn.Module
        With ``.sample(seeds, conditions=None)``; in evaluation mode, on the device asked for.
    family : Family
        The family.
    config : Settings
        Of that family.
    description : DataDescription
        Of the training set.
    transform : PixelTransform
        Network space <-> physical pixels.
    card : dict
        Plain JSON: provenance, bands, pixel scale, unit, images seen, and what else the writer knew.
    trained_scalars : ndarray [galaxy, scalar], float32, or None
        Standardized scalars of some training galaxies: which values were learned together.
    """

    generator: torch.nn.Module
    family: Family
    config: Settings
    description: DataDescription
    transform: PixelTransform
    card: dict[str, Any]
    trained_scalars: Scalars | None = None


def save_snapshot(
    folder: Path,
    generator: torch.nn.Module,
    *,
    config: Settings,
    description: DataDescription,
    transform: PixelTransform,
    card: Mapping[str, Any],
    trained_scalars: Scalars | None = None,
    half: bool = False,
) -> None:
    """Write a snapshot; a killed writer leaves the old one or the new one.

    Parameters
    ----------
    folder : Path
        Gets ``snapshot.safetensors`` and ``snapshot.json``; made when missing.
    generator : torch.nn.Module
        Its ``state_dict()`` is stored; moved to the CPU for that.
    config : Settings
        A family's config, with its ``family`` field.
    card : mapping
        Plain JSON values.
    trained_scalars : ndarray [galaxy, scalar], float32, optional
        Standardized scalars of some training galaxies.
    half : bool
        Store the learned matrices and kernels in float16, all else as it is; they are used in float32.

    Raises
    ------
    SettingsError
        If a weight is too large for float16.
    OutputError
        If the disk is full or the folder cannot be written.
    """
    # matrices and kernels are nearly all of a file
    halved = {name for name, value in generator.named_parameters() if value.ndim > 1} if half else set()
    tensors = {
        name: _stored(value.half() if name in halved else value, name)
        for name, value in generator.state_dict().items()
    }
    if trained_scalars is not None:
        tensors[TRAINED_SCALARS] = torch.from_numpy(trained_scalars.copy())
    page = {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "model": config.model_dump(mode="json"),
        "description": description.to_dict(),
        "transform": transform.to_dict(),
        "card": dict(card),
        "tensors_sha256": hash_of_tensors(tensors),
    }
    # page and weights in one file: never of two times
    with written_atomically(folder / WEIGHTS_FILE) as temporary:
        save_sealed(tensors, temporary, page)
    write_json(folder / PAGE_FILE, page)


def save_sealed(tensors: Mapping[str, torch.Tensor], path: Path, page: Mapping[str, Any]) -> None:
    """Write tensors as safetensors, with a page of plain JSON values and a seal in the header."""
    # in the page, as the order of several entries of a header is another at each writing
    save_file(dict(tensors), path, metadata={"galsmith": json.dumps({**page, KEY: BLANK}, allow_nan=False)})
    seal(path)


def find_snapshot(place: str | Path) -> Path:
    """Find the snapshot in a run folder, in a snapshot's own folder, or by the name of one that comes with the package.

    Raises
    ------
    InputError
        If there is none.
    """
    if is_pretrained(place):
        return pretrained_folder(str(place))
    path = place_of(place)
    settle(path)
    for folder in (path / "snapshot", path):
        if (folder / WEIGHTS_FILE).is_file():
            return folder
    reason = "there is no snapshot in it yet" if path.is_dir() else "there is no such folder"
    raise InputError(f"{path}: {reason}; give the run folder that galsmith train wrote, {models_text(place)}")


def read_snapshot_page(folder: Path) -> dict[str, Any]:
    """Read what a snapshot says of itself without its weights.

    Returns
    -------
    dict
        Keys ``format_version``, ``model``, ``description``, ``transform``, ``card``, ``tensors_sha256``.

    Raises
    ------
    InputError
        If it is missing, damaged, or of another format version.
    """
    return _read(folder, with_tensors=False)[0]


def load_snapshot(folder: Path, *, device: torch.device | str = "cpu") -> Snapshot:
    """Read a snapshot and build its generator.

    Raises
    ------
    InputError
        If it is missing or damaged (the weights' hash is checked), of another format version, or its family or
        settings are unknown to this version.
    """
    page, tensors = _read(folder, with_tensors=True)
    path = folder / WEIGHTS_FILE
    if hash_of_tensors(tensors) != page["tensors_sha256"]:
        raise InputError(
            f"{path}: damaged, its weights do not match their hash; train again or copy it again"
        )
    _refuse_unknown_family(path, page)
    scalars = tensors.pop(TRAINED_SCALARS, None)
    try:
        family, config = model_settings(page["model"], source=str(path))
        description = DataDescription.from_dict(page["description"])
        transform = PixelTransform.from_dict(page["transform"])
        with bounded_allocation(path):
            generator = family.build_generator(config, description, tensors)
        generator.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path}: cannot be used by this galsmith ({reason}); use the galsmith that made it, or train again"
        ) from error
    generator.to(device).eval()
    trained = None if scalars is None else scalars.numpy()
    return Snapshot(generator, family, config, description, transform, page["card"], trained)


def _refuse_unknown_family(path: Path, page: Mapping[str, Any]) -> None:
    """Say of a snapshot whose family is not here where it came from."""
    name = page["model"].get("family")
    if name not in listed_families():
        giver = page["card"].get("family_given_by")
        way = (
            "use the galsmith that made it"
            if giver is None
            else f"it came with {giver}: install that, or import it where it calls register_family"
        )
        raise InputError(f"{path}: is of the family {name!r}, which is not installed here; {way}")


def _read(folder: Path, *, with_tensors: bool) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the header's page, and the tensors when wanted."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise InputError(f"{path}: there is no snapshot; train one with galsmith train, or give another run")
    way_out = "train again or copy it again"
    with opened_tensors(
        path, "snapshot", written_as=(FORMAT_NAME, FORMAT_VERSION), way_out=way_out
    ) as opened:
        stream, page = opened
        check_snapshot_page(page, path)
        tensors = {name: stream.get_tensor(name) for name in stream.keys()} if with_tensors else {}  # noqa: SIM118 - not a dict
    return page, tensors


@contextmanager
def opened_tensors(
    path: Path, kind: str, *, written_as: tuple[str, int], way_out: str
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Open a safetensors file of galsmith, with the page in its header.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What it has to be, such as ``"snapshot"``.
    written_as : tuple of str, int
        Its format and the format's version.
    way_out : str
        What to do with one that cannot be read.

    Raises
    ------
    InputError
        If it cannot be read, also in the block, or is of another kind or version.
    """
    try:
        with at_hand(path) as local, safe_open(local, framework="pt") as stream:
            page: dict[str, Any] = json.loads((stream.metadata() or {}).get("galsmith", "{}"))
            if not isinstance(page, dict) or page.get("format") != written_as[0]:
                raise InputError(f"{path}: not a galsmith {kind}; wanted one that galsmith train wrote")
            if page.get("format_version") != written_as[1]:
                raise InputError(
                    f"{path}: has {kind} format version {page.get('format_version')}, this galsmith reads version "
                    f"{written_as[1]}; use the galsmith that made it, or train again"
                )
            # after format and version: a later one may seal its files otherwise
            refuse_changed(local, way_out=way_out)
            page.pop(KEY, None)
            yield stream, page
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable {kind} ({error}); {way_out}") from error


def _stored(value: torch.Tensor, name: str) -> torch.Tensor:
    """Copy a tensor to the CPU, and refuse one that half precision made infinite."""
    stored = value.detach().to("cpu").contiguous().clone()
    if stored.dtype == torch.float16 and not torch.isfinite(stored).all():
        raise SettingsError(f"{name} does not fit into float16 (largest number 65,504); keep full precision")
    return stored


def hash_of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)}:".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
