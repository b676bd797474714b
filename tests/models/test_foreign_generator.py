"""Families of others: a network that cannot draw, draws other shapes, or has no loss, is refused by name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models import Blueprint, DescentTrainer, Family, NetworkBatch, drawn_in_calls, register_family
from galsmith.models.families import FAMILIES
from galsmith.settings import Settings
from galsmith.training import train


class ForeignConfig(Settings):
    family: Literal["foreign"] = "foreign"


class Foreign(torch.nn.Module):
    """As it must be for images of 32 px in one band."""

    galaxies_per_call = 8
    side_pix = 32

    def __init__(self, plan: Blueprint) -> None:
        super().__init__()
        self.description = plan.description
        self.light = torch.nn.Parameter(torch.ones(self.side_pix, self.side_pix))

    def loss(self, batch: NetworkBatch, chance: torch.Generator) -> torch.Tensor:
        return (batch.pixels - self.light).square().mean()

    def drawn(self, normal: torch.Tensor) -> NetworkBatch:
        return NetworkBatch(self.light.expand(len(normal), 1, -1, -1), normal)

    @torch.no_grad()
    def sample(self, seeds: list[int], conditions: Any = None) -> Any:
        return drawn_in_calls(
            self.drawn,
            seeds,
            n_numbers=len(self.description.scalar_names),
            per_call=8,
            description=self.description,
            device=self.light.device,
        )


class Small(Foreign):
    side_pix = 16


class OfTwo(Foreign):
    def sample(self, seeds: list[int], conditions: Any = None) -> Any:
        return self.light.expand(len(seeds), 1, -1, -1), torch.zeros(len(seeds), 1)


class Failing(Foreign):
    def sample(self, seeds: list[int]) -> Any:  # type: ignore[override]
        return None


class WithoutSize(Foreign):
    galaxies_per_call = property(lambda self: self.not_there)  # type: ignore[assignment]


class PerPixel(Foreign):
    def loss(self, batch: NetworkBatch, chance: torch.Generator) -> torch.Tensor:
        return (batch.pixels - self.light).square()


@pytest.fixture
def images() -> ImageSet:
    light = torch.rand(120, 1, 32, 32, generator=torch.Generator().manual_seed(1)).numpy()
    return image_set_from_arrays(list(light), ImageHeader(("r",), "nJy", 0.2))


@pytest.fixture
def register() -> Iterator[Callable[[type[Foreign]], None]]:
    """Registers a network as the family "foreign" while the test runs."""

    def start(network: Foreign, plan: Blueprint) -> DescentTrainer:
        return DescentTrainer(
            network, network.loss, torch.optim.Adam(network.parameters()), rate=lambda progress: 1e-3
        )

    before = dict(FAMILIES)
    yield lambda kind: register_family(
        Family("foreign", ForeignConfig, network=kind, trainer=start), when_to_choose="for tests"
    )
    FAMILIES.clear()
    FAMILIES.update(before)


SETS = ("training.batch_size=16",)


def test_a_network_as_it_must_be_is_trained(
    images: ImageSet, register: Callable[..., None], tmp_path: Path
) -> None:
    register(Foreign)
    assert (train("foreign", images, tmp_path / "run", images=32, overrides=SETS) / "snapshot").is_dir()


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (WithoutSize, r"family 'foreign': its network WithoutSize has no galaxies_per_call; wanted"),
        (Small, r"family 'foreign'.*drawn pixels are \[8, 1, 16, 16\]; wanted \[8, 1, 32, 32\]"),
        (OfTwo, r"family 'foreign'.*drawn pixels are a NoneType in a tuple; wanted a NetworkBatch"),
        (Failing, r"family 'foreign': cannot draw a galaxy: TypeError"),
    ],
)
def test_a_network_that_cannot_draw_is_refused_before_there_is_a_run(
    network: type[Foreign], said: str, images: ImageSet, register: Callable[..., None], tmp_path: Path
) -> None:
    register(network)
    with pytest.raises(SettingsError, match=said):
        train("foreign", images, tmp_path / "run", images=32, overrides=SETS)
    assert not (tmp_path / "run").exists()


def test_a_loss_is_one_number(images: ImageSet, register: Callable[..., None], tmp_path: Path) -> None:
    register(PerPixel)
    with pytest.raises(
        SettingsError, match=r"loss of PerPixel is a tensor \[16, 1, 32, 32\]; wanted a tensor of one"
    ):
        train("foreign", images, tmp_path / "run", images=32, overrides=SETS)
