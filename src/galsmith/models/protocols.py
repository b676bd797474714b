"""The two interfaces that cross rooms: what sampling may know of a model, and what the training loop may know."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.images.header import Shown
from galsmith.models.shares import ALONE, Ranks, Share


@dataclass(frozen=True)
class NetworkBatch:
    """Galaxies as networks see them.

    Attributes
    ----------
    pixels : Tensor [galaxy, band, y, x], float32
        Transformed pixels, of order 1.
    scalars : Tensor [galaxy, scalar], float32
        What is kept apart from the pixels, standardized: log flux per band, log native size.
    """

    pixels: torch.Tensor
    scalars: torch.Tensor

    def to(self, device: torch.device) -> "NetworkBatch":
        """Move both tensors."""
        return NetworkBatch(self.pixels.to(device), self.scalars.to(device))


TrainingBatches = Callable[[], Iterator[NetworkBatch]]
"""Each call goes once over the training split, or images that are evenly spread over it, in order and not augmented, in
chunks of any size; where `len` is known, it is how many images these are."""


@runtime_checkable
class KnowsAllScalars(Protocol):
    """Training batches of some images that know the scalars of all."""

    def __call__(self) -> Iterator[NetworkBatch]:
        """Go once over these images."""

    def all_scalars(self) -> torch.Tensor:
        """Scalars of all training images, [galaxy, scalar]."""


Precision = Literal["float32", "bfloat16"]
"""Of a network's trunk in training; outputs, losses and weights are float32 always."""


@dataclass(frozen=True)
class DataDescription:
    """What a network must know of a training set before it sees pixels.

    Attributes
    ----------
    bands : tuple of str
        Filter names, in the order of the band axis.
    size_pix : int
        Side of the network's images.
    scalar_names : tuple of str
        What each column of the scalars is; may be empty.
    n_train : int
        Number of training images.
    pixel_range : tuple of float, optional
        Least and largest value that a pixel can have, black and white of pictures; None where it is not known.
    shows : {"galaxy", "field"}
        What every image is a picture of.
    pixel_unit : float
        What a paper's pixel of 1 is here, so that a paper's weights of losses and penalties mean the same: 0.5 where pixels
        are standardized, as papers standardize them to a deviation of 1 and networks here see half of it; 1 for pictures.
    """

    bands: tuple[str, ...]
    size_pix: int
    scalar_names: tuple[str, ...]
    n_train: int
    pixel_range: tuple[float, float] | None = None
    shows: Shown = "galaxy"
    pixel_unit: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; a range that is not known, that galaxies are shown, and a unit of 1 are left out."""
        values = asdict(self)
        if self.pixel_range is None:
            del values["pixel_range"]
        if self.shows == "galaxy":
            del values["shows"]
        if self.pixel_unit == 1.0:
            del values["pixel_unit"]
        return values

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "DataDescription":
        """Read what `to_dict` wrote."""
        reach = value.get("pixel_range")
        return cls(
            tuple(value["bands"]),
            value["size_pix"],
            tuple(value["scalar_names"]),
            value["n_train"],
            None if reach is None else (reach[0], reach[1]),
            value.get("shows", "galaxy"),
            value.get("pixel_unit", 1.0),
        )


@dataclass(frozen=True)
class TrainingProgress:
    """Where in a training run a step stands; all chance and all schedules are functions of it.

    Attributes
    ----------
    seed : int
        The run's seed.
    images_seen : int
        Training images shown before this step.
    budget_used : float
        Share of the time or of the images already spent, in [0, 1].
    ranks : Ranks
        The processes that take the step together; each is given its share of the batch.
    part, parts : int
        Which one of how many parts of a process' share is looked at: with more than one, gradients are taken part by part.
    """

    seed: int
    images_seen: int
    budget_used: float
    ranks: Ranks = ALONE
    part: int = 0
    parts: int = 1

    @property
    def share(self) -> Share:
        """Places of this part in the whole batch."""
        ranks = self.ranks
        return Share(ranks.rank + ranks.count * self.part, ranks.count * self.parts)


@runtime_checkable
class Generator(Protocol):
    """Draws galaxies in network space; a `torch.nn.Module`, so that it can be averaged, moved and saved."""

    galaxies_per_call: int
    """Galaxies that are computed at once: asking for this many wastes nothing."""

    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; a galaxy depends on its own seed alone.

        Parameters
        ----------
        seeds : sequence of int
            One per galaxy; all random numbers of a galaxy come from one stream started with it.
        conditions : Tensor [galaxy, scalar], float32, optional
            Standardized scalars to draw given; drawn too when left out.
        """


@dataclass(frozen=True)
class SamplerChoice:
    """How to draw, where it differs from a generator's own settings.

    Attributes
    ----------
    n_steps : int, optional
        Steps of the solver.
    method : {"heun", "multistep"}, optional
        Solver: Heun's method, or one of two steps, which asks the network once a step instead of twice.
    guidance : float
        1 draws what was learned; above 1 images follow their conditions more closely and vary less; 0 ignores them.
        Anything but 1 asks the network twice as often.
    """

    n_steps: int | None = None
    method: Literal["heun", "multistep"] | None = None
    guidance: float = 1.0


@runtime_checkable
class SteppedGenerator(Generator, Protocol):
    """A `Generator` that draws in steps, of which there may be more or fewer."""

    sampler_choice: SamplerChoice
    """How to draw; may be replaced before any call."""

    @property
    def own_steps(self) -> tuple[int, ...]:
        """Step counts that it was made to draw in; others are drawn as well as may be."""


@runtime_checkable
class ConditionalGenerator(Generator, Protocol):
    """A `Generator` that draws images for given scalars, and scalars by themselves."""

    sampler_choice: SamplerChoice
    """How to draw; may be replaced before any call."""

    def draw_scalars(self, seeds: Sequence[int]) -> torch.Tensor:
        """Draw scalars alone, much faster than images.

        Returns
        -------
        Tensor [galaxy, scalar], float32
            Standardized; exactly those of ``sample(seeds)``, and ``sample(seeds, draw_scalars(seeds))`` draws the
            same galaxies.
        """


@dataclass(frozen=True)
class ComposedField:
    """A drawn field and its truth.

    Attributes
    ----------
    levels : ndarray [y, x], float32
        Whole gray levels, 0 to 255.
    sources : ndarray [source, column], float64
        All sources that were put there, those too faint to be seen included; columns as
        `galsmith.data.store.SOURCE_COLUMNS`.
    """

    levels: NDArray[np.float32]
    sources: NDArray[np.float64]


@runtime_checkable
class ComposingGenerator(Generator, Protocol):
    """A `Generator` of fields that knows what it puts there, and draws them of any size."""

    def compose(self, seeds: Sequence[int], shape: tuple[int, int]) -> Sequence[ComposedField]:
        """Draw one field for each seed, of a height and width; those of `sample` have the training set's."""


class Trainer(Protocol):
    """Takes optimization steps on one generator; all that the loop may know.

    Rotations and reflections are the trainer's own business (``model.symmetric``): a family knows the cheapest
    way to apply them, and what is trained symmetric must be drawn symmetric. The loop never augments.
    """

    @property
    def generator(self) -> torch.nn.Module:
        """The network that the loop averages over time and saves; also a `Generator`.

        Its parameters are averaged; its buffers are copied after every good step, such as how far it has grown.
        """

    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Map training images to what `step` wants to see again and again, such as coefficients.

        The loop calls it once on each chunk of the training set and keeps the results; `step` gets rows of
        them. A family that trains on pixels returns the batch as it is. `pixels` of the result may have any
        shape [galaxy, ...].
        """

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on rows of what `compacted` gave and return the losses by name.

        The first entry is ``"loss"``. A loss or gradient that is not finite changes nothing and is returned as a
        loss that is not finite, so that the loop can count it.
        """

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on (networks, optimizers), as tensors and plain values."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
