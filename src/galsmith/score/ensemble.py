"""`ensemble`: the mean of several fine-tuned critics, each with other validation fields (paper, II-G)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images.image_set import PixelSequence
from galsmith.score import critic
from galsmith.score.method import Floats, Learning, Method
from galsmith.score.regression import ScoreNetwork
from galsmith.seeds import derive_seed


class EnsembleSettings(critic.CriticSettings):
    """As of one critic, with their number.

    Attributes
    ----------
    members : int
        How many critics; a time budget is shared out among them.
    """

    members: int = 5


@dataclass(frozen=True)
class Ensemble:
    """Several networks, whose outputs are averaged."""

    members: Sequence[ScoreNetwork]

    def predict(self, seen: PixelSequence, *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Average what the members predict."""
        predicted = [member.predict(seen, progress=progress) for member in self.members]
        mean: Floats = np.mean(predicted, axis=0)
        return mean

    def to_page(self) -> dict[str, Any]:
        """Return the pages of the members."""
        return {"members": [member.to_page() for member in self.members]}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights of the members, by their numbers."""
        return {
            f"{number}.{name}": value
            for number, member in enumerate(self.members)
            for name, value in member.to_arrays().items()
        }


def fit(seen: PixelSequence, scores: Floats, settings: EnsembleSettings, learning: Learning) -> Ensemble:
    """Fit the members, each by a seed of its own and so with other validation fields and other new weights."""
    minutes = None if learning.minutes is None else learning.minutes / settings.members
    seeds = [derive_seed(learning.seed, "score.member", number) for number in range(settings.members)]
    members = [
        critic.fit(seen, scores, settings, replace(learning, seed=seed, minutes=minutes)) for seed in seeds
    ]
    return Ensemble(members)


def restore(page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Ensemble:
    """Build every member anew and fill it."""
    members = []
    for number, of_member in enumerate(page["members"]):
        start = f"{number}."
        own = {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
        members.append(critic.restore(of_member, own))
    return Ensemble(members)


METHOD = Method(
    "ensemble",
    EnsembleSettings,
    fit,
    restore,
    wants_base=critic.wants_base,
    hash_base=critic.hash_base,
)
