"""What generator and discriminator play for, and what keeps the play calm: losses, R1, minibatch deviation."""

import torch
from torch.nn import functional

SMALLEST_VARIANCE = 1e-8
LARGEST_GROUP = 4


def discriminator_loss(real_logits: torch.Tensor, drawn_logits: torch.Tensor) -> torch.Tensor:
    """Logistic loss of a discriminator whose logits are high for real images (Goodfellow et al. 2014, eq. 1).

    2 ln 2 where it cannot tell them apart.

    Parameters
    ----------
    real_logits, drawn_logits : Tensor [galaxy, 1], float32
        Of the two sets.
    """
    return functional.softplus(-real_logits).mean() + functional.softplus(drawn_logits).mean()


def generator_loss(drawn_logits: torch.Tensor) -> torch.Tensor:
    """Non-saturating logistic loss of the generator (same paper, end of sec. 3); ln 2 at a draw."""
    return functional.softplus(-drawn_logits).mean()


def squared_gradients(outputs: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Squared norm of the outputs' gradient, image by image, [galaxy]; it can be differentiated itself.

    R1 is ``gamma / 2`` times its mean over real images (Mescheder et al. 2018, eq. 9).

    Parameters
    ----------
    outputs : Tensor [galaxy, ...]
        Such as logits; summed.
    inputs : Tensor [galaxy, ...]
        What they were computed from, with ``requires_grad``.
    """
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(dim=1)


def with_group_deviation(values: torch.Tensor) -> torch.Tensor:
    """Append a plane that tells how much the images of a small group differ (Karras et al. 2018, sec. 3).

    A group has four images, or the largest smaller number that divides the batch. Image k is grouped with those
    of the same k modulo the number of groups.

    Parameters
    ----------
    values : Tensor [galaxy, channel, y, x]
        Activations.

    Returns
    -------
    Tensor [galaxy, channel + 1, y, x]
        The last plane holds, for all images of a group, the mean over channels and pixels of the standard
        deviation over the group.
    """
    galaxies, channels, height, width = values.shape
    if galaxies == 0:
        return values.new_empty((0, channels + 1, height, width))
    size = next(count for count in range(min(LARGEST_GROUP, galaxies), 0, -1) if galaxies % count == 0)
    groups = values.reshape(size, galaxies // size, channels, height, width).float()
    variance = (groups - groups.mean(dim=0)).square().mean(dim=0)
    deviation = (variance + SMALLEST_VARIANCE).sqrt().mean(dim=(1, 2, 3))
    plane = deviation.repeat(size).reshape(-1, 1, 1, 1).expand(-1, 1, height, width)
    return torch.cat([values, plane.to(values.dtype)], dim=1)
