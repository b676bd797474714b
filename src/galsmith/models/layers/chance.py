"""Random numbers from integer seeds, one stream a galaxy, and calls of a fixed size; no global state is touched."""

from collections.abc import Callable, Sequence

import torch

from galsmith.errors import SettingsError
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingProgress
from galsmith.seeds import derive_seed


def generator_from_seed(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Give a stream that starts at `seed`; on the CPU (the default) every machine sees the same numbers."""
    stream = torch.Generator(device=device)  # its own state: torch's global stream is left alone
    stream.manual_seed(seed)
    return stream


def step_chance(progress: TrainingProgress, device: torch.device) -> torch.Generator:
    """Give the stream of one training step, a function of the run's seed and the images seen."""
    return generator_from_seed(derive_seed(progress.seed, "train.noise", progress.images_seen), device)


def normal_per_seed(seeds: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Draw standard normal numbers, [seed, *shape] float32; row k depends on ``seeds[k]`` alone."""
    rows = [torch.randn(tuple(shape), generator=generator_from_seed(seed)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty((0, *shape))


def filled_normal(
    seeds: Sequence[int], n_numbers: int, *, per_call: int, device: torch.device
) -> torch.Tensor:
    """Draw the numbers of up to one call's galaxies, [per_call, n_numbers]; copies of the first row fill the call.

    Matrix products of another number of rows may differ in their last bits. Of a fixed number, each row of the
    result depends on its own row and its place alone, so that it matters not what the others hold.
    """
    chance = normal_per_seed(seeds, (n_numbers,))
    # any rows would do, if they are finite
    return torch.cat([chance, chance[:1].expand(per_call - len(seeds), -1)]).to(device)


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
