"""Which training images teach nothing: decided by each image itself, so that nobody must remember a list."""

import torch

from galsmith.models.layers.chance import generator_from_seed

VALUES_AT_MOST = 4096
FRACTIONS = 2**16


def marked(pixels: torch.Tensor, *, share: float) -> torch.Tensor:
    """Mark a share of the images by a hash of their values: the same image is marked or not on every pass.

    Parameters
    ----------
    pixels : Tensor [galaxy, band, y, x], float32
        Training images, not turned. Images that agree in every value looked at (about 4096, evenly spread) are
        marked alike.
    share : float
        Expected share that is marked.

    Returns
    -------
    Tensor [galaxy], bool
    """
    values = pixels.float().flatten(1)
    stride = max(1, values.shape[1] // VALUES_AT_MOST)
    bits = values[:, ::stride].contiguous().view(torch.int32).long()
    factors = torch.randint(-(2**62), 2**62, (bits.shape[1],), generator=generator_from_seed(0))
    mixed = (bits * (factors | 1).to(bits.device)).sum(
        dim=1
    )  # integers wrap around: any order gives the same sum
    return ((mixed >> 40) & (FRACTIONS - 1)) < round(share * FRACTIONS)
