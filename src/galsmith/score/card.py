"""The score card: methods fitted on the same splits of a store, their errors and what the fields are like, and its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Partial, check_output, write_json
from galsmith.images import ImageSet
from galsmith.provenance import Parent, Provenance
from galsmith.report.scores.page import CARD_FILE, SCORE_REPORT, words_of_kind, write_score_page
from galsmith.score.accuracy import Accuracy, accuracy_differences, accuracy_of
from galsmith.score.fields import HIGHEST_SCORE, ScoredFields, scored_fields
from galsmith.score.fitting import fit
from galsmith.score.judged_sets import BIN_WIDTH, JudgedScores, read_judged
from galsmith.score.methods import METHODS, check_method
from galsmith.score.scorer import Scorer, load_scorer
from galsmith.seeds import random_stream

QUICK_METHODS = ("average", "wavelets", "spectrum")
SPLITS, HELD_OUT = 5, 0.2
SHOWN_POINTS = 1000  # fields of which the share above the mean is found, and points of a scatter
CARD_FORMAT = "galsmith score card"


def report(
    data: str | Path,
    output: str | Path,
    *,
    scorers: Sequence[str | Path] = (),
    judged: str | Path | None = None,
    methods: Sequence[str] = QUICK_METHODS,
    splits: int = SPLITS,
    held_out: float = HELD_OUT,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Write one page of scores: methods beside the paper's, the fields, and generated sets where they were judged.

    Parameters
    ----------
    data : path
        Store of fields with scores.
    output : path
        The folder to become the report: ``index.html``, ``scores.json``, and ``scorers/`` with what was fitted for it.
    scorers : sequence of path
        Scorers that were fitted on this store with `splits` of 1 or more; where there are some, none is fitted.
    judged : path, optional
        What `galsmith.score.judge` wrote.
    methods : sequence of str
        Fitted where no scorers are given.
    splits : int
        Parts held out of each.
    held_out : float
        Share of each part.
    seed : int
        Fixes the splits and all chance.
    overwrite : bool
        Replace a report.
    progress : callable
        Told how far it is.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    SettingsError, InputError
        If a scorer was fitted on other fields, nothing was held out, or two are of one method.
    """
    for name in methods:
        check_method(name)
    inputs = [data, *scorers, judged]
    check_output(output, SCORE_REPORT, inputs=inputs, overwrite=overwrite)
    images = open_store(data)
    fields = scored_fields(images)
    given = _given_scorers(scorers, images)
    said = None if judged is None else read_judged(judged)
    provenance = _provenance(
        images, given, said, {"methods": list(methods), "splits": splits, "held_out": held_out}, seed
    )
    with Partial(
        output, SCORE_REPORT, provenance.fingerprint(), inputs=inputs, overwrite=overwrite
    ) as partial:
        if not partial.is_complete:
            kept = partial.content / "scorers"
            for number, name in enumerate(() if given else methods):
                progress(ProgressEvent("fitting methods", number, len(methods), "methods"))
                given[name] = fit(
                    name, data, kept / name, splits=splits, held_out=held_out, seed=seed, progress=progress
                )
            write_json(partial.content / CARD_FILE, _card_of(fields, given, said, provenance, seed))
            write_score_page(partial.content, progress=progress)
            partial.finish()
    return Path(output) / "index.html"


def _given_scorers(places: Sequence[str | Path], images: ImageSet) -> dict[str, Scorer]:
    """Read scorers of the store by their methods."""
    found: dict[str, Scorer] = {}
    for place in places:
        scorer = load_scorer(place)
        if images.content_hash not in {parent.content_hash for parent in scorer.provenance.parents}:
            raise InputError(f"{place}: was fitted on other fields than {images.path}; fit it on these")
        if not len(scorer.held_out):
            raise InputError(f"{place}: no fields were held out; fit it again with `splits` of 1 or more")
        name = scorer.method.name
        if name in found:
            raise SettingsError(f"{place}: a second {name} scorer; give one of each method")
        found[name] = scorer
    return found


def _provenance(
    images: ImageSet,
    scorers: Mapping[str, Scorer],
    judged: JudgedScores | None,
    said: dict[str, Any],
    seed: int,
) -> Provenance:
    """Name all that decides the card."""
    parents = [images.as_parent("scored fields")]
    parents += [Parent(f"scorer: {name}", one.provenance.fingerprint()) for name, one in scorers.items()]
    if judged is not None:
        parents.append(Parent("judged sets", judged.provenance.fingerprint()))
    return Provenance("score report", said, seed, tuple(parents))


def _card_of(
    fields: ScoredFields,
    scorers: Mapping[str, Scorer],
    judged: JudgedScores | None,
    provenance: Provenance,
    seed: int,
) -> dict[str, Any]:
    """Gather all that the page shows, as plain JSON values."""
    order = [name for name in METHODS if name in scorers]
    held = {name: scorers[name].held_out for name in order}
    accuracies = {name: accuracy_of(table) for name, table in held.items()}
    best = min(order, key=lambda name: accuracies[name].mae)
    images = fields.images
    edges = np.arange(0, HIGHEST_SCORE + BIN_WIDTH, BIN_WIDTH)
    return {
        "format": CARD_FORMAT,
        "format_version": 1,
        "store": {"path": images.path, "content_hash": images.provenance.fingerprint()},
        "made_by": images.provenance.verb,
        "n_fields": len(fields),
        "side_pix": fields.side_pix,
        "methods": [_method_row(name, scorers[name], accuracies[name]) for name in order],
        "deciles": accuracies[best].deciles.tolist(),
        "differences": [vars(one) | {"interval": list(one.interval)} for one in accuracy_differences(held)],
        "kinds": _kinds(held),
        "score_counts": np.histogram(fields.scores, edges)[0].tolist(),
        "above_mean": _above_mean(fields, seed),
        "best": best,
        "predicted": _points(held[best], seed),
        "examples": _examples(fields),
        "judged": None if judged is None else judged.to_page(),
        "provenance": provenance.to_dict(),
    }


def _method_row(name: str, scorer: Scorer, found: Accuracy) -> dict[str, Any]:
    """Say what one method is and how well it predicts."""
    rows = pd.DataFrame(list(scorer.explained))
    explained = []
    if len(rows):
        bands = rows.groupby("name", sort=False)["increase"].agg(["mean", "sem"]).fillna(0.0)
        explained = [[str(band), float(row["mean"]), float(row["sem"])] for band, row in bands.iterrows()]
    cosmology = None if not np.isfinite(found.cosmology_mae) else [found.cosmology_mae, found.cosmology_error]
    return {
        "name": name,
        "words": METHODS[name].words,
        "paper_mae": METHODS[name].paper_mae,
        "mae": found.mae,
        "standard_error": found.standard_error if np.isfinite(found.standard_error) else None,
        "n_splits": len(found.by_split),
        "n_held_out": found.n_fields,
        "cosmology": cosmology,
        "decile_mae": [_number(value) for value in found.decile_mae],
        "decile_error": [_number(value) for value in found.decile_error],
        "explained": explained,
        "settings": {**scorer.settings.model_dump(mode="json"), "out_of_range": scorer.out_of_range},
        "scorer": scorer.provenance.fingerprint(),
    }


def _kinds(held: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Count fields of each kind that a method predicts on the other side of the limit between clean and other fields.

    The limit is the middle of the highest score of a field that is not clean and the lowest of one that is.
    """
    first = next(iter(held.values()))
    real = pd.to_numeric(first["is_real"], errors="coerce")
    if first["kind"].isna().all() or real.isna().any() or real.nunique() < 2:
        return []
    limit = 0.5 * (first["Actual"][real == 0].max() + first["Actual"][real == 1].min())
    rows = []
    for kind in sorted(first["kind"].astype(str).unique()):
        of_kind = {name: table[table["kind"].astype(str) == kind] for name, table in held.items()}
        one = of_kind[next(iter(held))]
        is_clean = bool(real[one.index].iloc[0] == 1)
        wrong = {
            name: int(((table["Predicted"] >= limit) != is_clean).sum()) for name, table in of_kind.items()
        }
        errors = {
            name: float((table["Predicted"] - table["Actual"]).abs().mean())
            for name, table in of_kind.items()
        }
        rows.append(
            {
                "kind": kind,
                "n": len(one),
                "is_clean": is_clean,
                "mean": float(one["Actual"].mean()),
                "wrong": wrong,
                "mae": errors,
                "limit": float(limit),
            }
        )
    return rows


def _above_mean(fields: ScoredFields, seed: int) -> list[list[float]]:
    """Score, and share of pixels brighter than the field's mean, of some fields (appendix 7)."""
    rows = random_stream(seed, "score.shown").permutation(len(fields))[:SHOWN_POINTS]
    found = []
    for row in np.sort(rows):
        image = fields.images[int(row)]
        found.append([float(fields.scores[row]), float((image > image.mean(dtype=np.float64)).mean())])
    return found


def _points(table: pd.DataFrame, seed: int) -> list[list[float]]:
    """Actual and predicted scores of some held-out fields (appendix 8)."""
    rows = np.sort(random_stream(seed, "score.shown").permutation(len(table))[:SHOWN_POINTS])
    return [[float(one), float(other)] for one, other in table[["Actual", "Predicted"]].to_numpy()[rows]]


def _examples(fields: ScoredFields) -> list[dict[str, Any]]:
    """Choose fields to show: one of the median score, the highest, and the middle one of each kind that is not clean."""
    ids = np.asarray(fields.images.catalog["object_id"], dtype=str)
    real = np.flatnonzero(np.ones(len(fields), dtype=bool) if fields.is_real is None else fields.is_real)
    ranked = real[np.argsort(fields.scores[real], kind="stable")]
    chosen = [("a representative field", ranked[len(ranked) // 2]), ("the highest score", ranked[-1])]
    others = np.setdiff1d(np.arange(len(fields)), real)
    for kind in np.unique(fields.kinds[others]):
        of_kind = others[fields.kinds[others] == kind]
        middle = of_kind[np.argsort(fields.scores[of_kind], kind="stable")[len(of_kind) // 2]]
        chosen.append((words_of_kind(str(kind)), middle))
    return [
        {"words": words, "object_id": str(ids[row]), "score": float(fields.scores[row])}
        for words, row in chosen
    ]


def _number(value: float) -> float | None:
    """Return a number for JSON: None where it is not finite."""
    return float(value) if np.isfinite(value) else None
