"""`spectrum`, ours: power in rings of frequency and the histogram, by kernel ridge and by trees on what it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ignore_progress, one_thread
from galsmith.images.image_set import PixelSequence
from galsmith.score.boosted_trees import BoostedTrees, TreeSettings, grow_trees
from galsmith.score.kernel_ridge import KernelRidge, fit_ridges, ranked_rows
from galsmith.score.method import Floats, Learning, Method, each_image
from galsmith.score.radial_power import STRETCHES, power_and_histogram, rings_of, tail_levels
from galsmith.seeds import random_stream

Rows = NDArray[np.int64]
OCTAVE = 2.0


class SpectrumSettings(TreeSettings):
    """How ridge and trees are fitted.

    Attributes
    ----------
    iterations, leaves, learning_rate
        Of the trees; see `TreeSettings`.
    lengths, ridges : tuple of float
        Of the kernel, in median distances between fields, and of the noise: the best pair is taken.
    folds : int
        In which the ridge is fitted without the fields that it then predicts for the trees.
    most_chosen : int
        Fields on which the pair is chosen, at most: the cost goes with their third power.
    """

    iterations: int = 300
    leaves: int = 31
    learning_rate: float = 0.05
    lengths: tuple[float, ...] = (0.5, 1.0, 2.0)
    ridges: tuple[float, ...] = (0.003, 0.01, 0.03)
    folds: int = 5
    most_chosen: int = 2000


@dataclass(frozen=True)
class Spectrum:
    """A ridge, trees on what it leaves, and the side of the fields, which says what the features are."""

    ridge: KernelRidge
    trees: BoostedTrees
    side_pix: int
    chosen: Mapping[str, float]

    def predict(self, seen: NDArray[np.float32], *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Predict from what `power_and_histogram` gives of each image."""
        with one_thread():
            smooth = self.ridge.predict(seen[:, : _n_smooth(self.side_pix)])
        return smooth + self.trees.predict(np.column_stack([seen, smooth]))

    def to_page(self) -> dict[str, Any]:
        """Return the side, and the pair that was chosen."""
        return {"side_pix": self.side_pix, "chosen": dict(self.chosen)}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return ridge and trees."""
        return {**self.ridge.to_arrays(), **self.trees.to_arrays()}


def look(images: PixelSequence, *, progress: ProgressCallback = ignore_progress) -> NDArray[Any]:
    """Find power and histogram of every image, [field, feature] float32."""
    return each_image(power_and_histogram, images, stage="transforming", progress=progress)


def fit(
    seen: NDArray[np.float32], scores: Floats, settings: SpectrumSettings, learning: Learning
) -> Spectrum:
    """Fit the ridge in folds, so that the trees learn from fields that it has not seen, and then on all.

    Stacked generalization (Wolpert 1992): what a model predicts of its own training fields is too good to learn from.
    """
    side = learning.side_pix
    smooth = seen[:, : _n_smooth(side)]
    folds = folds_of(len(seen), settings.folds, seed=learning.seed)
    with one_thread():
        chosen = _best_pair(smooth, scores, settings, seed=learning.seed)
        left_out = _left_out(smooth, scores, folds, lengths=[chosen[0]], ridges=[chosen[1]])[0]
        (ridge,) = fit_ridges(ranked_rows(smooth), scores, length=chosen[0], ridges=[chosen[1]])
    trees = grow_trees(np.column_stack([seen, left_out]), scores - left_out, settings, seed=learning.seed)
    return Spectrum(ridge, trees, side, {"length": chosen[0], "ridge": chosen[1]})


def restore(page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Spectrum:
    """Make it of its page and arrays."""
    ridge, trees = KernelRidge.from_arrays(arrays), BoostedTrees.from_arrays(arrays)
    return Spectrum(ridge, trees, int(page["side_pix"]), page["chosen"])


def folds_of(n_rows: int, n_folds: int, *, seed: int) -> list[Rows]:
    """Deal rows into folds, whose sizes differ by one at most."""
    return np.array_split(random_stream(seed, "score.folds").permutation(n_rows), n_folds)


def explain(
    model: Spectrum, seen: NDArray[np.float32], scores: Floats, *, seed: int
) -> list[dict[str, float | str]]:
    """Say how much worse held-out fields are predicted where some features are dealt anew among them.

    Permutation importance (Breiman 2001) of all stretches together, octave by octave of frequency; and of the histogram.

    Parameters
    ----------
    model : Spectrum
        Fitted without these fields.
    seen : ndarray [field, feature], float32
        Of held-out fields.
    scores : ndarray [field], float64
        Their scores.
    seed : int
        Fixes the deal.

    Returns
    -------
    list of dict
        ``name``, ``low`` and ``high`` in cycles a field (0 for the histogram), ``increase`` of the mean absolute error.
    """
    error = float(np.abs(model.predict(seen) - scores).mean())
    found: list[dict[str, float | str]] = []
    for number, (name, low, high, columns) in enumerate(_bands(model.side_pix, seen.shape[1])):
        dealt = seen.copy()
        order = random_stream(seed, "score.importance", number).permutation(len(seen))
        dealt[:, columns] = seen[order][:, columns]
        worse = float(np.abs(model.predict(dealt) - scores).mean())
        found.append({"name": name, "low": low, "high": high, "increase": worse - error})
    return found


def _bands(side_pix: int, n_features: int) -> list[tuple[str, float, float, Rows]]:
    """Name the features of each octave of frequency, and those of the histogram."""
    edges = rings_of(side_pix).edges
    n_rings = len(edges) - 1
    bands: list[tuple[str, float, float, Rows]] = []
    low = float(edges[0])
    while low < edges[-1]:
        rings = np.flatnonzero((edges[:-1] >= low) & (edges[:-1] < OCTAVE * low))
        columns = np.concatenate([rings + stretch * n_rings for stretch in range(len(STRETCHES))])
        high = min(OCTAVE * low, float(edges[-1]))
        bands.append((f"{low:g} to {high:g} cycles a field", low, high, columns))
        low *= OCTAVE
    bands.append(("histogram", 0.0, 0.0, np.arange(len(STRETCHES) * n_rings, n_features)))
    return bands


def _n_smooth(side_pix: int) -> int:
    """How many features the ridge takes: power and tails; the histogram's single levels are for trees."""
    return len(STRETCHES) * (len(rings_of(side_pix).edges) - 1) + len(tail_levels())


def _left_out(
    seen: NDArray[np.float32],
    scores: Floats,
    folds: list[Rows],
    *,
    lengths: Sequence[float],
    ridges: Sequence[float],
) -> Floats:
    """Predict each fold by ridges that were fitted on the others, [pair of length and ridge, row]."""
    found = np.empty((len(lengths) * len(ridges), len(scores)))
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(scores)), fold)
        rows = ranked_rows(seen[rest])
        fitted = [
            one for length in lengths for one in fit_ridges(rows, scores[rest], length=length, ridges=ridges)
        ]
        for place, ridge in enumerate(fitted):
            found[place, fold] = ridge.predict(seen[fold])
    return found


def _best_pair(
    seen: NDArray[np.float32], scores: Floats, settings: SpectrumSettings, *, seed: int
) -> tuple[float, float]:
    """Choose length and ridge by the mean absolute error of left-out folds, on a part of the fields where they are many."""
    rows = random_stream(seed, "score.chosen").permutation(len(seen))[: settings.most_chosen]
    some, values = seen[rows], scores[rows]
    folds = folds_of(len(some), settings.folds, seed=seed)
    left_out = _left_out(some, values, folds, lengths=settings.lengths, ridges=settings.ridges)
    best = int(np.abs(left_out - values).mean(axis=1).argmin())
    return list(product(settings.lengths, settings.ridges))[best]


METHOD = Method("spectrum", SpectrumSettings, fit, restore, look=look, explain=explain)
