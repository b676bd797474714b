"""The terms of a variational autoencoder's evidence lower bound (Kingma & Welling 2014), and drawing its latent."""

import torch
from torch.nn import functional


def gaussian_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of N(mean, variance) from N(0, 1), summed over the last axis, in nats."""
    # Kingma & Welling 2014, app. B
    return 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=-1)


def drawn_latent(mean: torch.Tensor, log_variance: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Draw z of N(mean, variance) from standard normal numbers, so that it can be differentiated (same paper, sec. 2.4)."""
    return mean + noise * (0.5 * log_variance).exp()


def excess_cross_entropy(logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of pixels in 0 to 1 less their own entropy, which no decoder can change, [galaxy], in nats.

    Summed over all pixels; 0 where the sigmoid of the logits is the image.

    Parameters
    ----------
    logits, images : Tensor [galaxy, ...], float32
        What is said of the pixels before a sigmoid, and the pixels.
    """
    crossed = functional.binary_cross_entropy_with_logits(logits, images, reduction="none")
    # of a coin of that brightness; 0 for black and white
    entropy = -torch.special.xlogy(images, images) - torch.special.xlogy(1 - images, 1 - images)
    return (crossed - entropy).flatten(1).sum(dim=1)
