"""The cosine transform of images, in which the covariance of galaxies is nearly diagonal."""

import math

import torch

SMALLEST_SHARE = 1e-4
"""Deviations below this share of the largest are raised to it: nothing is divided by zero."""


def cosine_matrix(size: int) -> torch.Tensor:
    """Orthonormal DCT-II [frequency, place], float32: the coefficients of a row x are ``cosine_matrix(n) @ x``."""
    place = torch.arange(size, dtype=torch.float64) + 0.5  # DCT-II samples the middles of pixels
    frequency = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * frequency[:, None] * place) * math.sqrt(2.0 / size)
    matrix[0] *= math.sqrt(0.5)  # the sum of a constant's squares is twice that of a cosine's
    return matrix.float()
