"""What made an artifact, from what: verb, settings, seed, parents by content hash, software versions."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

RECORDED_PACKAGES = (
    "galsmith",
    "numpy",
    "scipy",
    "astropy",
    "h5py",
    "numba",
    "torch",
    "statmorph",
    "photutils",
)


def software_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that can change a number."""
    versions = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class Parent:
    """One artifact that another was made from.

    Attributes
    ----------
    role : str
        What it was used as, such as ``"training set"``.
    content_hash : str
        The hash that its own provenance states.
    path : str
        Where it was when used: a hint for the reader, not part of any hash.
    """

    role: str
    content_hash: str
    path: str = ""


@dataclass(frozen=True)
class Provenance:
    """How an artifact came to be; everything but `versions` and paths decides its content.

    Attributes
    ----------
    verb : str
        The command that made it, such as ``"simulate sersic"``.
    settings : mapping
        All settings of that command, as plain JSON values.
    seed : int or None
        The user's seed, where chance was involved.
    parents : tuple of Parent
        What it was made from.
    versions : mapping
        Package name to version, and ``python``.
    """

    verb: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    parents: tuple[Parent, ...] = ()
    versions: Mapping[str, str] = field(default_factory=software_versions)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "parents": [asdict(parent) for parent in self.parents]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Provenance":
        """Read what `to_dict` wrote."""
        parents = tuple(Parent(**parent) for parent in value.get("parents", ()))
        return cls(
            verb=value["verb"],
            settings=value.get("settings", {}),
            seed=value.get("seed"),
            parents=parents,
            versions=value.get("versions", {}),
        )

    def fingerprint(self) -> str:
        """Hash of what decides the content: verb, settings, seed and the parents' hashes."""
        parents = [(parent.role, parent.content_hash) for parent in self.parents]
        return hash_json([self.verb, dict(self.settings), self.seed, parents])


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces), 64 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
