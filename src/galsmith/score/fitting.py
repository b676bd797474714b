"""Fitting a scorer: first without some fields, to know how well the method predicts, then with all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galsmith.data.store import open_store
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Partial, check_output, read_json, write_json
from galsmith.provenance import Parent, Provenance
from galsmith.score.fields import ScoredFields, held_out_parts, scored_fields
from galsmith.score.method import Floats, Learning, Method, ScoreModel, rows_of
from galsmith.score.methods import method_named
from galsmith.score.scorer import SCORER, Scorer, in_range, load_scorer, write_scorer
from galsmith.settings import Settings, apply_overrides, typed_settings

Rows = NDArray[np.int64]
HELD_OUT_SHARE = 0.1  # paper, II-B


def fit(
    method: str,
    data: str | Path,
    output: str | Path,
    *,
    settings: Settings | None = None,
    overrides: Sequence[str] = (),
    base: str | Path | None = None,
    splits: int = 1,
    held_out: float = HELD_OUT_SHARE,
    out_of_range: Literal["clip", "zero", "keep"] = "clip",
    seed: int = 0,
    minutes: float | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Scorer:
    """Fit a method to the scored fields of a store, and save it; the same call goes on after an interruption.

    For each split a model is fitted without the held-out fields and predicts them; the model that is kept is fitted on all.

    Parameters
    ----------
    method : str
        A key of `METHODS`.
    data : path
        Store whose catalog has a column ``score``.
    output : path
        The folder to become the scorer.
    settings : Settings, optional
        Of the method; the paper's by default.
    overrides : sequence of str
        Changes of the settings, as ``key=value``.
    base : path, optional
        A run or snapshot whose network is learned from, where the method wants one.
    splits : int
        How many parts of the fields are held out, one after the other; 0 for none.
    held_out : float
        Share of each part.
    out_of_range : {"clip", "zero", "keep"}
        What becomes of predictions outside of [0, 8]: clipped, set to 0 as in the paper, or kept.
    seed : int
        Fixes the splits and all chance.
    minutes : float, optional
        Time budget of each fit, for methods that train in epochs.
    device : str
        As torch knows it.
    overwrite : bool
        Replace a scorer once the new one is complete.
    progress : callable
        Told how far it is.

    Returns
    -------
    Scorer

    Raises
    ------
    SettingsError, InputError, OutputExistsError
        In one line, before anything long starts.
    """
    found = method_named(method)
    chosen = _settings_of(found, settings, overrides)
    check_output(output, SCORER, inputs=[data, base], overwrite=overwrite)
    images = open_store(data)
    fields = scored_fields(images)
    parts = held_out_parts(len(fields), splits=splits, held_out=held_out, seed=seed) if splits else []
    parents = (images.as_parent("scored fields"), *_base_parents(found, chosen, base, fields.side_pix))
    said = {
        "method": method,
        **{"settings": chosen.model_dump(mode="json"), "splits": splits, "held_out": held_out},
        **{"out_of_range": out_of_range, "minutes": minutes},
    }
    provenance = Provenance("score fit", said, seed, parents)
    learning = Learning(
        fields.side_pix, seed, None if base is None else Path(base), minutes, device, progress
    )
    with Partial(
        output, SCORER, provenance.fingerprint(), inputs=[data, base], overwrite=overwrite
    ) as partial:
        if partial.is_complete:
            return load_scorer(output)
        seen = found.look(fields.images.pixels, progress=progress)
        fitting = _Fitting(found, chosen, learning, seen, fields.scores)
        done = []
        for number, part in enumerate(parts):
            progress(ProgressEvent("fitting splits", number, len(parts) + 1, "fits"))
            done.append(fitting.held_out(part, partial.folder / f"split-{number}.json"))
        progress(ProgressEvent("fitting all", len(parts), len(parts) + 1, "fits"))
        scorer = Scorer(
            method=found,
            settings=chosen,
            model=fitting.model_of(np.arange(len(fields))),
            side_pix=fields.side_pix,
            out_of_range=out_of_range,
            held_out=held_out_table(
                fields, [kept for _, kept in parts], [one.predicted for one in done], out_of_range
            ),
            provenance=provenance,
            explained=[{"split": k, **row} for k, one in enumerate(done) for row in one.explained],
        )
        write_scorer(partial.content, scorer)
        partial.finish()
    return scorer


def held_out_table(
    fields: ScoredFields, parts: Sequence[Rows], predicted: Sequence[Sequence[float]], out_of_range: str
) -> pd.DataFrame:
    """Join what was predicted of held-out fields with their scores; see `Scorer.held_out`."""
    rows = np.concatenate([*parts, np.empty(0, dtype=np.int64)]).astype(np.int64)
    values = np.concatenate([*predicted, np.empty(0)])
    return pd.DataFrame(
        {
            "Id": np.asarray(fields.images.catalog["object_id"], dtype=str)[rows],
            "Actual": fields.scores[rows],
            "Predicted": in_range(values, out_of_range),
            "split": np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
            "is_real": "" if fields.is_real is None else fields.is_real[rows].astype(int),
            "kind": fields.kinds[rows],
        }
    )


@dataclass(frozen=True)
class _HeldOut:
    """Of one split: predictions of the fields that were held out, and what explains them."""

    predicted: list[float]
    explained: list[dict[str, Any]]


@dataclass(frozen=True)
class _Fitting:
    """A method with all that its fits share: what it sees of all fields, and their scores."""

    method: Method
    settings: Settings
    learning: Learning
    seen: Any
    scores: Floats

    def model_of(self, rows: Rows) -> ScoreModel:
        """Fit some fields."""
        return self.method.fit(rows_of(self.seen, rows), self.scores[rows], self.settings, self.learning)

    def held_out(self, part: tuple[Rows, Rows], file: Path) -> _HeldOut:
        """Predict fields by a model that was fitted without them, or read what was predicted before."""
        training, kept = part
        if file.exists():
            return _HeldOut(**read_json(file))
        model = self.model_of(training)
        seen = rows_of(self.seen, kept)
        predicted = model.predict(seen, progress=self.learning.progress)
        explain = self.method.explain
        explained = (
            [] if explain is None else explain(model, seen, self.scores[kept], seed=self.learning.seed)
        )
        done = _HeldOut(predicted.tolist(), explained)
        write_json(file, vars(done))
        return done


def _settings_of(method: Method, settings: Settings | None, overrides: Sequence[str]) -> Settings:
    """Change settings, and check them against the method's record."""
    values = {} if settings is None else settings.model_dump(mode="json")
    return typed_settings(
        method.settings, apply_overrides(values, overrides), source=f"settings of {method.name}"
    )


def _base_parents(
    method: Method, settings: Settings, base: str | Path | None, side_pix: int
) -> tuple[Parent, ...]:
    """Name the network that a method starts from, and refuse one that it cannot use or does not want."""
    wants_base = method.wants_base is not None and method.wants_base(settings)
    if base is None and wants_base:
        raise SettingsError(
            f"the method {method.name} starts from a trained network",
            argument="base",
            wanted="a run of galsmith train",
        )
    if base is None:
        return ()
    if not wants_base:
        raise SettingsError(
            f"the method {method.name} starts from no network as it is set",
            argument="base",
            came=base,
            way_out="leave `base` out",
        )
    if method.hash_base is None:
        return ()
    return (Parent("base network", method.hash_base(Path(base), side_pix), str(base)),)
