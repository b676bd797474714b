"""Several processes that take steps together, and a batch in parts, give the steps of one process on a whole batch."""

import copy
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.families import family_named
from galsmith.models.layers import optimization
from galsmith.models.layers.adversarial import energy_distance
from galsmith.models.layers.chance import drawn_rows, generator_from_seed, permuted, step_chance
from galsmith.models.layers.edm import NoiseLaw, draw_noise_levels
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.shares import ALONE, Ranks, Share

N_IMAGES, N_STEPS = 24, 4
OF_ONE_PROCESS = {"vae", "cvae", "dcgan"}
"""Families of batch normalization."""
APART, APART_IN_BFLOAT16 = 2e-4, 0.05
"""How far weights may be apart, of the way that they went: 1e-5 by float32 (measured: 1e-6 to 4e-5), where steps are not
rounded to bfloat16, as those of the relay's matrices are (measured: 0.02)."""
LAW = NoiseLaw(mean=-1.0, std=1.2, lowest=0.01, highest=80.0)


class Meeting:
    """Sums tensors over threads that stand for processes; each has to come, or all wait until they give up."""

    def __init__(self, count: int) -> None:
        self.count, self._parts = count, [torch.zeros(0)] * count
        self._barrier = threading.Barrier(count, timeout=60)

    def ranks(self, rank: int) -> Ranks:
        """Give one of them."""

        def summed(values: torch.Tensor) -> torch.Tensor:
            self._parts[rank] = values.clone()
            self._barrier.wait()
            total = sum(self._parts[1:], self._parts[0])
            self._barrier.wait()
            return total

        return Ranks(rank, self.count, summed)

    def held(self, work: Callable[[Ranks], object]) -> list:
        """Let all of them work; gives what each returned."""
        with ThreadPoolExecutor(self.count) as pool:
            return list(pool.map(work, [self.ranks(rank) for rank in range(self.count)]))


def of_ranks(batch: NetworkBatch, ranks: Ranks) -> NetworkBatch:
    """A process' share of a batch."""
    share = Share(ranks.rank, ranks.count)
    return NetworkBatch(share.rows(batch.pixels), share.rows(batch.scalars))


def steps(trainer, batch: NetworkBatch, ranks: Ranks = ALONE, *, parts: int = 1) -> list[dict[str, float]]:
    """Take some steps on a share of a batch, in parts."""
    rows = of_ranks(trainer.compacted(batch), ranks)
    return [
        dict(trainer.step(rows, TrainingProgress(3, N_IMAGES * number, 0.01 * number, ranks, parts=parts)))
        for number in range(N_STEPS)
    ]


def weights(trainer) -> torch.Tensor:
    """All weights of a generator in one row."""
    return torch.cat([value.detach().reshape(-1).double() for value in trainer.generator.parameters()])


@pytest.fixture
def few(training_blobs) -> NetworkBatch:
    """A batch that four processes divide into groups of whole number."""
    return NetworkBatch(training_blobs.pixels[:N_IMAGES], training_blobs.scalars[:N_IMAGES])


@pytest.fixture
def config(family, tiny_configs):
    return tiny_configs[family]


def distance(one, other, *, first: torch.Tensor) -> float:
    """How far the weights of two trainers are apart, of the way that the first one's went."""
    assert not torch.equal(weights(one), first)
    return float((weights(one) - weights(other)).norm() / (weights(one) - first).norm())


def copies(trainer, count: int) -> list:
    """A trainer and copies of it, each with networks and optimizers of its own."""
    return [trainer, *(copy.deepcopy(trainer) for _ in range(count - 1))]


def apart_at_most(config) -> float:
    return APART_IN_BFLOAT16 if config.family == "relay_diffusion" else APART


def assert_near(taken: list[dict[str, float]], wanted: list[dict[str, float]]) -> None:
    """Hold the losses of all steps against those that are wanted, which are of order one."""
    for one, other in zip(taken, wanted, strict=True):
        assert list(one) == list(other)
        assert one == pytest.approx(other, rel=1e-4, abs=2e-5)


def test_two_processes_train_as_one(family, config, training_blobs, few, build):
    if config.family in OF_ONE_PROCESS:
        pytest.skip("one process alone trains it")
    whole, *others = copies(build(family, training_blobs), 3)
    first = weights(whole)
    wanted = steps(whole, few)
    taken = Meeting(2).held(lambda ranks: steps(others[ranks.rank], few, ranks))
    assert taken[0] == taken[1]
    assert torch.equal(weights(others[0]), weights(others[1]))
    assert_near(taken[0], wanted)
    assert distance(whole, others[0], first=first) < apart_at_most(config)


@pytest.mark.parametrize("family", ["diffusion", "stylegan2"])
def test_three_processes_train_as_one(family, config, training_blobs, few, build):
    whole, *others = copies(build(family, training_blobs), 4)
    first = weights(whole)
    wanted = steps(whole, few)
    taken = Meeting(3).held(lambda ranks: steps(others[ranks.rank], few, ranks))
    assert_near(taken[0], wanted)
    assert distance(whole, others[2], first=first) < APART


@pytest.mark.parametrize("family", ["pca_diffusion", "diffusion", "relay_diffusion", "stylegan2", "alae"])
def test_without_the_mean_of_gradients_they_do_not(family, config, training_blobs, few, build):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimization, "averaged_gradients", lambda optimizers, losses, ranks: losses)
        whole, *others = copies(build(family, training_blobs), 3)
        first = weights(whole)
        steps(whole, few)
        Meeting(2).held(lambda ranks: steps(others[ranks.rank], few, ranks))
    assert not torch.equal(weights(others[0]), weights(others[1]))
    assert distance(whole, others[0], first=first) > 4 * apart_at_most(config)


def test_parts_of_a_batch_train_as_the_whole(family, config, training_blobs, few, build):
    if not family_named(config.family).in_parts:
        pytest.skip("its batches have no parts")
    whole, other = copies(build(family, training_blobs), 2)
    first = weights(whole)
    wanted = steps(whole, few)
    assert_near(steps(other, few, parts=3), wanted)
    assert distance(whole, other, first=first) < apart_at_most(config)


def test_two_processes_of_two_parts_train_as_one(training_blobs, few, build):
    whole, *others = copies(build("diffusion", training_blobs), 3)
    first = weights(whole)
    wanted = steps(whole, few)
    taken = Meeting(2).held(lambda ranks: steps(others[ranks.rank], few, ranks, parts=2))
    assert_near(taken[0], wanted)
    assert distance(whole, others[1], first=first) < APART


@pytest.mark.parametrize("family", ["diffusion", "stylegan2", "alae"])
def test_a_bad_number_of_one_process_changes_nothing_in_any(family, training_blobs, few, build):
    trainers = copies(build(family, training_blobs), 2)
    first = weights(trainers[0])
    rows = trainers[0].compacted(few)
    rows = NetworkBatch(rows.pixels.clone(), rows.scalars.clone())
    rows.pixels[1] = rows.scalars[1] = torch.nan  # the second process has the odd places

    def step(ranks: Ranks) -> float:
        return trainers[ranks.rank].step(of_ranks(rows, ranks), TrainingProgress(3, 0, 0.0, ranks))["loss"]

    assert all(math.isnan(loss) for loss in Meeting(2).held(step))
    assert torch.equal(weights(trainers[0]), first)
    assert torch.equal(weights(trainers[1]), first)


@pytest.mark.parametrize(
    ("draw", "shape", "axis"),
    [
        (torch.randn, [6, 2, 3], 0),
        (torch.rand, [2, 6], 1),
        (partial(torch.randint, 0, 8), [6], 0),
        (permuted, [6], 0),
    ],
)
def test_an_image_has_the_same_noise_whoever_draws_it(draw, shape, axis):
    def drawn(ranks: Ranks, part: int, parts: int) -> torch.Tensor:
        chance = step_chance(TrainingProgress(3, 96, 0.0, ranks, part, parts), torch.device("cpu"))
        mine = list(shape)
        mine[axis] //= ranks.count * parts
        return drawn_rows(draw, mine, chance, axis=axis)

    whole = drawn(ALONE, 0, 1).movedim(axis, 0)
    for rank in range(3):
        for part in range(2):
            mine = drawn(Ranks(rank, 3), part, 2).movedim(axis, 0)
            assert torch.equal(mine, whole[rank + 3 * part :: 6])
    plain = draw(
        shape, generator=step_chance(TrainingProgress(3, 96, 0.0), torch.device("cpu")), device="cpu"
    )
    assert torch.equal(plain.movedim(axis, 0), whole)


def test_noise_levels_of_all_processes_are_those_of_the_batch():
    def levels(ranks: Ranks) -> torch.Tensor:
        chance = step_chance(TrainingProgress(3, 96, 0.0, ranks), torch.device("cpu"))
        return draw_noise_levels(24 // ranks.count, LAW, chance=chance)

    whole = levels(ALONE)
    for rank in range(4):
        assert torch.equal(levels(Ranks(rank, 4)), whole[rank::4])
    same_stream = draw_noise_levels(6, LAW, chance=generator_from_seed(1))  # one that is none of a step
    assert len(same_stream) == 6


def test_the_distance_of_a_batch_is_known_to_all_who_have_a_share_of_it():
    chance = generator_from_seed(2)
    real, drawn = (torch.randn(40, 3, generator=chance) + shift for shift in (0.0, 0.7))
    wanted = energy_distance(real, drawn)

    def told(ranks: Ranks) -> float:
        share = Share(ranks.rank, ranks.count)
        return energy_distance(share.rows(real), share.rows(drawn), ranks=ranks)

    assert Meeting(2).held(told) == [wanted, wanted]
    assert Meeting(4).held(told) == [wanted] * 4


@pytest.mark.parametrize("family", sorted(OF_ONE_PROCESS))
def test_batch_normalization_is_of_one_process(family, config):
    with pytest.raises(SettingsError, match=f"{family} cannot be trained by 2 processes .* batch normaliz"):
        family_named(family).check_ranks(config, 32, 2)


@pytest.mark.parametrize("family", ["stylegan", "stylegan2"])
def test_groups_of_images_are_not_torn(family, config):
    check = family_named(family).check_ranks
    check(config, 16, 4)
    with pytest.raises(SettingsError, match=r"batch_size=12.*leaves 6 images .*wanted a multiple of 8"):
        check(config, 12, 2)


def test_batches_of_every_side_are_divided(tiny_configs):
    check, config = family_named("alae").check_ranks, tiny_configs["alae"]
    check(config, 24, 3)
    levels = config.model_copy(update={"level_batches": ((8, 16), (256, 9))})
    check(levels, 9, 3)
    with pytest.raises(SettingsError, match="2 processes do not divide the batches of every side"):
        check(levels, 18, 2)


def test_a_family_of_others_is_trained_by_one_process_unless_it_says_more(tiny_configs):
    record = family_named("diffusion")
    silent = type(record)("diffusion", record.config, record.network, record.trainer)
    with pytest.raises(SettingsError, match="its record does not say by `check_ranks`"):
        silent.check_ranks(tiny_configs["diffusion"], 32, 2)
    assert not silent.in_parts
