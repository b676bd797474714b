"""`FeatureSet`: the features of one image set by one extractor, and its file."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.files import Kind, settle, written_atomically
from galsmith.files.hdf5 import own_dataset, refuse_claim
from galsmith.files.seal import BLANK, KEY, refuse_changed, seal
from galsmith.provenance import Provenance, hash_json

FORMAT_NAME = "galsmith features"
FORMAT_VERSION = 1
ATTRIBUTES = (
    "format",
    "format_version",
    "extractor_id",
    "source_hash",
    "source_path",
    "content_hash",
    "provenance",
)

Features = NDArray[np.float32]


def fingerprint_of(extractor_id: str, source_hash: str) -> str:
    """Hash of all that decides features."""
    return hash_json([extractor_id, source_hash])


def _made_from(path: Path) -> str | None:
    """Fingerprint of what decided the features of a file."""
    with h5py.File(path, "r") as file:
        said = file.attrs
        if said.get("format") != FORMAT_NAME:
            return None
        return fingerprint_of(str(said["extractor_id"]), str(said["source_hash"]))


FEATURES = Kind("file of features", _made_from)


@dataclass(frozen=True)
class FeatureSet:
    """Features of one image set.

    Attributes
    ----------
    values : ndarray [galaxy, feature], float32
        A row of NaN where an image has pixels that are not finite.
    extractor_id : str
        Network, hash of its weights, layer, resizing and rendering; only equal ids can be compared.
    object_ids : tuple of str
        Of the images, in order.
    source_hash : str
        Content hash of the image set.
    source_path : str
        Where the images lay, a hint.
    provenance : Provenance
        What made the features.
    """

    values: Features
    extractor_id: str
    object_ids: tuple[str, ...]
    source_hash: str
    source_path: str = ""
    provenance: Provenance = field(default_factory=lambda: Provenance("extract features"))

    def __post_init__(self) -> None:
        """Refuse values that are no table with one row an object."""
        if self.values.ndim != 2 or len(self.values) != len(self.object_ids):
            raise ValueError(
                f"values have shape {self.values.shape} for {len(self.object_ids)} object ids; wanted one row each"
            )

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self.values)

    @property
    def n_lost(self) -> int:
        """Images without features."""
        return int((~np.isfinite(self.values).all(axis=1)).sum())

    @property
    def content_hash(self) -> str:
        """Of values, ids and extractor."""
        values = np.ascontiguousarray(self.values, dtype="<f4")
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        return hash_json([FORMAT_VERSION, self.extractor_id, list(self.object_ids), values.shape, digest])


def write_features(features: FeatureSet, path: str | Path) -> None:
    """Write features as one HDF5 file, atomically.

    Parameters
    ----------
    features : FeatureSet
        What is written.
    path : str or Path
        The file; an old one is replaced.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    attributes = {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "extractor_id": features.extractor_id,
        "source_hash": features.source_hash,
        "source_path": features.source_path,
        "content_hash": features.content_hash,
        "provenance": json.dumps(features.provenance.to_dict(), sort_keys=True),
    }
    with written_atomically(Path(path)) as temporary:
        with h5py.File(temporary, "w") as file:
            file.create_dataset("features", data=features.values.astype("<f4", copy=False))
            file.create_dataset("object_id", data=list(features.object_ids), dtype=h5py.string_dtype("utf-8"))
            file.attrs.update({**attributes, KEY: BLANK})
        seal(temporary)


def read_features(path: str | Path) -> FeatureSet:
    """Read what `write_features` wrote.

    Raises
    ------
    InputError
        If the file is missing, no file of features, of an unknown version, or damaged.
    """
    file = Path(path)
    settle(file)
    if not file.is_file():
        raise InputError(f"{file}: there is no such file")
    try:
        with h5py.File(file, "r") as opened:
            attributes = {name: opened.attrs[name] for name in ATTRIBUTES if name in opened.attrs}
            _check_format(file, attributes)
            refuse_changed(file, way_out="extract them again")
            features = _from_file(opened, attributes)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: cannot be read as features ({error}); extract them again") from error
    if features.content_hash != attributes["content_hash"]:
        raise InputError(f"{file}: its content is not what its hash says; it is damaged, extract them again")
    return features


def _check_format(file: Path, attributes: dict[str, Any]) -> None:
    """Refuse other files and other versions."""
    if attributes.get("format") != FORMAT_NAME:
        raise InputError(
            f"{file}: holds no features of galsmith; wanted what galsmith.features.extract wrote"
        )
    version = attributes.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{file}: has feature format version {version}, this galsmith reads version {FORMAT_VERSION}; "
            "extract them again"
        )


def _from_file(opened: h5py.File, attributes: dict[str, Any]) -> FeatureSet:
    """Build the record from an open file."""
    return FeatureSet(
        values=_whole(opened, "features").astype(np.float32, copy=False),
        extractor_id=str(attributes["extractor_id"]),
        object_ids=tuple(str(name, "utf-8") for name in _whole(opened, "object_id").tolist()),
        source_hash=str(attributes["source_hash"]),
        source_path=str(attributes["source_path"]),
        provenance=Provenance.from_dict(json.loads(attributes["provenance"])),
    )


def _whole(opened: h5py.File, name: str) -> NDArray[Any]:
    """Read all of a dataset."""
    values = own_dataset(opened, name)
    refuse_claim(opened, name, values.nbytes)
    return np.asarray(values)
