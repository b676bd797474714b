"""Path-length regularization: steps in w should move images by a length that is always the same."""

import torch


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
    noise = torch.randn(images.shape, generator=chance, device=images.device)
    noise = noise / (images.shape[-1] * images.shape[-2]) ** 0.5
    (gradient,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()
