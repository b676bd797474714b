"""Judging measured tables against one reference, property by property and all together: `judge_tables`."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.table import QTable

from galsmith.compare.card import Judgment, ReportCard
from galsmith.compare.classifiers.two_sample import in_rows
from galsmith.compare.cuts import Cuts
from galsmith.compare.evidence.families import evidence_of
from galsmith.compare.evidence.table import EVIDENCE, evidence_place, write_evidence
from galsmith.compare.files import ASKED, CARD, read_card, to_json, to_plain
from galsmith.compare.joint.statistics import beyond_marginals
from galsmith.compare.marginal.columns import count_flags, pair_columns, values_of
from galsmith.compare.marginal.distances import NamedReplicates, joint_distances, paired_differences
from galsmith.compare.memory.copies import Copies, groups_of
from galsmith.compare.normalization import Normalization
from galsmith.compare.papers import Choices, choices_of
from galsmith.compare.power.likeness import searches_of
from galsmith.compare.power.measured import AlteredImages, measured_doses
from galsmith.compare.records import (
    BeyondMarginals,
    Comparison,
    FeatureComparison,
    Memorization,
)
from galsmith.compare.resampling import Chance, GalaxyGroups
from galsmith.compare.sides import Side
from galsmith.compare.tables import (
    MeasuredSet,
    ReadyPair,
    Table,
    logger,
    losses_of_images,
    paths_of,
    ready_pairs,
)
from galsmith.compare.verdict import VisibleDose
from galsmith.data.store.layout import hash_of_catalog
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress, one_thread
from galsmith.files import Partial, check_output, write_json
from galsmith.provenance import Parent, Provenance, hash_json

MINIMUM_COMPLETE = 50  # Each of 5 folds of a classifier then has 10 galaxies of either set.


@dataclass(frozen=True)
class Extras:
    """What is known of one generated set besides its table.

    Attributes
    ----------
    features : tuple of FeatureComparison
        From `galsmith.compare.compare_features`.
    memorization : tuple of Memorization
        From `galsmith.compare.memorization`.
    copies : Copies or None
        From `galsmith.compare.find_copies`.
    missing : mapping of str to str
        What could not be had, and why.
    parents : tuple of Parent
        What else it was judged by: the ``"training images"``.
    """

    features: tuple[FeatureComparison, ...] = ()
    memorization: tuple[Memorization, ...] = ()
    copies: Copies | None = None
    missing: Mapping[str, str] | None = None
    parents: tuple[Parent, ...] = ()


class NamedSet(NamedTuple):
    """A generated set and what it is called, where a mapping would hide that two have one name."""

    name: str
    given: Any


@dataclass(frozen=True)
class LateExtras:
    """Extras that take long, gathered once it is clear that the card is not there already.

    Attributes
    ----------
    asked : object
        What decides them, as plain JSON values.
    gather : callable
        Gives them by the name of the generated set.
    images : AlteredImages or None
        Images of the reference into which known faults can be put.
    """

    asked: Any
    gather: Callable[[], Mapping[str, Extras]]
    images: AlteredImages | None = None


@dataclass(frozen=True)
class ComparedPair:
    """A comparison, with what later steps need of it.

    Attributes
    ----------
    comparison : Comparison
        Property by property.
    tables : tuple of QTable
        Reference and generated rows that the cuts left.
    replicates : NamedReplicates
        Of the distances that enter the means.
    groups : GalaxyGroups
        Which rows are of one galaxy.
    """

    comparison: Comparison
    tables: tuple[QTable, QTable]
    replicates: NamedReplicates
    groups: GalaxyGroups


def judge_tables(
    reference: Table,
    generated: Table | Sequence[Table] | Mapping[str, Table],
    output: str | Path | None = None,
    *,
    paper: str | None = None,
    binning: str | None = None,
    beyond: bool = True,
    power: bool = False,
    extras: Mapping[str, Extras] | LateExtras | None = None,
    normalization: Normalization | None = None,
    cuts: Cuts | str | None = None,
    seed: int = 0,
    replicates: int = 1000,
    splits: int = 200,
    permutations: int = 1000,
    confidence: float = 0.95,
    workers: int = 1,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ReportCard:
    """Judge one or several measured sets against one reference; `galsmith.judging.judge` takes images as well.

    Parameters
    ----------
    reference : path or QTable
        A table of `galsmith.measure.measure`, or its file.
    generated : path, QTable, or several of these
        By name, or named after their files.
    output : path, optional
        The card, as JSON, and beside it all evidence, as ``<stem>.evidence.csv``. A card that the same call made is read,
        and nothing is compared.
    paper : str, optional
        Follow a paper's choices and print its numbers beside; a name of `PAPERS`.
    binning : {"wavelength", "rings"}, optional
        Which power modes enter the means; both are compared. The paper's where not given.
    beyond : bool
        Also judge what all properties together tell: sliced distances, correlations, classifiers.
    power : bool
        Also put known faults into the reference, to find the smallest that would have been seen; faults of images need
        images, which `galsmith.judging.judge` has.
    extras : mapping of name to Extras, or LateExtras, optional
        Features and memorization of generated sets.
    normalization : str or mapping of group to str, optional
        ``"reference-zscore"`` divides by the reference set's standard deviation, ``"reference-iqr"`` by
        its interquartile range over 1.349, ``"none"`` leaves the unit; one for all or one a group. The paper's
        where not given, else ``"reference-zscore"``.
    cuts : mapping of column to (low, high), or str, optional
        Galaxies outside are left out on both sides; None for an open end. A name of `NAMED_CUTS` will do.
    seed : int
        Fixes bootstrap and floor.
    replicates, splits, permutations : int
        Draws of the bootstrap; splits of the reference for the floor; deals of the test that nothing differs.
    confidence : float
        Of the intervals.
    workers : int
        Processes that share large classifiers; no number depends on it.
    overwrite : bool
        Replace the output if it is there.
    progress : callable
        Told of bootstrap and floor.

    Returns
    -------
    ReportCard

    Raises
    ------
    SettingsError
        If an argument is out of range, the output exists, two generated sets have one name, or a name of
        `extras` is unknown.
    InputError
        If a table cannot be read, has fewer than 10 galaxies, or two are not alike in bands, scale, unit or
        settings of the measurement.
    """
    chance = Chance(seed, replicates, splits, confidence, permutations)
    choices = choices_of(
        paper, chance, binning=binning, beyond=beyond, power=power, normalization=normalization, cuts=cuts
    )
    tables = named_sets(generated, name_of=_name_of_table)
    inputs = paths_of(reference, *tables.values())
    if output is not None:
        check_card_output(Path(output), inputs=inputs, overwrite=overwrite)
    late = extras if isinstance(extras, LateExtras) else _known(extras or {}, tables)
    pairs = ready_pairs(reference, tables, choices)
    return card_of(
        pairs, choices, late, output, inputs=inputs, workers=workers, overwrite=overwrite, progress=progress
    )


def card_of(
    pairs: Mapping[str, ReadyPair],
    choices: Choices,
    extras: LateExtras,
    output: str | Path | None,
    *,
    inputs: Sequence[Path],
    workers: int,
    overwrite: bool,
    progress: ProgressCallback = ignore_progress,
) -> ReportCard:
    """Compare pairs that are ready and write the card, unless the same call wrote it before.

    Parameters
    ----------
    pairs : mapping of name to ReadyPair
        Of each generated set.
    choices : Choices
        As they were made ready by.
    extras : LateExtras
        Features and memorization of generated sets.
    output, workers, overwrite, progress
        As `judge_tables` takes them.
    inputs : sequence of Path
        What must not be harmed.
    """
    if output is None:
        return _judged(pairs, choices, extras, workers, progress)
    place = Path(output)
    asked = _asked(pairs, choices, extras)
    with Partial(place, CARD, asked, inputs=inputs, overwrite=overwrite, resumes=False) as making:
        if making.is_complete:
            card = read_card(place)
        else:
            judged = _judged(pairs, choices, extras, workers, progress)
            card = with_paths(judged, lambda path: _seen_from(place.parent, path))
            write_json(making.content, {**to_json(card), ASKED: asked})
            making.finish()
    if making.is_complete and EVIDENCE.fingerprint_of(evidence_place(place)) == asked and not overwrite:
        return card
    # After the card: whoever is killed in between finds the card made, and makes the rest.
    weighed = {item.name: evidence_of(item) for item in card.judgments}
    write_evidence(weighed, place, asked, inputs=inputs, overwrite=overwrite)
    return card


def check_card_output(output: Path, *, inputs: Sequence[str | Path | None], overwrite: bool) -> None:
    """Refuse a card, or the table of evidence beside it, that may not be made; raises as `check_output`."""
    check_output(output, CARD, inputs=inputs, overwrite=overwrite)
    check_output(evidence_place(output), EVIDENCE, inputs=inputs, overwrite=overwrite)


def _asked(pairs: Mapping[str, ReadyPair], choices: Choices, extras: LateExtras) -> str:
    """Hash all that a card depends on."""
    tables = {name: pair.sides[1].table for name, pair in pairs.items()}
    tables["reference"] = next(iter(pairs.values())).sides[0].table
    how: dict[str, Any] = {
        "conditions": {name: pair.conditions for name, pair in pairs.items()},
        "normalization": choices.normalization,
        "cuts": choices.cuts,
        "binning": choices.binning,
        "groups": choices.paper.groups,
    }
    # rows alone do not tell how many images were lost before
    compared = {name: [hash_of_catalog(table), table.meta.get("given")] for name, table in tables.items()}
    chance = asdict(choices.chance)
    return hash_json(
        [
            compared,
            choices.paper.name or None,
            to_plain(how),
            chance,
            choices.beyond,
            choices.power,
            extras.asked,
        ]
    )


def _known(extras: Mapping[str, Extras], tables: Mapping[str, Table]) -> LateExtras:
    """Take extras that are gathered; those of a set that is not judged are refused."""
    unknown = sorted(set(extras) - set(tables))
    if unknown:
        raise SettingsError(
            "there is no such generated set",
            argument="extras",
            came=unknown,
            wanted=f"names of sets that are judged: {', '.join(tables)}",
        )
    return LateExtras(to_plain(extras), lambda: extras)


def _judged(
    pairs: Mapping[str, ReadyPair],
    choices: Choices,
    late: LateExtras,
    workers: int,
    progress: ProgressCallback,
) -> ReportCard:
    """Put all that is found out about pairs on a card."""
    paper, chance, extras = choices.paper, choices.chance, late.gather()
    doses = _visible_doses(pairs, choices, late.images, extras, progress)
    compared = {
        name: _compared(pair, choices, groups_of(extras.get(name, Extras()).copies, pair.tables), progress)
        for name, pair in pairs.items()
    }
    judgments = tuple(
        _judgment(
            name, pair, extras.get(name, Extras()), doses[name], choices, workers=workers, progress=progress
        )
        for name, pair in compared.items()
    )
    first = judgments[0].comparison
    settings = {
        **first.settings,
        "beyond": choices.beyond,
        "power": choices.power,
        "paper": paper.name,
    }
    # The reference is the first parent of every comparison, and named once.
    parents = first.provenance.parents[:1] + tuple(
        item.comparison.provenance.parents[1] for item in judgments
    )
    parents += tuple(dict.fromkeys(parent for item in extras.values() for parent in item.parents))
    return ReportCard(
        judgments=judgments,
        # The draws of the reference are the same for all sets, so that their differences scatter less.
        paired=paired_differences(
            {name: pair.replicates for name, pair in compared.items()}, confidence=chance.confidence
        ),
        paper=paper.name,
        published=paper.published,
        settings=settings,
        provenance=Provenance("compare", settings, chance.seed, parents),
    )


def named_sets(generated: Any, *, name_of: Callable[[Any, int], str]) -> dict[str, Any]:
    """Give each generated set a name: its own in a mapping or a `NamedSet`, else what `name_of` makes of it.

    Raises
    ------
    SettingsError
        If there is none, or two have one name.
    """
    if isinstance(generated, Mapping):
        named = [(str(name), given) for name, given in generated.items()]
    else:
        several = generated if isinstance(generated, list | tuple) else [generated]
        named = [
            (given.name, given.given) if isinstance(given, NamedSet) else (name_of(given, number), given)
            for number, given in enumerate(several, start=1)
        ]
    if not named:
        raise SettingsError(
            "there is no generated set to judge",
            argument="generated",
            wanted="one or more tables or sets of images",
        )
    names = [name for name, _ in named]
    for name in dict.fromkeys(names):
        if name == "reference" or names.count(name) > 1:
            other = "the reference set has" if name == "reference" else f"{names.count(name)} of them have"
            raise SettingsError(
                f"{other} this name",
                argument="generated",
                came=name,
                wanted="a name of its own for each set",
                way_out="give it one: ours=PATH in a command, {'ours': ...} in Python",
            )
    return dict(named)


def _name_of_table(table: Table, number: int) -> str:
    """Name a generated set after its file."""
    return f"generated-{number}" if isinstance(table, QTable) else Path(table).stem


def _judgment(
    name: str,
    pair: ComparedPair,
    extras: Extras,
    doses: tuple[VisibleDose, ...],
    choices: Choices,
    *,
    workers: int,
    progress: ProgressCallback,
) -> Judgment:
    """Judge one generated set."""
    missing = dict(extras.missing or {})
    found: BeyondMarginals | None = None
    if choices.beyond:
        try:
            found = _beyond(pair, choices.chance, workers, progress)
        except InputError as error:
            missing["beyond"] = str(error)
            logger.warning("%s: %s", name, error)
    return Judgment.of(
        name,
        pair.comparison,
        beyond=found,
        features=extras.features,
        memorization=extras.memorization,
        copies=extras.copies,
        missing=missing,
        doses=doses,
    )


def _visible_doses(
    pairs: Mapping[str, ReadyPair],
    choices: Choices,
    images: AlteredImages | None,
    extras: Mapping[str, Extras],
    progress: ProgressCallback,
) -> dict[str, tuple[VisibleDose, ...]]:
    """Measure what would have been seen of each generated set, once for those of one size."""
    if not choices.power:
        return dict.fromkeys(pairs, ())
    # Power is the reference's and the sizes': what was generated has no part in it.
    by_size: dict[Any, tuple[VisibleDose, ...]] = {}
    found = {}
    for name, pair in pairs.items():
        copies = extras.get(name, Extras()).copies
        searches = () if copies is None else tuple(searches_of(copies).values())
        kind = len(pair.tables[1]), pair.columns, searches
        if kind not in by_size:
            by_size[kind] = measured_doses(pair, choices, images, copies, progress=progress)
        found[name] = by_size[kind]
    return found


def _beyond(pair: ComparedPair, chance: Chance, workers: int, progress: ProgressCallback) -> BeyondMarginals:
    """Judge all properties together, on the galaxies of which all of them were measured."""
    columns = tuple(dict.fromkeys(item.column for item in pair.comparison.counted))
    if not columns:
        raise InputError("no property could be compared, so that there is nothing to judge together")
    values = [np.stack([values_of(table, name) for name in columns], axis=1) for table in pair.tables]
    # A galaxy with a gap is no point in the space of all properties; it counts in those that it has.
    rows = [np.flatnonzero(np.isfinite(side).all(axis=1)) for side in values]
    for role, kept, side in zip(("reference", "generated"), rows, values, strict=True):
        if len(kept) < MINIMUM_COMPLETE:
            raise InputError(
                f"only {len(kept)} of {len(side)} {pair.comparison.images_name} of the {role} set have all of the "
                f"{len(columns)} properties; "
                f"wanted {MINIMUM_COMPLETE} or more to judge them together"
            )
    found = beyond_marginals(
        values[0][rows[0]],
        values[1][rows[1]],
        columns,
        pair.groups.of_rows(*rows),
        seed=chance.seed,
        confidence=chance.confidence,
        workers=workers,
        progress=progress,
    )
    return replace(found, classifiers=tuple(in_rows(test, rows[0], rows[1]) for test in found.classifiers))


@one_thread()
def _compared(
    pair: ReadyPair, choices: Choices, repeated: GalaxyGroups, progress: ProgressCallback
) -> ComparedPair:
    """Compare a reference and a generated set, property by property."""
    chance, groups = choices.chance, choices.paper.groups
    joint = joint_distances(
        pair_columns(
            *pair.tables, list(pair.columns), pair.normalization, binning=choices.binning, groups=groups
        ),
        pair.tables,
        repeated,
        chance=chance,
        progress=progress,
    )
    settings = {
        "normalization": pair.normalization,
        "binning": choices.binning,
        "groups": dict(groups),
        "replicates": chance.replicates,
        "splits": chance.splits,
        "permutations": chance.permutations,
        "confidence": chance.confidence,
        **({"reference_part": choices.reference_part} if choices.reference_part else {}),
        **(
            {"observed": {name: list(lines) for name, lines in choices.observed.items()}}
            if choices.observed
            else {}
        ),
        "cuts": {cut.column: [_ended(cut.low), _ended(cut.high)] for cut in choices.cuts},
    }
    parents = tuple(side.as_parent() for side in pair.sides)
    comparison = Comparison(
        distances=joint.distances,
        means=joint.means,
        reference=_side(pair.sides[0], pair.tables[0], pair.columns),
        generated=_side(pair.sides[1], pair.tables[1], pair.columns),
        left_out=pair.left_out,
        cuts=pair.cuts,
        settings={**settings, "floor_n": joint.floor_n},
        seed=chance.seed,
        provenance=Provenance("compare", settings, chance.seed, parents),
        conditions=pair.conditions,
    )
    counted = comparison.counted
    named = NamedReplicates(
        tuple(item.name for item in counted), tuple(item.group for item in counted), joint.replicates
    )
    return ComparedPair(comparison, pair.tables, named, repeated)


def _side(side: MeasuredSet, table: QTable, columns: Sequence[str]) -> Side:
    """Record where a side came from."""
    return Side(
        path=side.path,
        content_hash=side.as_parent().content_hash,
        n_measured=len(side.table),
        n_compared=len(table),
        images_path=side.images.path,
        images_hash=side.images.content_hash,
        bands=tuple(str(band) for band in side.meta.get("bands", ())),
        pixel_scale_arcsec=side.meta.get("pixel_scale_arcsec"),
        flux_unit=str(side.meta.get("flux_unit", "")),
        flags=count_flags(table),
        provenance=side.provenance.to_dict(),
        losses=losses_of_images(side.table, columns),
    )


def with_paths(card: ReportCard, change: Callable[[str], str]) -> ReportCard:
    """Change every path that a card names."""

    def made_by(provenance: Provenance) -> Provenance:
        parents = tuple(replace(parent, path=change(parent.path)) for parent in provenance.parents)
        return replace(provenance, parents=parents)

    def side(given: Side) -> Side:
        return replace(given, path=change(given.path), images_path=change(given.images_path))

    def compared(given: Comparison) -> Comparison:
        return replace(
            given,
            reference=side(given.reference),
            generated=side(given.generated),
            provenance=made_by(given.provenance),
        )

    judgments = tuple(replace(item, comparison=compared(item.comparison)) for item in card.judgments)
    return replace(card, judgments=judgments, provenance=made_by(card.provenance))


def _seen_from(folder: Path, path: str) -> str:
    """Write a path as seen from `folder`, so that the whole may be moved; what is not there stays as it is."""
    return os.path.relpath(path, folder) if path and Path(path).exists() else path


def _ended(value: float) -> float | None:
    """Write an open end as None."""
    return value if np.isfinite(value) else None
