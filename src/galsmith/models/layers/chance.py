"""Random tensors from integer seeds, one stream a galaxy; nothing here touches torch's global state."""

from collections.abc import Sequence

import torch


def generator_from_seed(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Give a stream that starts at `seed`; on the CPU (the default) every machine sees the same numbers."""
    stream = torch.Generator(device=device)
    stream.manual_seed(seed)
    return stream


def normal_per_seed(seeds: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Draw standard normal numbers, [seed, *shape] float32; row k depends on ``seeds[k]`` alone."""
    rows = [torch.randn(tuple(shape), generator=generator_from_seed(seed)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty((0, *shape))
