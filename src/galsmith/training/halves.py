"""How many galaxies are enough: two models learn disjoint halves of a set, and draw from the same seeds."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.store import open_store
from galsmith.data.transforms import fit_pixel_transform
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.models.draws import draw_arrays
from galsmith.models.layers.d4 import N_ELEMENTS, apply_d4
from galsmith.models.protocols import DataDescription, Trainer, TrainingProgress
from galsmith.seeds import derive_seed, random_stream
from galsmith.training.averages.power_function import PowerFunctionEma
from galsmith.training.batches import Batches, TrainingSet, make_batches, refuse_equal_images
from galsmith.training.settings import RunSettings, read_run_settings

Pixels = NDArray[np.float32]

FEWEST_GALAXIES = 64
SMALLEST_SET, LARGEST_SET, STEP = 500, 16_384, 2.83  # each level has 2 sqrt(2) times as many
N_DRAWN, LARGEST_SIDE_PIX = 256, 32
# models of 50 and of 2,500 Sérsic galaxies of 32 px agree to 0.91 and 0.97 (158,000 images seen): large scales are
# learned from few
AGREED = 0.95
RECIPE = "check-data"
STEPS_BETWEEN_EVENTS = 50


@dataclass(frozen=True)
class Level:
    """What two models say that learned disjoint halves of so many galaxies.

    Attributes
    ----------
    n : int
        Galaxies of both halves.
    images_seen : int
        By each model.
    agreement : float
        Correlation of galaxies that both draw from one seed, 0 for those of different seeds and 1 for equal ones.
    agreement_error : float
        Its standard error, over the seeds.
    own_share : float
        Share of drawn galaxies that are nearer to a galaxy of their model's own half than to any of the other half: 0.5
        where nothing is remembered, 1 where all are repeats.
    own_share_error : float
        Its standard error.
    """

    n: int
    images_seen: int
    agreement: float
    agreement_error: float
    own_share: float
    own_share_error: float

    @property
    def remembers(self) -> bool:
        """Whether drawn galaxies are nearer to their own half than chance allows, by three standard errors."""
        return self.own_share - 0.5 > 3 * max(self.own_share_error, 0.5 / math.sqrt(N_DRAWN))

    @property
    def text(self) -> str:
        """One line."""
        return (
            f"{self.n:,} galaxies, two models of {self.n // 2:,} each ({self.images_seen:,} images seen): same galaxy from "
            f"the same seed {self.agreement:.2f} +- {self.agreement_error:.2f}, nearer to their own half "
            f"{self.own_share:.0%} +- {self.own_share_error:.0%}"
        )


def verdict_of(levels: Sequence[Level]) -> str:
    """Say in plain words what a learning curve of `learn_halves` means for a training on all galaxies.

    Parameters
    ----------
    levels : sequence of Level
        From few galaxies to many.
    """
    last = levels[-1]
    if last.remembers:
        return (
            f"your {last.n:,} galaxies: expect repeats (of what models of a half draw, {last.own_share:.0%} is nearer to a "
            "galaxy that they learned than to any that they did not, where 50 % is chance): more galaxies, fewer passes "
            "over them, a start from a model of a larger set, and training.choose_snapshot=best help"
        )
    if last.agreement < AGREED:
        return (
            f"your {last.n:,} galaxies: no repeats are seen, and models of disjoint halves do not draw the same from one "
            f"seed ({last.agreement:.2f} of 1): other galaxies of the same survey would have given others; more galaxies "
            "help, or more `minutes`, as models that are not trained long enough differ too"
        )
    return (
        f"your {last.n:,} galaxies: enough for a model like these (halves agree to {last.agreement:.2f} of 1, no repeats "
        "are seen); larger models learn finer detail, and want more"
    )


def learn_halves(
    data: ImageSet | str | Path,
    *,
    minutes: float = 4.0,
    seed: int = 0,
    sizes: Sequence[int] | None = None,
    progress: ProgressCallback = ignore_progress,
) -> list[Level]:
    """Train two small models on disjoint halves of 500 to all galaxies of a set, and compare what they draw.

    After Kadkhodaie et al. (2024, "Generalization in diffusion models arises from geometry-adaptive harmonic
    representations", sec. 2): where the galaxies are enough, two models that share none of them learn the same law,
    and draw the same galaxy from the same seed; where they are few, each repeats its own. The models see images
    of 32 px at most and share nothing but the components, which are fitted on all galaxies.

    Parameters
    ----------
    data : ImageSet, str or Path
        A store, or a set in memory; its split ``"train"``.
    minutes : float
        Processor time of all trainings together.
    seed : int
        Fixes which galaxies are in which half, and all trainings.
    sizes : sequence of int, optional
        Galaxies of both halves together, level by level.
    progress : callable
        Told how far the trainings are.

    Returns
    -------
    list of Level
        From few galaxies to many.

    Raises
    ------
    InputError
        If there are fewer than 64 galaxies, or they cannot be learned from.
    SettingsError
        If `minutes` or a size is out of range.
    """
    images = (data if isinstance(data, ImageSet) else open_store(data)).in_split("train")
    if not 0 < minutes < math.inf:
        raise SettingsError(argument="minutes", came=minutes, wanted="above 0")
    if len(images) < FEWEST_GALAXIES:
        raise InputError(
            f"{images.path}: has {len(images)} training galaxies; wanted {FEWEST_GALAXIES} or more, so that two halves say "
            "something"
        )
    levels = _levels(len(images), sizes)
    order = random_stream(seed, "check.order").permutation(len(images))[: levels[-1]]
    chosen = images.select(np.sort(order))
    places = np.argsort(np.argsort(order))  # of the galaxies in their order of chance, in `chosen`
    refuse_equal_images(chosen)
    settings = read_run_settings(RECIPE, minutes=minutes, images=None, seed=seed, overrides=())
    size_pix = min(settings.transform.size_pix or LARGEST_SIDE_PIX, int(chosen.shapes.min()) // 2 * 2)
    transform = fit_pixel_transform(chosen, settings.transform.model_copy(update={"size_pix": size_pix}))
    whole = TrainingSet(chosen, transform, progress=progress)
    found = []
    for number, n in enumerate(levels):
        halves = [chosen.select(np.sort(places[start:n:2])) for start in (0, 1)]
        share = (number / len(levels), (number + 1) / len(levels))
        pair = _Pair(
            settings,
            whole,
            halves,
            seconds=60 * minutes / len(levels),
            seed=derive_seed(seed, "check.level", n),
        )
        pair.learn(lambda done, share=share: progress(_event(share[0] + done * (share[1] - share[0]))))
        found.append(pair.level(n))
    return found


def _event(share: float) -> ProgressEvent:
    """Say which share of the processor time is spent."""
    return ProgressEvent("learning halves", round(100 * share), 100, "%")


def _levels(n_images: int, sizes: Sequence[int] | None) -> list[int]:
    """Sizes of both halves together, rising, from 500 to all or 16,384."""
    if sizes is not None:
        wrong = [size for size in sizes if not FEWEST_GALAXIES <= size <= n_images]
        if wrong or not sizes:
            raise SettingsError(
                argument="sizes",
                came=list(sizes),
                wanted=f"{FEWEST_GALAXIES} to {n_images:,} galaxies, rising",
            )
        return sorted({size // 2 * 2 for size in sizes})
    most = min(n_images, LARGEST_SET) // 2 * 2
    levels = [most]
    while levels[0] / STEP >= SMALLEST_SET:
        levels.insert(0, round(levels[0] / STEP / 2) * 2)
    return levels


class _Pair:
    """Two models of disjoint halves, trained step by step beside each other."""

    def __init__(
        self,
        settings: RunSettings,
        whole: TrainingSet,
        halves: Sequence[ImageSet],
        *,
        seconds: float,
        seed: int,
    ) -> None:
        self._seconds, self._seed, self.images_seen = seconds, seed, 0
        self._settings, self._batch_size = settings, settings.training.batch_size
        self._sets = [TrainingSet(half, whole.transform) for half in halves]
        self._trainers = [self._built(whole, number) for number in range(len(halves))]
        self._averages = [
            PowerFunctionEma(trainer.generator, width=settings.training.ema_width)
            for trainer in self._trainers
        ]

    def _built(self, whole: TrainingSet, number: int) -> Trainer:
        """Start one model: components of the whole set, weights and noise of its own."""
        transform = whole.transform
        description = DataDescription(
            bands=whole.images.header.bands,
            size_pix=transform.size_pix,
            scalar_names=transform.scalar_names,
            n_train=len(whole),
        )
        return self._settings.family.build_trainer(
            self._settings.model,
            description,
            whole.chunks,
            seed=derive_seed(self._seed, "check.model", number),
        )

    def learn(self, told: Any) -> None:
        """Take steps on both until the processor time is spent."""
        batches: list[Batches[Any]] = [
            make_batches(
                one,
                trainer.compacted,
                batch_size=self._batch_size,
                seed=self._seed,
                memory_gb=4,
                device=torch.device("cpu"),
            )
            for one, trainer in zip(self._sets, self._trainers, strict=True)
        ]
        started, used = time.process_time(), 0.0
        while used < 1:
            for number, (trainer, some) in enumerate(zip(self._trainers, batches, strict=True)):
                chance = derive_seed(self._seed, "check.noise", number)
                trainer.step(some.at(self.images_seen), TrainingProgress(chance, self.images_seen, used))
            self.images_seen += self._batch_size
            for average, trainer in zip(self._averages, self._trainers, strict=True):
                average.update(trainer.generator, images_seen=self.images_seen, step_images=self._batch_size)
            used = (time.process_time() - started) / self._seconds
            if self.images_seen // self._batch_size % STEPS_BETWEEN_EVENTS == 0:
                told(min(used, 1.0))
        for some in batches:
            some.close()

    def level(self, n: int) -> Level:
        """Draw from both and compare."""
        seeds = [derive_seed(self._seed, "check.drawn", position) for position in range(N_DRAWN)]
        drawn = [draw_arrays(average.average, seeds).pixels for average in self._averages]
        agreement = _agreements(*drawn)
        known = [one.rows(np.arange(len(one))).pixels.numpy() for one in self._sets]
        is_own = np.concatenate(
            [
                _nearest_distances(drawn[0], known[0]) < _nearest_distances(drawn[0], known[1]),
                _nearest_distances(drawn[1], known[1]) < _nearest_distances(drawn[1], known[0]),
            ]
        )
        share = float(is_own.mean())
        return Level(
            n,
            self.images_seen,
            float(agreement.mean()),
            float(agreement.std(ddof=1) / math.sqrt(len(agreement))),
            share,
            math.sqrt(max(share * (1 - share), 0.25 / len(is_own)) / len(is_own)),
        )


def _agreements(one: Pixels, other: Pixels) -> NDArray[np.float64]:
    """Correlation of galaxies [galaxy, band, y, x] of the same seeds, less that of others, [galaxy]."""
    center = 0.5 * (one.mean(axis=0) + other.mean(axis=0))
    flat = [(pixels - center).reshape(len(pixels), -1).astype(np.float64) for pixels in (one, other)]
    first, second = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in flat)
    same = np.sum(first * second, axis=1)
    others = (np.sum(first @ second.T) - same.sum()) / (len(same) * (len(same) - 1))
    agreements: NDArray[np.float64] = (same - others) / (1 - others)
    return agreements


def _nearest_distances(drawn: Pixels, known: Pixels) -> NDArray[np.float64]:
    """Distance of each drawn galaxy to the nearest known one in any of eight orientations, [galaxy]."""
    flat = drawn.reshape(len(drawn), -1).astype(np.float64)
    nearest = np.full(len(drawn), np.inf)
    for element in range(N_ELEMENTS):
        turned = apply_d4(torch.from_numpy(known), torch.full((len(known),), element)).numpy()
        rows = turned.reshape(len(known), -1).astype(np.float64)
        squares = (flat**2).sum(axis=1)[:, np.newaxis] - 2 * flat @ rows.T + (rows**2).sum(axis=1)
        nearest = np.minimum(nearest, squares.min(axis=1))
    return np.sqrt(np.maximum(nearest, 0.0))
