"""How to repeat a comparison: the chain of what made what, as calls, settings, seeds, hashes and versions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from galsmith.compare import ReportCard
from galsmith.compare.evidence.images import network_of
from galsmith.data.store import is_store, read_description
from galsmith.errors import InputError
from galsmith.files import read_json
from galsmith.provenance import Parent, Provenance
from galsmith.report.calls import IN_PYTHON, Call, Spelling
from galsmith.report.material import TRAINING_ROLE, CardMaterial, find

DEEPEST = 8
SNAPSHOT_FILES = ("snapshot/snapshot.json", "snapshot.json")
GIVEN_APART = ("training images", "held-out images")
STATED = ("n", "limit")
BROUGHT_BY = {"pictures": "ingest folder", "fits": "ingest fits", "array": "ingest arrays"}
BROUGHT_WITH = {"options": {"split": (1.0, 0.0, 0.0), "on_bad": "skip"}}
USUAL_NORMALIZATION = "reference-zscore"
IN_MEMORY = "arrays in memory"


@dataclass(frozen=True)
class Step:
    """One call of the chain.

    Attributes
    ----------
    made : str
        What it made, in words.
    command : str
        The call as its reader types it; settings that differ from the recipe are listed beside it.
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


def steps_of(material: CardMaterial, card_path: Path, spelling: Spelling = IN_PYTHON) -> list[Step]:
    """Follow the chain upward from the card; first calls first, each artifact once."""
    first = material.sets[0]
    chain = _Chain(first.folder, spelling)
    found: list[Step] = []
    for side in (first.reference, *(item.generated for item in material.sets)):
        provenance = Provenance.from_dict({"verb": "measure", **side.side.provenance})
        parent = Parent(f"{side.role} images", side.side.images_hash, side.side.images_path)
        found += reversed(chain.ancestors(parent))
        made = f"measurements of the {side.role} set {side.name}".strip()
        found.append(chain.step(Parent(made, side.side.content_hash, side.side.path), provenance))
    card = Parent("comparison", "", card_path.name)
    compared = spelling.call(_compare_call(material, card_path))
    found.append(replace(chain.step(card, material.card.provenance), command=compared))
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


@dataclass(frozen=True)
class _Chain:
    """What made what, as seen from the folder of a card."""

    folder: Path
    spelling: Spelling

    def ancestors(self, parent: Parent, depth: int = 0) -> list[Step]:
        """Collect the steps that made an artifact, as far as its files are still there."""
        place = find(parent.path, self.folder)
        provenance = None if place is None else _provenance_at(place, parent.content_hash)
        if provenance is None or depth >= DEEPEST:
            return []
        above = (self.ancestors(item, depth + 1) for item in provenance.parents)
        return [self.step(parent, provenance), *(step for steps in above for step in steps)]

    def step(self, made: Parent, provenance: Provenance) -> Step:
        """Write one step."""
        command = (
            f"made in Python from {IN_MEMORY}"
            if provenance.verb == IN_MEMORY
            else self.spelling.call(_call(provenance, made.path, self.folder))
        )
        return Step(made.role, command, provenance, made.content_hash, flattened(provenance.settings))


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


def _call(provenance: Provenance, path: str, folder: Path) -> Call:
    """Name the call of a step, with the paths as they were recorded."""
    settings, verb = provenance.settings, provenance.verb
    brought_by = BROUGHT_BY.get(str(settings.get("kind"))) if verb == "compare" else None
    arguments = {key: settings[key] for key in STATED if isinstance(settings.get(key), str | int)}
    arguments |= BROUGHT_WITH if brought_by else {}
    if verb == "train":
        data = [_shown(parent.path, folder) for parent in provenance.parents]
        return Call(verb, ("RECIPE",), {"data": data, **arguments}, _shown(path, folder))
    # A remade snapshot names the parents of its run as well; what its run was seeded with cannot be told it.
    is_remade = verb == "snapshot"
    parents = provenance.parents[:1] if is_remade else provenance.parents
    given = [_shown(parent.path, folder) for parent in parents if parent.role not in GIVEN_APART]
    if provenance.seed is not None and not is_remade:
        arguments["seed"] = provenance.seed
    return Call(brought_by or verb, tuple(given), arguments, _shown(path, folder))


def _compare_call(material: CardMaterial, card_path: Path) -> Call:
    """Name the call of the comparison, with all that it was told to judge."""
    card, folder = material.card, material.sets[0].folder
    reference = _shown(material.sets[0].reference.side.path, folder)
    sets = {item.name: _shown(item.generated.side.path, folder) for item in material.sets}
    arguments = _told_to_judge(card)
    for parent in card.provenance.parents:
        if parent.role == TRAINING_ROLE:
            arguments["training"] = _shown(parent.path, folder)
    arguments["seed"] = card.provenance.seed
    return Call("compare", (reference, sets), arguments, card_path.name)


def _told_to_judge(card: ReportCard) -> dict[str, Any]:
    """Name what was judged and how, where it is not the usual."""
    told: dict[str, Any] = {"paper": card.paper} if card.paper else {}
    normalizations = set(dict(card.settings.get("normalization", {})).values())
    if not card.paper and len(normalizations) == 1 and normalizations != {USUAL_NORMALIZATION}:
        told["normalization"] = normalizations.pop()
    if card.settings.get("beyond") is False:
        told["beyond"] = False
    if card.settings.get("power"):
        told["power"] = True
    networks = dict.fromkeys(network_of(one.extractor_id) for item in card.judgments for one in item.features)
    return {**told, "features": list(networks)} if networks else told


def _shown(path: str, folder: Path) -> str:
    """Show a path as seen from the comparison where it lies below it, else by its last two names."""
    if not path:
        return "…"
    place = find(path, folder)
    if place is not None and place.resolve().is_relative_to(folder):
        return str(place.resolve().relative_to(folder))
    return str(Path(*Path(path).parts[-2:])) if Path(path).is_absolute() else path
