"""Which places of a step's batch are computed here, and what the processes of one run agree on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Share:
    """Some places of a batch: every so many-th.

    In strides and not in blocks, so that small groups of a batch (`with_group_deviation`), and rows of which each image
    has several, are the same as those of the whole.

    Attributes
    ----------
    place : int
        The first of them.
    of : int
        From one to the next; 1 is the whole batch.
    """

    place: int = 0
    of: int = 1

    @property
    def places(self) -> slice:
        """The places, to take them of an array."""
        return slice(self.place, None, self.of)

    def rows(self, values: torch.Tensor, *, axis: int = 0) -> torch.Tensor:
        """Take the share's rows of a tensor that has those of the whole batch."""
        if self.of == 1:
            return values
        # a copy, so that what follows is laid out as at one process
        places = torch.arange(self.place, values.shape[axis], self.of, device=values.device)
        return values.index_select(axis, places)

    def whole(self, count: int) -> int:
        """How many rows the whole batch has, of which the share has `count`."""
        return count * self.of


WHOLE = Share()


def _kept(values: torch.Tensor) -> torch.Tensor:
    """Leave a sum over one process as it is."""
    return values


@dataclass(frozen=True)
class Ranks:
    """The processes that train one model together, and which of them is here; each computes a share of every batch.

    Attributes
    ----------
    rank, count : int
        Which one of how many.
    summed : callable
        Gives the sum of a tensor over all of them, the same to each; may write into what it is given.
    """

    rank: int = 0
    count: int = 1
    summed: Callable[[torch.Tensor], torch.Tensor] = field(default=_kept, repr=False, compare=False)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Mean of a tensor over all processes."""
        return values if self.count == 1 else self.summed(values.detach().clone()) / self.count

    def means(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Means of losses, each the mean over a share of the batch: those of the whole batch."""
        if self.count == 1:
            return dict(losses)
        # all in one exchange
        values = self.mean(torch.tensor(list(losses.values()), dtype=torch.float64))
        return dict(zip(losses, values.tolist(), strict=True))

    def all_agree(self, is_so: torch.Tensor) -> bool:
        """Whether a statement, one bool, holds in all processes."""
        return bool(is_so) if self.count == 1 else float(self.mean(is_so.float())) == 1.0

    def first_rows(self, values: torch.Tensor, at_most: int) -> torch.Tensor:
        """Give the first rows of the whole batch, of which `values` are this process' share, to each process."""
        if self.count == 1:
            return values[:at_most]
        # the first rows of the batch are the first ones of each share, in turns
        count = min(at_most, self.count * len(values))
        whole = values.new_zeros((count, *values.shape[1:]))
        mine = whole[self.rank :: self.count]  # a view
        mine.copy_(values[: len(mine)].detach())
        return self.summed(whole)  # a sum with zeros is exact


ALONE = Ranks()
