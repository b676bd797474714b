"""Fitting a network to scores by their absolute error: stages of epochs, rates that fall, the best validation kept."""

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.errors import DivergedError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images.image_set import PixelSequence, SelectedPixels
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import randomly_turned
from galsmith.score.method import Floats, Learning
from galsmith.seeds import derive_seed, random_stream
from galsmith.settings import Settings

WHITE = 255.0  # display level that networks see as 1
VALIDATION_SHARE = 0.1  # paper, II-B
BIN_WIDTH = 0.25  # of scores, within which rebalanced fields are as likely
IMAGES_AT_ONCE = 16
Rows = NDArray[np.int64]


class RegressionSettings(Settings):
    """How a network is fitted.

    Attributes
    ----------
    batch_size : int
        Fields of a step.
    epochs : int
        Of a stage, at most.
    stop_patience : int
        Epochs without a better validation after which a stage ends.
    symmetric : bool
        Turn and mirror each field by chance whenever it is seen.
    shift_share : float
        Shift it by up to this share of its side, black coming in; 0.05 as the paper's crops of 1,100 px.
    rebalance : bool
        Draw fields so that every 0.25 of the score is equally likely.
    """

    batch_size: int = 32
    epochs: int = 100
    stop_patience: int = 10
    symmetric: bool = True
    shift_share: float = 0.05
    rebalance: bool = False


@dataclass(frozen=True)
class Stage:
    """One stage of a fit.

    Attributes
    ----------
    name : str
        For the record.
    rate : float
        Adam's, at first.
    factor : float
        By which it falls after `patience` epochs without a better validation.
    patience : int
        See there.
    frozen : torch.nn.Module or None
        A part that stays as it is, and is not prepared for slopes.
    share : float
        Of the time budget, up to which the stage may last.
    """

    name: str
    rate: float
    factor: float
    patience: int
    frozen: torch.nn.Module | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Epoch:
    """What came of one epoch: mean absolute errors in units of the score, and the rate of the steps."""

    stage: str
    train_mae: float
    validation_mae: float
    rate: float


@dataclass(frozen=True)
class ScoreNetwork:
    """A network that was fitted to standardized scores.

    Attributes
    ----------
    network : torch.nn.Module
        Maps [field, 1, y, x] in 0 to 1 to [field, 1].
    mean, deviation : float
        Of the training scores.
    epochs : sequence of Epoch
        How the fit went.
    facts : mapping
        Plain JSON values that the network can be built anew from.
    """

    network: torch.nn.Module
    mean: float
    deviation: float
    epochs: Sequence[Epoch]
    facts: Mapping[str, Any]

    @torch.inference_mode()
    def predict(self, seen: PixelSequence, *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Predict from the pixels of each image."""
        self.network.eval()
        device = next(self.network.parameters()).device
        found = []
        for start in range(0, len(seen), IMAGES_AT_ONCE):
            rows = np.arange(start, min(start + IMAGES_AT_ONCE, len(seen)))
            found.append(self.network(pixels_of(seen, rows).to(device))[:, 0].double().cpu().numpy())
            progress(ProgressEvent("predicting", int(rows[-1]) + 1, len(seen), "fields"))
        return self.mean + self.deviation * np.concatenate([*found, np.empty(0)])

    def to_page(self) -> dict[str, Any]:
        """Return all but the weights."""
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "epochs": [vars(epoch) for epoch in self.epochs],
            "facts": dict(self.facts),
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights, and the statistics of the batches."""
        return {name: value.detach().cpu().numpy() for name, value in self.network.state_dict().items()}


def restored(
    network: torch.nn.Module, page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> ScoreNetwork:
    """Fill a network that was built anew with what was saved.

    Parameters
    ----------
    network : torch.nn.Module
        Built from ``page["facts"]``.
    page, arrays : mapping
        As `ScoreNetwork.to_page` and `ScoreNetwork.to_arrays` gave them.
    """
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    epochs = [Epoch(**epoch) for epoch in page["epochs"]]
    return ScoreNetwork(network, page["mean"], page["deviation"], epochs, page["facts"])


def pixels_of(images: PixelSequence, rows: Rows) -> torch.Tensor:
    """Read images as networks see them, [field, 1, y, x] in 0 to 1."""
    return torch.from_numpy(np.stack(images.read(rows))) / WHITE


def count_numbers(network: torch.nn.Module) -> int:
    """Count parameters and running statistics, as Keras does."""
    statistics = [
        value for name, value in network.named_buffers() if name.split(".")[-1].startswith("running_")
    ]
    return sum(value.numel() for value in (*network.parameters(), *statistics))


def fit_network(
    network: torch.nn.Module,
    seen: PixelSequence,
    scores: Floats,
    *,
    stages: Sequence[Stage],
    settings: RegressionSettings,
    learning: Learning,
    facts: Mapping[str, Any],
) -> ScoreNetwork:
    """Fit a network stage by stage to the absolute error of standardized scores; the best weights by validation are kept.

    A tenth of the fields, by the seed, is for validation alone.

    Parameters
    ----------
    network : torch.nn.Module
        Maps [field, 1, y, x] in 0 to 1 to [field, 1]; is changed.
    seen : PixelSequence
        Of the fields.
    scores : ndarray [field], float64
        Theirs.
    stages : sequence of Stage
        In their order.
    settings : RegressionSettings
        How a stage goes.
    learning : Learning
        Seed, time, device.
    facts : mapping
        What the network can be built anew from.

    Raises
    ------
    DivergedError
        If no epoch has a validation error that is finite.
    """
    order = random_stream(learning.seed, "score.validation").permutation(len(scores))
    n_validation = max(1, round(VALIDATION_SHARE * len(scores)))
    rows = _Rows(np.sort(order[n_validation:]), np.sort(order[:n_validation]))
    mean, deviation = float(scores[rows.training].mean()), float(scores[rows.training].std())
    run = _Run(network.to(learning.device), seen, scores, mean, deviation, rows, settings, learning)
    epochs: list[Epoch] = []
    started = time.monotonic()
    for stage in stages:
        until = None if learning.minutes is None else started + 60 * learning.minutes * stage.share
        epochs += run.stage(stage, until=until, n_before=len(epochs))
    return ScoreNetwork(network, mean, deviation, epochs, facts)


@dataclass(frozen=True)
class _Rows:
    """Which fields are trained on, and which are for validation."""

    training: Rows
    validation: Rows


@dataclass(frozen=True)
class _Run:
    """A fit in progress."""

    network: torch.nn.Module
    seen: PixelSequence
    scores: Floats
    mean: float
    deviation: float
    rows: _Rows
    settings: RegressionSettings
    learning: Learning

    def stage(self, stage: Stage, *, until: float | None, n_before: int) -> list[Epoch]:
        """Go through one stage, and leave the best weights by validation."""
        for parameter in self.network.parameters():
            parameter.requires_grad = True
        for parameter in () if stage.frozen is None else stage.frozen.parameters():
            parameter.requires_grad = False
        moving = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(moving, stage.rate)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=stage.factor, patience=stage.patience
        )
        epochs: list[Epoch] = []
        best, waited = (float("inf"), copy.deepcopy(self.network.state_dict())), 0
        if n_before:  # of the stage before, which this one may not spoil
            best = (self._validation(), best[1])
        while len(epochs) < self.settings.epochs and waited < self.settings.stop_patience:
            trained = self._epoch(optimizer, n_before + len(epochs), until)
            validation = self._validation()
            epochs.append(Epoch(stage.name, trained, validation, optimizer.param_groups[0]["lr"]))
            self._tell(stage, epochs[-1], len(epochs))
            plateau.step(validation)
            waited += 1
            if validation < best[0]:
                best, waited = (validation, copy.deepcopy(self.network.state_dict())), 0
            if until is not None and time.monotonic() > until:
                break
        if not np.isfinite(best[0]):
            raise DivergedError(
                f"no epoch of the stage {stage.name!r} has a finite validation error; take a smaller rate (`overrides`)"
            )
        self.network.load_state_dict(best[1])
        return epochs

    def _epoch(self, optimizer: torch.optim.Optimizer, number: int, until: float | None) -> float:
        """Go once over the training fields; the mean absolute error on the way."""
        self.network.train()
        errors = []
        for rows, chance in self._batches(number):
            pixels = shifted(
                pixels_of(self.seen, rows),
                chance,
                at_most=round(self.settings.shift_share * self.learning.side_pix),
            )
            pixels = randomly_turned(pixels, chance, symmetric=self.settings.symmetric)
            wanted = torch.from_numpy((self.scores[rows] - self.mean) / self.deviation).float()
            device = self.learning.device
            loss = (self.network(pixels.to(device))[:, 0] - wanted.to(device)).abs().mean()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            errors.append(float(loss.detach()) * self.deviation)
            if until is not None and time.monotonic() > until:
                break
        return float(np.mean(errors))

    def _batches(self, epoch: int) -> Iterator[tuple[Rows, torch.Generator]]:
        """Deal the training fields of an epoch into batches, each with its own chance."""
        stream = random_stream(self.learning.seed, "score.epoch", epoch)
        rows = self.rows.training
        if self.settings.rebalance:
            order = stream.choice(rows, len(rows), p=bin_shares(self.scores[rows]))
        else:
            order = stream.permutation(rows)
        size = self.settings.batch_size
        # a last batch of one has no statistics
        for start in range(0, len(order) - min(1, len(order) - 1), size):
            seed = derive_seed(self.learning.seed, "score.batch", epoch, start)
            yield order[start : start + size], generator_from_seed(seed)

    def _validation(self) -> float:
        """Mean absolute error on the validation fields."""
        now = ScoreNetwork(self.network, self.mean, self.deviation, (), {})
        rows = self.rows.validation
        predicted = now.predict(SelectedPixels(self.seen, rows))
        return float(np.abs(predicted - self.scores[rows]).mean())

    def _tell(self, stage: Stage, epoch: Epoch, done: int) -> None:
        """Tell how far a stage is."""
        said = {"validation": f"{epoch.validation_mae:.3f}", "training": f"{epoch.train_mae:.3f}"}
        self.learning.progress(ProgressEvent(stage.name, done, self.settings.epochs, "epochs", said))


def bin_shares(scores: Floats) -> Floats:
    """Chance of each field, so that all bins of `BIN_WIDTH` that have one are equally likely, [field] float64."""
    bins = np.floor(scores / BIN_WIDTH).astype(np.int64)
    _, place, counts = np.unique(bins, return_inverse=True, return_counts=True)
    shares = 1.0 / counts[place]
    return shares / shares.sum()


def shifted(pixels: torch.Tensor, chance: torch.Generator, *, at_most: int) -> torch.Tensor:
    """Shift each image by its own whole numbers of pixels; black comes in.

    Parameters
    ----------
    pixels : Tensor [field, band, y, x]
        Square images.
    chance : torch.Generator
        Draws the shifts, evenly from -`at_most` to `at_most` along both axes.
    at_most : int
        In pixels.
    """
    if at_most < 1:
        return pixels
    side = pixels.shape[-1]
    # a crop of the image with a black border, as the paper's of 1,100 px
    padded = torch.nn.functional.pad(pixels, (at_most,) * 4)
    starts = torch.randint(0, 2 * at_most + 1, (len(pixels), 2), generator=chance).tolist()
    return torch.stack(
        [one[:, y : y + side, x : x + side] for one, (y, x) in zip(padded, starts, strict=True)]
    )
