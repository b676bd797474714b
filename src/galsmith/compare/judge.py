"""Judging generated sets against one reference in all that galsmith knows: `judge` makes the report card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.card import Judgment, ReportCard
from galsmith.compare.cuts import Cuts, resolve_cuts
from galsmith.compare.files import write_card
from galsmith.compare.joint.statistics import beyond_marginals
from galsmith.compare.marginal.columns import values_of
from galsmith.compare.marginal.paired import paired_differences
from galsmith.compare.normalization import Normalization
from galsmith.compare.pair import ComparedPair, compare_pair, relative_provenance, with_relative_paths
from galsmith.compare.papers import Recipe, recipe_named
from galsmith.compare.records import BeyondMarginals, ClassifierTest, FeatureComparison, Memorization
from galsmith.compare.resampling import Chance
from galsmith.compare.tables import Measuring, Source, logger, read_side
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import refuse_existing
from galsmith.measure import MeasureSettings
from galsmith.provenance import Parent, Provenance

MINIMUM_COMPLETE = 50


@dataclass(frozen=True)
class Extras:
    """What is known of one generated set besides its table.

    Attributes
    ----------
    features : tuple of FeatureComparison
        From `galsmith.compare.compare_features`.
    memorization : tuple of Memorization
        From `galsmith.compare.memorization`.
    missing : mapping of str to str
        What could not be had, and why.
    parents : tuple of Parent
        What else it was judged by: the ``"training images"``.
    """

    features: tuple[FeatureComparison, ...] = ()
    memorization: tuple[Memorization, ...] = ()
    missing: Mapping[str, str] | None = None
    parents: tuple[Parent, ...] = ()


def judge(
    reference: Source,
    generated: Source | Sequence[Source] | Mapping[str, Source],
    output: str | Path | None = None,
    *,
    recipe: str | None = None,
    beyond: bool = True,
    extras: Mapping[str, Extras] | None = None,
    normalization: Normalization | None = None,
    cuts: Cuts | str | None = None,
    seed: int = 0,
    replicates: int = 1000,
    splits: int = 200,
    permutations: int = 1000,
    confidence: float = 0.95,
    workers: int = 1,
    limit: int | None = None,
    measure_settings: MeasureSettings | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ReportCard:
    """Judge one or several generated sets against one reference.

    Parameters
    ----------
    reference : path or QTable
        As `galsmith.compare.compare` takes it.
    generated : path, QTable, or several of these
        By name, or named after their files.
    output : path, optional
        The card, as JSON.
    recipe : str, optional
        Follow a paper's choices and print its numbers beside; a name of `RECIPES`.
    beyond : bool
        Also judge what all properties together tell: sliced distances, correlations, classifiers.
    extras : mapping of name to Extras, optional
        Features and memorization of generated sets.
    normalization, cuts, seed, replicates, splits, permutations, confidence, workers, limit, measure_settings
        As for `galsmith.compare.compare`; the recipe's where not given.
    overwrite : bool
        Replace the output, and the tables of stores, if they are there.
    progress : callable
        Told of each step.

    Returns
    -------
    ReportCard

    Raises
    ------
    SettingsError, InputError
        As `galsmith.compare.compare`; and if two generated sets have one name, or a name of `extras` is unknown.
    """
    followed = recipe_named(recipe)
    chance = Chance(seed, replicates, splits, confidence, permutations)
    place = None if output is None else Path(output)
    if place is not None:
        refuse_existing(place, overwrite=overwrite)
    sources = named_sources(generated)
    _check_names(sources, extras)
    measuring = Measuring(
        folder=None if place is None else place.with_name(f"{place.stem}.measurements"),
        workers=workers,
        limit=limit,
        settings=_measure_settings(measure_settings, followed),
        overwrite=overwrite,
        progress=progress,
    )
    reference_side = read_side(reference, "reference", measuring)
    chosen_cuts = resolve_cuts(followed.cuts if cuts is None else cuts)
    pairs = {
        name: compare_pair(
            (reference_side, read_side(source, "generated", measuring, name=name)),
            normalization=followed.normalization if normalization is None else normalization,
            cuts=chosen_cuts,
            chance=chance,
            binning=followed.binning,
            groups=followed.groups,
            progress=progress,
        )
        for name, source in sources.items()
    }
    card = _card(pairs, followed, chance, beyond=beyond, extras=dict(extras or {}), progress=progress)
    if place is not None:
        card = _with_relative_paths(card, place.parent)
        write_card(card, place)
    return card


def named_sources(generated: Source | Sequence[Source] | Mapping[str, Source]) -> dict[str, Source]:
    """Give each generated set a name: its own, that of its file, or its number.

    Raises
    ------
    SettingsError
        If there is none, or two have one name.
    """
    if isinstance(generated, Mapping):
        named = [(str(name), source) for name, source in generated.items()]
    elif isinstance(generated, QTable | str | Path):
        named = [(_name_of(generated, 1), generated)]
    else:
        named = [(_name_of(source, number), source) for number, source in enumerate(generated, start=1)]
    if not named:
        raise SettingsError("generated: no set to judge; give one or more tables or stores")
    names = [name for name, _ in named]
    if "reference" in names:
        raise SettingsError("generated: a set is named reference, as the other side is; give it another name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(
            f"generated: {len(names)} sets, but more than one is named {', '.join(twice)}; "
            "give them names: NAME=PATH on the command line, a mapping in Python"
        )
    return dict(named)


def _name_of(source: Source, number: int) -> str:
    """Name a generated set after its file."""
    return f"generated-{number}" if isinstance(source, QTable) else Path(source).stem


def _check_names(sources: Mapping[str, Source], extras: Mapping[str, Extras] | None) -> None:
    """Refuse extras of a set that is not judged."""
    unknown = sorted(set(extras or ()) - set(sources))
    if unknown:
        raise SettingsError(
            f"extras: no generated set {', '.join(unknown)}; the sets are {', '.join(sources)}"
        )


def _measure_settings(given: MeasureSettings | None, recipe: Recipe) -> MeasureSettings:
    """Take the caller's settings of the measurement, else the recipe's."""
    return MeasureSettings(**recipe.measure) if given is None else given


def _card(
    pairs: Mapping[str, ComparedPair],
    recipe: Recipe,
    chance: Chance,
    *,
    beyond: bool,
    extras: Mapping[str, Extras],
    progress: ProgressCallback,
) -> ReportCard:
    """Put all together."""
    judgments = tuple(
        _judgment(name, pair, extras.get(name, Extras()), chance, beyond=beyond, progress=progress)
        for name, pair in pairs.items()
    )
    first = judgments[0].comparison
    settings = {**first.settings, "beyond": beyond, "recipe": recipe.name}
    parents = first.provenance.parents[:1] + tuple(
        item.comparison.provenance.parents[1] for item in judgments
    )
    parents += tuple(dict.fromkeys(parent for item in extras.values() for parent in item.parents))
    return ReportCard(
        judgments=judgments,
        paired=paired_differences(
            {name: pair.replicates for name, pair in pairs.items()}, confidence=chance.confidence
        ),
        recipe=recipe.name,
        published=recipe.published,
        settings=settings,
        provenance=Provenance("compare", settings, chance.seed, parents),
    )


def _judgment(
    name: str,
    pair: ComparedPair,
    extras: Extras,
    chance: Chance,
    *,
    beyond: bool,
    progress: ProgressCallback,
) -> Judgment:
    """Judge one generated set."""
    missing = dict(extras.missing or {})
    found: BeyondMarginals | None = None
    if beyond:
        try:
            found = _beyond(pair, chance, progress)
        except InputError as error:
            missing["beyond"] = str(error)
            logger.warning("%s: %s", name, error)
    return Judgment(name, pair.comparison, found, extras.features, extras.memorization, missing)


def _beyond(pair: ComparedPair, chance: Chance, progress: ProgressCallback) -> BeyondMarginals:
    """Judge all properties together, on the galaxies of which all of them were measured."""
    columns = tuple(dict.fromkeys(item.column for item in pair.comparison.counted))
    values = [np.stack([values_of(table, name) for name in columns], axis=1) for table in pair.tables]
    rows = [np.flatnonzero(np.isfinite(side).all(axis=1)) for side in values]
    for role, kept, side in zip(("reference", "generated"), rows, values, strict=True):
        if len(kept) < MINIMUM_COMPLETE:
            raise InputError(
                f"only {len(kept)} of {len(side)} galaxies of the {role} set have all of the {len(columns)} properties; "
                f"wanted {MINIMUM_COMPLETE} or more to judge them together"
            )
    found = beyond_marginals(
        values[0][rows[0]],
        values[1][rows[1]],
        columns,
        seed=chance.seed,
        confidence=chance.confidence,
        progress=progress,
    )
    return replace(
        found, classifiers=tuple(_in_table_rows(test, rows[0], rows[1]) for test in found.classifiers)
    )


def _in_table_rows(
    test: ClassifierTest, reference: NDArray[np.int64], generated: NDArray[np.int64]
) -> ClassifierTest:
    """Name the rows that are told most surely by their place in the compared tables."""
    return replace(
        test,
        told_reference=tuple(int(reference[row]) for row in test.told_reference),
        told_generated=tuple(int(generated[row]) for row in test.told_generated),
    )


def _with_relative_paths(card: ReportCard, folder: Path) -> ReportCard:
    """Write paths as seen from the card's folder."""
    judgments = tuple(
        replace(item, comparison=with_relative_paths(item.comparison, folder)) for item in card.judgments
    )
    return replace(card, judgments=judgments, provenance=relative_provenance(card.provenance, folder))
