"""The real scores from 29 published features of the real fields: boosted trees, and the mean of three kinds of trees.

    python benchmarks/scores/benchmark_real_features.py FOLDER

FOLDER holds ``features_train_X.csv`` (29 columns of connected spots and key points) and ``features_train_y.csv``. Ten
folds by a fixed seed; each method is fitted without the fold that it predicts, and the mean has equal weights, so that
nothing is chosen by what it is judged on. The pixels of those fields are not to be had.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

from galsmith.score.boosted_trees import TreeSettings, grow_trees

SEED, FOLDS = 0, 10
PAPER_TREES, PLAIN_TREES = TreeSettings(), TreeSettings(iterations=500, leaves=31)
SLOW_TREES = TreeSettings(iterations=1000, leaves=100, learning_rate=0.05)


def predictions(features, scores, held):
    """Predict held-out rows by every method."""
    grown = {
        "boosted trees, 31 leaves": PLAIN_TREES,
        "boosted trees, 100 leaves": PAPER_TREES,
        "boosted trees, 100 leaves, slower": SLOW_TREES,
    }
    found = {
        name: grow_trees(features, scores, settings, seed=SEED).predict(held)
        for name, settings in grown.items()
    }
    extra = ExtraTreesRegressor(200, min_samples_leaf=2, random_state=SEED).fit(features, scores)
    found["extremely randomized trees"] = extra.predict(held)
    kinds = ("boosted trees, 100 leaves", "boosted trees, 100 leaves, slower", "extremely randomized trees")
    found["mean of the last three"] = np.mean([found[name] for name in kinds], axis=0)
    return {"mean score": np.full(len(held), scores.mean()), **found}


def main() -> None:
    """Print the mean absolute error of every method with its standard error over folds."""
    folder = Path(sys.argv[1])
    features = pd.read_csv(folder / "features_train_X.csv").to_numpy(np.float64)
    scores = pd.read_csv(folder / "features_train_y.csv")["score"].to_numpy(np.float64)
    errors: dict[str, list[float]] = {}
    for fold in np.array_split(np.random.default_rng(SEED).permutation(len(scores)), FOLDS):
        rest = np.setdiff1d(np.arange(len(scores)), fold)
        for name, predicted in predictions(features[rest], scores[rest], features[fold]).items():
            errors.setdefault(name, []).append(float(np.abs(predicted - scores[fold]).mean()))
    for name, found in errors.items():
        print(f"| {name} | {np.mean(found):.4f} ± {np.std(found, ddof=1) / FOLDS**0.5:.4f} |")


if __name__ == "__main__":
    main()
