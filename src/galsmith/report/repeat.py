"""How to repeat a comparison: the chain of what made what, as commands, settings, seeds, hashes and versions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from galsmith.compare import ReportCard
from galsmith.compare.verdict import network_of
from galsmith.data.store import is_store, read_description
from galsmith.errors import InputError
from galsmith.files import read_json
from galsmith.provenance import Parent, Provenance
from galsmith.report.material import TRAINING_ROLE, CardMaterial, find

DEEPEST = 8
SNAPSHOT_FILES = ("snapshot/snapshot.json", "snapshot.json")
GIVEN_APART = ("training images", "held-out images")
FLAGS = {"n": "-n", "limit": "--limit"}
BROUGHT_BY = {"pictures": "ingest folder", "fits": "ingest fits", "array": "ingest arrays"}
BROUGHT_WITH = ["--split 1/0/0", "--on-bad skip"]
USUAL_NORMALIZATION = "reference-zscore"


@dataclass(frozen=True)
class Step:
    """One command of the chain.

    Attributes
    ----------
    made : str
        What it made, in words.
    command : str
        What to type; settings that differ from the recipe are listed beside it.
    provenance : Provenance
        Verb, settings, seed, versions.
    content_hash : str
        Of what it made, where known.
    settings : list of tuple
        Dotted name and value.
    """

    made: str
    command: str
    provenance: Provenance
    content_hash: str
    settings: list[tuple[str, str]]


def steps_of(material: CardMaterial, card_path: Path) -> list[Step]:
    """Follow the chain upward from the card; first commands first, each artifact once."""
    first = material.sets[0]
    folder = first.folder
    found: list[Step] = []
    for side in (first.reference, *(item.generated for item in material.sets)):
        provenance = Provenance.from_dict({"verb": "measure", **side.side.provenance})
        parent = Parent(f"{side.role} images", side.side.images_hash, side.side.images_path)
        found += reversed(_ancestors(parent, folder, depth=0))
        made = f"measurements of the {side.role} set {side.name}".strip()
        found.append(_step(made, side.side.path, provenance, side.side.content_hash, folder))
    compared = _step("comparison", card_path.name, material.card.provenance, "", folder)
    found.append(replace(compared, command=_compare_command(material, card_path)))
    return list({step.content_hash or step.made: step for step in reversed(found)}.values())[::-1]


def flattened(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List nested settings as dotted names with their values."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += flattened(value, f"{name}.")
        else:
            rows.append((name, "–" if value is None or value == {} else str(value)))
    return rows


def _ancestors(parent: Parent, folder: Path, *, depth: int) -> list[Step]:
    """Collect the steps that made an artifact, as far as its files are still there."""
    place = find(parent.path, folder)
    provenance = None if place is None else _provenance_at(place, parent.content_hash)
    if provenance is None or depth >= DEEPEST:
        return []
    step = _step(parent.role, parent.path, provenance, parent.content_hash, folder)
    return [
        step,
        *(item for above in provenance.parents for item in _ancestors(above, folder, depth=depth + 1)),
    ]


def _provenance_at(place: Path, content_hash: str) -> Provenance | None:
    """Read what made the store or snapshot at a path; None where it is neither, or another by now."""
    try:
        if place.is_dir() and is_store(place):
            page = read_description(place)
            return Provenance.from_dict(page["provenance"]) if page["content_hash"] == content_hash else None
        for name in SNAPSHOT_FILES:
            if (place / name).is_file():
                return Provenance.from_dict(read_json(place / name)["card"]["provenance"])
    except (InputError, KeyError, TypeError, OSError):
        return None
    return None


def _step(made: str, path: str, provenance: Provenance, content_hash: str, folder: Path) -> Step:
    """Write one step."""
    return Step(
        made=made,
        command=_command(provenance, path, folder),
        provenance=provenance,
        content_hash=content_hash,
        settings=flattened(provenance.settings),
    )


def _command(provenance: Provenance, path: str, folder: Path) -> str:
    """Write the command line of a step, with the paths as they were recorded."""
    if provenance.verb == "arrays in memory":
        return "made in Python from arrays in memory"
    brought_by = (
        BROUGHT_BY.get(str(provenance.settings.get("kind"))) if provenance.verb == "compare" else None
    )
    words = ["galsmith", brought_by or provenance.verb]
    if provenance.verb == "train":
        words += ["RECIPE", *(f"--data {_shown(parent.path, folder)}" for parent in provenance.parents)]
    else:
        words += [
            _shown(parent.path, folder) for parent in provenance.parents if parent.role not in GIVEN_APART
        ]
    words += [
        f"{flag} {provenance.settings[key]}"
        for key, flag in FLAGS.items()
        if isinstance(provenance.settings.get(key), str | int)
    ]
    words += BROUGHT_WITH if brought_by else []
    if provenance.seed is not None and provenance.verb != "train":
        words.append(f"--seed {provenance.seed}")
    return " ".join([*words, "-o", _shown(path, folder)])


def _compare_command(material: CardMaterial, card_path: Path) -> str:
    """Write the command line of the comparison, with all that it was told to judge."""
    card, folder = material.card, material.sets[0].folder
    words = ["galsmith compare", _shown(material.sets[0].reference.side.path, folder)]
    for item in material.sets:
        path = _shown(item.generated.side.path, folder)
        words.append(path if item.name == Path(path).stem else f"{item.name}={path}")
    words += _judging_flags(card)
    trained = {parent.path: None for parent in card.provenance.parents if parent.role == TRAINING_ROLE}
    words += [f"--training {_shown(path, folder)}" for path in trained]
    return " ".join([*words, f"--seed {card.provenance.seed}", "-o", card_path.name])


def _judging_flags(card: ReportCard) -> list[str]:
    """Name what was judged and how, where it is not the usual."""
    flags = [f"--paper {card.paper}"] if card.paper else []
    normalizations = set(dict(card.settings.get("normalization", {})).values())
    if not card.paper and len(normalizations) == 1 and normalizations != {USUAL_NORMALIZATION}:
        flags.append(f"--normalization {normalizations.pop()}")
    if card.settings.get("beyond") is False:
        flags.append("--no-beyond")
    networks = dict.fromkeys(network_of(one.extractor_id) for item in card.judgments for one in item.features)
    return flags + [f"--features {name}" for name in networks]


def _shown(path: str, folder: Path) -> str:
    """Show a path as seen from the comparison where it lies below it, else by its last two names."""
    if not path:
        return "…"
    place = find(path, folder)
    if place is not None and place.resolve().is_relative_to(folder):
        return str(place.resolve().relative_to(folder))
    return str(Path(*Path(path).parts[-2:])) if Path(path).is_absolute() else path
