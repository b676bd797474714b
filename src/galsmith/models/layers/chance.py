"""Random numbers from integer seeds, one stream a galaxy, and calls of a fixed size; no global state is touched.

Numbers of galaxies are a function of (seed, position) by arithmetic that every device does alike: whole numbers, and single
float64 products and sums, which IEEE 754 rounds in one way. So they are drawn where they are used, all galaxies at once.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch

from galsmith.errors import SettingsError
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingProgress
from galsmith.models.shares import WHOLE, Share
from galsmith.seeds import derive_seed

NUMBERS_AT_ONCE_ON_CPU = 2**15  # their steps stay in the cache; a device takes all at once
# SplitMix64 (Steele, Lea & Flood 2014, fig. 16): the odd gamma, and two multipliers, as signed numbers
GAMMA, FIRST_FACTOR, SECOND_FACTOR = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
BITS, OCTAVES, PARTS = 32, 32, 64  # of one number; of its probability; cubics an octave


def generator_from_seed(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Give a stream that starts at `seed`; on the CPU (the default) every machine sees the same numbers."""
    stream = torch.Generator(device=device)  # its own state: torch's global stream is left alone
    stream.manual_seed(seed)
    return stream


class StepChance(torch.Generator):
    """The stream of one training step, which knows whose places of the batch are computed with it."""

    share: Share = WHOLE


def step_chance(progress: TrainingProgress, device: torch.device, *, round_number: int = 0) -> StepChance:
    """Give the stream of one training step, a function of the run's seed, the images seen and the round of the step."""
    stream = StepChance(device=device)
    place = (progress.images_seen, round_number) if round_number else (progress.images_seen,)
    stream.manual_seed(derive_seed(progress.seed, "train.noise", *place))
    stream.share = progress.share
    return stream


def share_of(chance: torch.Generator) -> Share:
    """Say whose places of the batch a stream draws for: all where it is none of a step."""
    return chance.share if isinstance(chance, StepChance) else WHOLE


def drawn_rows(
    draw: Callable[..., torch.Tensor], shape: Sequence[int], chance: torch.Generator, *, axis: int = 0
) -> torch.Tensor:
    """Draw the numbers of a step's images: for all of the batch, of which those of the present share are kept.

    So an image has the same noise, whoever computes it and with how many others.

    Parameters
    ----------
    draw : callable
        ``(shape, generator=, device=)``, such as `torch.randn`.
    shape : sequence of int
        Of the present share.
    chance : torch.Generator
        On the device of the result.
    axis : int
        Of the images, or of some rows an image in the order of `Share`.
    """
    # streams cannot be entered in their middle: others' numbers are drawn and dropped
    share, whole = share_of(chance), list(shape)
    whole[axis] = share.whole(whole[axis])
    return share.rows(draw(whole, generator=chance, device=chance.device), axis=axis)


def permuted(shape: Sequence[int], *, generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """Draw a random order of so many places, for `drawn_rows`."""
    return torch.randperm(shape[0], generator=generator, device=device)


def normal_per_seed(
    seeds: Sequence[int], shape: Sequence[int], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Draw standard normal numbers, [seed, *shape] float32; row k depends on ``seeds[k]`` alone, to the bit on any device.

    Each pair of numbers is one output of the counter-based generator SplitMix64, started at the seed, whose two halves
    of 32 bits go through the normal law's quantiles: they reach to 6.3.
    """
    n_numbers = math.prod(shape)
    keys = torch.tensor(list(seeds), dtype=torch.int64, device=device)
    at_once = len(keys) if keys.is_cuda else max(1, NUMBERS_AT_ONCE_ON_CPU // max(n_numbers, 1))
    parts = [_normal_of_bits(_bits(some, n_numbers)) for some in torch.split(keys, max(at_once, 1))]
    return torch.cat(parts).reshape(len(keys), *shape)


def _bits(keys: torch.Tensor, n_numbers: int) -> torch.Tensor:
    """Draw whole numbers of 32 bits, [key, n_numbers] int64; products wrap, as in whole numbers of 64 bits."""
    counter = torch.arange(1, (n_numbers + 1) // 2 + 1, dtype=torch.int64, device=keys.device)
    mixed = keys[:, None] + counter * GAMMA
    for shift, factor in ((30, FIRST_FACTOR), (27, SECOND_FACTOR)):
        mixed = (mixed ^ _shifted(mixed, shift)) * factor
    mixed = mixed ^ _shifted(mixed, 31)
    halves = torch.stack([_shifted(mixed, BITS), mixed & (2**BITS - 1)], dim=-1)
    return halves.reshape(len(keys), 2 * len(counter))[:, :n_numbers]


def _shifted(values: torch.Tensor, count: int) -> torch.Tensor:
    """Shift to the right without regard to the sign."""
    return (values >> count) & (2 ** (64 - count) - 1)


def _normal_of_bits(bits: torch.Tensor) -> torch.Tensor:
    """Bring whole numbers of 32 bits, each as likely, to standard normal ones, float32, by cubics in the probability."""
    is_upper = bits >= 2 ** (BITS - 1)
    odd = (
        2 * torch.where(is_upper, 2**BITS - 1 - bits, bits) + 1
    )  # probability of the lower half, times 2**33
    mantissa, exponent = torch.frexp(odd.double())
    place = (mantissa - 0.5) * (2 * PARTS)
    part = place.floor()
    cubics = _quantile_cubics(str(bits.device))[(exponent.long() - 1) * PARTS + part.long()]
    along = place - part
    # one product and one sum at a time: fused ones round otherwise
    value = cubics[..., 3]
    for power in (2, 1, 0):
        value = cubics[..., power] + along * value
    return torch.where(is_upper, -value, value).float()


@lru_cache(maxsize=8)
def _quantile_cubics(device: str) -> torch.Tensor:
    """Cubics of the normal law's quantiles, [octave * part, power] float64, through four points of each part."""
    nodes = 0.5 - 0.5 * torch.cos(torch.pi * (torch.arange(4, dtype=torch.float64) + 0.5) / 4)  # Chebyshev's
    octave = torch.arange(1, OCTAVES + 1, dtype=torch.float64)[:, None, None]
    mantissa = 0.5 + (torch.arange(PARTS, dtype=torch.float64)[:, None] + nodes) / (2 * PARTS)
    quantiles = torch.special.ndtri(mantissa * 2.0 ** (octave - BITS - 1))
    powers = nodes[:, None] ** torch.arange(4, dtype=torch.float64)
    return torch.linalg.solve(powers, quantiles[..., None])[..., 0].reshape(-1, 4).to(device)


def filled_normal(
    seeds: Sequence[int], n_numbers: int, *, per_call: int, device: torch.device
) -> torch.Tensor:
    """Draw the numbers of up to one call's galaxies, [per_call, n_numbers]; copies of the first row fill the call.

    Matrix products of another number of rows may differ in their last bits. Of a fixed number, each row of the
    result depends on its own row and its place alone, so that it matters not what the others hold.
    """
    chance = normal_per_seed(seeds, (n_numbers,), device)
    # any rows would do, if they are finite
    return torch.cat([chance, chance[:1].expand(per_call - len(seeds), -1)])


def refuse_other_shapes(drawn: NetworkBatch, n: int, description: DataDescription) -> None:
    """Refuse what was drawn for `n` galaxies if it is not shaped as the training set.

    Raises
    ------
    SettingsError
        With the shape that came and the one that was wanted.
    """
    side = description.size_pix
    for name, wanted in (
        ("pixels", [n, len(description.bands), side, side]),
        ("scalars", [n, len(description.scalar_names)]),
    ):
        came = getattr(drawn, name, None)
        if not isinstance(came, torch.Tensor):
            raise SettingsError(
                f"drawn {name} are a {type(came).__name__} in a {type(drawn).__name__}; wanted a NetworkBatch of "
                "two tensors"
            )
        if list(came.shape) != wanted:
            raise SettingsError(f"drawn {name} are {list(came.shape)}; wanted {wanted}")


def drawn_in_calls(
    draw: Callable[[torch.Tensor], NetworkBatch],
    seeds: Sequence[int],
    *,
    n_numbers: int,
    per_call: int,
    description: DataDescription,
    device: torch.device,
) -> NetworkBatch:
    """Draw one galaxy for each seed in calls of a fixed size, so that none depends on how many are drawn with it.

    Parameters
    ----------
    draw : callable
        Maps standard normal numbers [per_call, n_numbers] to that many galaxies.
    seeds : sequence of int
        One a galaxy; may be empty.
    n_numbers : int
        That one galaxy takes.
    per_call : int
        Galaxies that are computed at once.
    description : DataDescription
        Of the training set; says the shapes.
    device : torch.device
        Of the network.

    Raises
    ------
    SettingsError
        If `draw` gives other shapes than the description says.
    """
    side = description.size_pix
    pixels = [torch.empty((0, len(description.bands), side, side), device=device)]
    scalars = [torch.empty((0, len(description.scalar_names)), device=device)]
    for start in range(0, len(seeds), per_call):
        some = seeds[start : start + per_call]
        drawn = draw(filled_normal(some, n_numbers, per_call=per_call, device=device))
        refuse_other_shapes(drawn, per_call, description)
        pixels.append(drawn.pixels[: len(some)])
        scalars.append(drawn.scalars[: len(some)])
    return NetworkBatch(torch.cat(pixels), torch.cat(scalars))


def refuse_conditions(conditions: torch.Tensor | None, family: str) -> None:
    """Raise `SettingsError` where scalars are given to a family that draws them together with the images."""
    if conditions is not None:
        raise SettingsError(
            f"conditions: a {family} model draws scalars and images together; train the family diffusion to draw images "
            "for given scalars"
        )
