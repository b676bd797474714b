"""The law of predicted scores of generated fields against the source's: mean, deviation, and W1 with floor and interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.compare import Chance, Estimate
from galsmith.compare.estimates import distance_statistic
from galsmith.compare.marginal.per_property import BOOTSTRAP, PERMUTATION, floor_distances, redrawn_distances
from galsmith.compare.marginal.wasserstein import pool_values, wasserstein_distance
from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Kind, Partial, check_output, read_json, said_in_json, write_json
from galsmith.files.pages import Page, checked_page
from galsmith.images import ImageSet
from galsmith.provenance import Parent, Provenance
from galsmith.score.fields import HIGHEST_SCORE, LOWEST_SCORE, REAL_FIELDS_AT_LEAST
from galsmith.score.method import Floats
from galsmith.score.scorer import Scorer, load_scorer

FORMAT_NAME, FORMAT_VERSION = "galsmith judged scores", 1
JUDGED = Kind(
    "judged scores",
    said_in_json(FORMAT_NAME, lambda page: Provenance.from_dict(page["provenance"]).fingerprint()),
)
BIN_WIDTH = 0.25
W1_DEFINITION = "Integral of |F1 - F2| over the score (Ramdas et al. 2017)."


@dataclass(frozen=True)
class ScoreLaw:
    """Predicted scores of one set.

    Attributes
    ----------
    name, path, content_hash : str
        Of the store.
    n : int
        Fields.
    mean, deviation, lowest, median, highest : float
        Of the predicted scores.
    counts : tuple of int
        Fields in bins of 0.25 from 0 to 8.
    """

    name: str
    path: str
    content_hash: str
    n: int
    mean: float
    deviation: float
    lowest: float
    median: float
    highest: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class JudgedSet:
    """One generated set.

    Attributes
    ----------
    law : ScoreLaw
        Of its predicted scores.
    distance : Estimate
        W1 to the source's, in units of the score.
    p_value : float
        Of the test that nothing differs, by dealing all fields anew.
    """

    law: ScoreLaw
    distance: Estimate
    p_value: float


@dataclass(frozen=True)
class JudgedScores:
    """All that `judge` found out.

    Attributes
    ----------
    method : str
        Of the scorer.
    side_pix : int
        Of the fields.
    source : ScoreLaw
        Of the source.
    n_seen : int
        Fields of the source that the scorer was fitted on, and of which no held-out prediction is there: their predicted
        scores are nearer to the actual ones than those of any other field.
    sets : tuple of JudgedSet
        In the order given.
    differences : tuple of mapping
        ``first``, ``second``, ``difference`` of W1 and its ``interval``, against the same draws of the source.
    provenance : Provenance
        Of it.
    """

    method: str
    side_pix: int
    source: ScoreLaw
    n_seen: int
    sets: tuple[JudgedSet, ...]
    differences: tuple[Mapping[str, Any], ...]
    provenance: Provenance

    def to_page(self) -> dict[str, Any]:
        """Return plain JSON values."""
        sets = [
            {"law": vars(one.law), "distance": _plain(one.distance), "p_value": one.p_value}
            for one in self.sets
        ]
        return {
            "format": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "method": self.method,
            "side_pix": self.side_pix,
            "source": vars(self.source),
            "n_seen": self.n_seen,
            "sets": sets,
            "differences": [dict(one) for one in self.differences],
            "provenance": self.provenance.to_dict(),
        }


class SetPage(Page):
    """One judged set."""

    law: ScoreLaw
    distance: Estimate
    p_value: float


class JudgedPage(Page):
    """What `judge` writes."""

    format: str
    format_version: int
    method: str
    side_pix: int
    source: ScoreLaw
    n_seen: int | None
    sets: tuple[SetPage, ...]
    differences: tuple[dict[str, Any], ...]
    provenance: Provenance


def read_judged(file: str | Path) -> JudgedScores:
    """Read what `judge` wrote.

    Raises
    ------
    InputError
        If it is something else.
    """
    page = read_json(Path(file))
    if page.get("format") != FORMAT_NAME or page.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{file}: not what galsmith score judge wrote")
    checked_page(JudgedPage, page, Path(file), way_out="judge again with galsmith score judge")
    sets = [
        JudgedSet(
            _read_law(one["law"]),
            Estimate(**{**one["distance"], "interval": tuple(one["distance"]["interval"])}),
            one["p_value"],
        )
        for one in page["sets"]
    ]
    return JudgedScores(
        page["method"],
        page["side_pix"],
        _read_law(page["source"]),
        page["n_seen"],
        tuple(sets),
        tuple(page["differences"]),
        Provenance.from_dict(page["provenance"]),
    )


def _read_law(values: Mapping[str, Any]) -> ScoreLaw:
    """Read a law."""
    return ScoreLaw(**{**values, "counts": tuple(values["counts"])})


def judge(
    scorer: str | Path,
    source: str | Path,
    generated: Sequence[tuple[str, str | Path]],
    output: str | Path,
    *,
    least_score: float | None = None,
    chance: Chance | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> JudgedScores:
    """Compare the law of predicted scores of generated fields with the source's.

    Means alone say nothing: a set of good fields only beats the source's mean and is far from its law.

    Parameters
    ----------
    scorer : path
        What `galsmith.score.fit` wrote.
    source : path
        Store of the source. Held-out predictions of the scorer are taken where it was fitted on this store.
    generated : sequence of (name, path)
        Stores of generated fields.
    output : path
        JSON file.
    least_score : float, optional
        Keep the fields of the source whose actual score is this or more, as a generator's training set was filtered
        (1.0 in the paper); all where it is left out.
    chance : Chance, optional
        Replicates, splits, permutations, confidence and seed.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Raises
    ------
    SettingsError
        If there is no generated set, or two have one name.
    InputError
        If fields are of another size than the scorer's, images show a galaxy each, or a set has fewer than 10 fields.
    """
    drawing = Chance() if chance is None else chance
    _refuse_names(generated)
    inputs = [scorer, source, *(path for _, path in generated)]
    check_output(output, JUDGED, inputs=inputs, overwrite=overwrite)
    fitted, real = load_scorer(scorer), open_store(source)
    sets = {name: open_store(path) for name, path in generated}
    for images in (real, *sets.values()):
        _refuse_few(images)
    provenance = _provenance(scorer, fitted, real, sets, {"least_score": least_score, **vars(drawing)})
    with Partial(
        output, JUDGED, provenance.fingerprint(), inputs=inputs, overwrite=overwrite, resumes=False
    ) as partial:
        if partial.is_complete:
            return read_judged(output)
        rows = _rows_of_source(real, least_score)
        scores, n_seen = _scores_of_source(fitted, real.select(rows), real.content_hash, progress)
        found, replicates = [], {}
        for number, (name, images) in enumerate(sets.items()):
            progress(ProgressEvent("judging sets", number, len(sets), "sets"))
            predicted = fitted.predict(images, progress=progress)
            distance, p_value, replicates[name] = _distance(scores, predicted, drawing)
            found.append(JudgedSet(_law(name, images, predicted), distance, p_value))
        judged = JudgedScores(
            fitted.method.name,
            fitted.side_pix,
            _law("source", real, scores),
            n_seen,
            tuple(found),
            _differences(found, replicates, drawing.confidence),
            provenance,
        )
        write_json(partial.content, judged.to_page())
        partial.finish()
    return judged


def _refuse_names(generated: Sequence[tuple[str, str | Path]]) -> None:
    """Refuse no set, and a name that comes twice."""
    names = [name for name, _ in generated]
    if not names:
        raise SettingsError("there is no generated set", argument="generated", wanted="one or more stores")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(
            f"two sets are called {twice[0]}", argument="generated", way_out="give them names, as name=path"
        )


def _refuse_few(images: ImageSet) -> None:
    """Refuse a set whose law of scores nothing can be said of."""
    if len(images) < REAL_FIELDS_AT_LEAST:
        raise InputError(
            f"{images.path}: has {len(images)} fields; wanted {REAL_FIELDS_AT_LEAST} or more to speak of their scores' law"
        )


def _provenance(
    place: str | Path, scorer: Scorer, source: ImageSet, sets: Mapping[str, ImageSet], said: Mapping[str, Any]
) -> Provenance:
    """Name all that decides the result."""
    parents = [Parent("scorer", scorer.provenance.fingerprint(), str(place)), source.as_parent("source")]
    parents += [images.as_parent(f"generated: {name}") for name, images in sets.items()]
    settings = {key: value for key, value in said.items() if key != "seed"}
    return Provenance("score judge", settings, said["seed"], tuple(parents))


def _rows_of_source(source: ImageSet, least_score: float | None) -> NDArray[np.int64]:
    """Choose the fields of the source by their actual scores."""
    if least_score is None:
        return np.arange(len(source))
    if "score" not in source.catalog.colnames:
        raise InputError(f"{source.path}: its catalog has no column 'score'; leave `least_score` out")
    rows = np.flatnonzero(np.asarray(source.catalog["score"], dtype=np.float64) >= least_score)
    if len(rows) < REAL_FIELDS_AT_LEAST:
        raise InputError(
            f"{source.path}: {len(rows)} fields have a score of {least_score:g} or more; wanted {REAL_FIELDS_AT_LEAST} "
            "or more, or a lower `least_score`"
        )
    return rows


def _scores_of_source(
    scorer: Scorer, source: ImageSet, content_hash: str, progress: ProgressCallback
) -> tuple[Floats, int]:
    """Predict the source, by models that have not seen a field where there are such predictions; and count the others."""
    scores = scorer.predict(source, progress=progress)
    if content_hash not in {parent.content_hash for parent in scorer.provenance.parents}:
        return scores, 0
    held = dict(zip(scorer.held_out["Id"], scorer.held_out["Predicted"], strict=True))
    ids = np.asarray(source.catalog["object_id"], dtype=str)
    is_held = np.array([one in held for one in ids], dtype=bool)
    scores[is_held] = [held[one] for one in ids[is_held]]
    return scores, int((~is_held).sum())


def _law(name: str, images: ImageSet, scores: Floats) -> ScoreLaw:
    """Summarize predicted scores."""
    edges = np.arange(LOWEST_SCORE, HIGHEST_SCORE + BIN_WIDTH, BIN_WIDTH)
    counts = np.histogram(np.clip(scores, LOWEST_SCORE, HIGHEST_SCORE), edges)[0]
    low, middle, high = (float(value) for value in (scores.min(), np.median(scores), scores.max()))
    return ScoreLaw(
        name=name,
        path=images.path,
        content_hash=images.content_hash,
        n=len(scores),
        mean=float(scores.mean()),
        deviation=float(scores.std()),
        lowest=low,
        median=middle,
        highest=high,
        counts=tuple(int(count) for count in counts),
    )


def _distance(source: Floats, generated: Floats, chance: Chance) -> tuple[Estimate, float, Floats]:
    """W1 of the scores with floor, interval and test; and its replicates."""
    sizes: dict[str, Any] = {"n_reference": len(source), "n_generated": len(generated), "seed": chance.seed}
    pooled = [pool_values(source, generated)]
    drawn = redrawn_distances(pooled, BOOTSTRAP, draws=chance.replicates, **sizes)[:, 0]
    dealt = redrawn_distances(pooled, PERMUTATION, draws=chance.permutations, **sizes)[:, 0]
    reference = [pool_values(source, np.empty(0))]
    floor = floor_distances(
        reference, np.array([[len(source), len(generated)]]), splits=chance.splits, **sizes
    )
    found = distance_statistic(
        wasserstein_distance(source, generated),
        drawn=drawn,
        floor=floor.distances[:, 0],
        dealt=dealt,
        confidence=chance.confidence,
        name="W1",
        definition=W1_DEFINITION,
        sizes=(len(source), len(generated)),
    )
    return found.estimate, found.p_value, drawn


def _differences(
    sets: Sequence[JudgedSet], replicates: Mapping[str, Floats], confidence: float
) -> tuple[Mapping[str, Any], ...]:
    """Differences of W1 between all pairs of sets: replicate k of both has the same draw of the source."""
    tail = 50 * (1 - confidence)
    found = []
    for one, other in combinations(sets, 2):
        drawn = replicates[one.law.name] - replicates[other.law.name]
        low, high = np.percentile(drawn, [tail, 100 - tail])
        found.append(
            {
                "first": one.law.name,
                "second": other.law.name,
                "difference": one.distance.value - other.distance.value,
                "interval": [float(low), float(high)],
            }
        )
    return tuple(found)


def _plain(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON values."""
    return {**vars(estimate), "interval": list(estimate.interval)}
