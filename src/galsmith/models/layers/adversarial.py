"""What generator and discriminator play for, what keeps the play calm, and a distance that tells how it goes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

from galsmith.models.layers.chance import drawn_rows
from galsmith.models.shares import ALONE, Ranks

SMALLEST_VARIANCE = 1e-8
LARGEST_GROUP = 4  # as in StyleGAN2's code
LARGEST_BATCH = 32
ADAM_BETAS = (0.0, 0.99)  # Karras+18, app. A.1; Karras+20, app. B, without its correction for lazy penalties


def adversarial_adam(
    *networks: torch.nn.Module, rate: float = 1e-3, betas: tuple[float, float] = ADAM_BETAS
) -> torch.optim.Adam:
    """Optimizer of networks that play, of what has a gradient in them; the rate may be given anew at each step."""
    parameters = [value for network in networks for value in network.parameters() if value.requires_grad]
    return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=1e-8, fused=True)


def discriminator_loss(real_logits: torch.Tensor, drawn_logits: torch.Tensor) -> torch.Tensor:
    """Logistic loss of a discriminator whose logits are high for real images (Goodfellow et al. 2014, eq. 1).

    2 ln 2 where it cannot tell them apart.

    Parameters
    ----------
    real_logits, drawn_logits : Tensor [galaxy, 1], float32
        Of the two sets.
    """
    # -ln D(x) - ln(1 - D(G(z)))
    return functional.softplus(-real_logits).mean() + functional.softplus(drawn_logits).mean()


def generator_loss(drawn_logits: torch.Tensor) -> torch.Tensor:
    """Non-saturating logistic loss of the generator (same paper, end of sec. 3); ln 2 at a draw."""
    return functional.softplus(-drawn_logits).mean()  # -ln D(G(z))


def hinge_discriminator_loss(real_logits: torch.Tensor, drawn_logits: torch.Tensor) -> torch.Tensor:
    """Hinge loss of a discriminator (Lim & Ye 2017, eq. 13): nothing is won beyond 1 and -1; 2 where both are 0."""
    return functional.relu(1 - real_logits).mean() + functional.relu(1 + drawn_logits).mean()


def hinge_generator_loss(drawn_logits: torch.Tensor) -> torch.Tensor:
    """Loss of a generator against `hinge_discriminator_loss`: minus its mean logit."""
    return -drawn_logits.mean()  # Lim & Ye 2017, eq. 14


@dataclass(frozen=True)
class Game:
    """What two networks play for.

    Attributes
    ----------
    discriminator : callable
        ``(real_logits, drawn_logits) -> Tensor []``.
    generator : callable
        ``(drawn_logits) -> Tensor []``.
    """

    discriminator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    generator: Callable[[torch.Tensor], torch.Tensor]


GameName = Literal["logistic", "hinge"]
GAMES: dict[GameName, Game] = {
    "logistic": Game(discriminator_loss, generator_loss),
    "hinge": Game(hinge_discriminator_loss, hinge_generator_loss),
}


def played(
    game: Game,
    discriminator: torch.nn.Module,
    logits_of: Callable[[torch.Tensor], torch.Tensor],
    *,
    real: torch.Tensor,
    drawn: torch.Tensor,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Leave the gradients of both networks' losses, taken at the same weights and with the same drawn images.

    Parameters
    ----------
    game : Game
        What is played for.
    discriminator : torch.nn.Module
        Whose weights get the gradient of its loss, and none of the generator's.
    logits_of : callable
        Asks it.
    real, drawn : Tensor [galaxy, plane, y, x]
        The two sets, the second with its graph to the generator.

    Returns
    -------
    Tensor [galaxy, plane, y, x]
        The drawn images without their graph.
    dict of str to float
        Both losses.
    """
    shown = drawn.detach().requires_grad_()
    drawn_logits, real_logits = logits_of(shown), logits_of(real)
    for_generator = game.generator(drawn_logits)
    for_discriminator = game.discriminator(real_logits, drawn_logits)
    # how the images should change; the discriminator keeps its weights
    (wanted_change,) = torch.autograd.grad(for_generator, shown, retain_graph=True)
    torch.autograd.backward(for_discriminator, inputs=list(discriminator.parameters()))
    torch.autograd.backward(drawn, wanted_change)  # carried on to the generator's weights
    return shown.detach(), {
        "discriminator_loss": float(for_discriminator.detach()),
        "generator_loss": float(for_generator.detach()),
    }


def squared_gradients(
    outputs: torch.Tensor, inputs: torch.Tensor, *, units: torch.Tensor | float = 1.0
) -> torch.Tensor:
    """Squared norm of the outputs' gradient, image by image, [galaxy]; it can be differentiated itself.

    R1 is ``gamma / 2`` times its mean over real images (Mescheder et al. 2018, eq. 9).

    Parameters
    ----------
    outputs : Tensor [galaxy, ...]
        Such as logits; summed.
    inputs : Tensor [galaxy, ...]
        What they were computed from, with ``requires_grad``.
    units : Tensor or float
        In whose multiples inputs are counted, broadcast against them: of twice the unit the gradient is half.
    """
    (gradient,) = torch.autograd.grad(outputs.sum(), inputs, create_graph=True)
    return (gradient * units).square().flatten(1).sum(dim=1)


def group_size(n_images: int) -> int:
    """Images of a group of `with_group_deviation`: four, or the largest smaller number that divides the batch."""
    return next(count for count in range(min(LARGEST_GROUP, n_images), 0, -1) if n_images % count == 0)


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
    size = group_size(galaxies)
    groups = values.reshape(size, galaxies // size, channels, height, width).float()
    variance = (groups - groups.mean(dim=0)).square().mean(dim=0)
    deviation = (variance + SMALLEST_VARIANCE).sqrt().mean(dim=(1, 2, 3))
    plane = deviation.repeat(size).reshape(-1, 1, 1, 1).expand(-1, 1, height, width)
    return torch.cat([values, plane.to(values.dtype)], dim=1)


def path_lengths(images: torch.Tensor, styles: torch.Tensor, *, chance: torch.Generator) -> torch.Tensor:
    """Length of the image's change for unit steps of w, [galaxy] (Karras et al. 2020, sec. 3.2, eq. 4).

    |J^T y| for the Jacobian J of an image in w and a normal image y of variance 1 / (height width), averaged over
    levels as the root of the mean square; it can be differentiated itself.

    Parameters
    ----------
    images : Tensor [galaxy, band, y, x], float32
        Drawn from `styles`.
    styles : Tensor [galaxy, level, latent], float32
        The w of each level.
    chance : torch.Generator
        Draws y, on the device of the images.
    """
    noise = drawn_rows(torch.randn, images.shape, chance)
    noise = noise / (images.shape[-1] * images.shape[-2]) ** 0.5  # lengths then do not depend on the side
    (gradient,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()  # |J^T y|


@torch.no_grad()
def energy_distance(first: torch.Tensor, second: torch.Tensor, *, ranks: Ranks = ALONE) -> float:
    """Energy distance of two batches, unbiased: 2 E|x - y| - E|x - x'| - E|y - y'| (Székely & Rizzo 2013).

    Parameters
    ----------
    first, second : Tensor [galaxy, ...]
        Of equal shape but for the first axis; the first 32 of each are used.
    ranks : Ranks
        Whose shares of two whole batches these are.

    Returns
    -------
    float
        In units of the root mean square difference of two images' values. Below zero by chance where both follow
        one law.
    """
    one, other = (ranks.first_rows(batch, LARGEST_BATCH).float().flatten(1) for batch in (first, second))
    between = _lengths(one, other).mean()
    scale = one.shape[1] ** 0.5
    return float((2 * between - _mean_within(one) - _mean_within(other)) / scale)


def _mean_within(values: torch.Tensor) -> torch.Tensor:
    """Mean distance of two different rows; 0 of a single row."""
    count = len(values)
    # unbiased: no image is compared with itself
    return _lengths(values, values).sum() / max(count * (count - 1), 1)


def _lengths(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Distances [first, second] of rows, without cancellation."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
