"""Fréchet distance between the Gaussians of two sets of features, exact in float64."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpstrf

from galsmith.errors import InputError

Features = NDArray[np.floating]
Floats = NDArray[np.float64]

ROWS_AT_ONCE = 4096


def frechet_distance(first: Features, second: Features) -> float:
    """Fréchet distance, squared as everywhere: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    Dowson & Landau (1982); of Inception's features it is the FID (Heusel et al. 2017). Covariances are taken
    with n - 1. No matrix square root of a product is taken: see `distance_of_gaussians`.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float
        Finite; at least 2 rows each.

    Raises
    ------
    InputError
        If the numbers of features differ, or a set has fewer than 2 rows.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(
            f"features have shapes {first.shape} and {second.shape}; wanted two tables with the same columns"
        )
    return distance_of_gaussians(gaussian_of(first), gaussian_of(second))


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a set, as what is smaller: the covariance, or rows whose product it is.

    Attributes
    ----------
    mean : ndarray [feature], float64
        Of the set.
    trace : float
        Of the covariance.
    rows : ndarray [galaxy, feature], float64, or None
        Centered and divided by sqrt(n - 1), so that ``rows.T @ rows`` is the covariance; where n <= d.
    covariance : ndarray [feature, feature], float64, or None
        Where n > d.
    """

    mean: Floats
    trace: float
    rows: Floats | None
    covariance: Floats | None


def gaussian_of(features: Features) -> Gaussian:
    """Fit a Gaussian.

    Parameters
    ----------
    features : ndarray [galaxy, feature], float
        Finite; summed in float64, in blocks, so that float32 features are never copied whole.

    Raises
    ------
    InputError
        If there are fewer than 2 rows.
    """
    count, n_features = features.shape
    if count < 2:
        raise InputError(f"a set of features has {count} rows; a covariance wants 2 or more")
    mean = features.mean(axis=0, dtype=np.float64)
    if count <= n_features:
        rows = (features.astype(np.float64) - mean) / np.sqrt(count - 1)
        return Gaussian(mean, float(np.einsum("nd,nd->", rows, rows)), rows, None)
    covariance = np.zeros((n_features, n_features))
    for start in range(0, count, ROWS_AT_ONCE):
        centered = features[start : start + ROWS_AT_ONCE].astype(np.float64) - mean
        covariance += centered.T @ centered
    covariance /= count - 1
    return Gaussian(mean, float(np.trace(covariance)), None, covariance)


def distance_of_gaussians(first: Gaussian, second: Gaussian) -> float:
    """Fréchet distance of two Gaussians.

    The trace of (S1 S2)^(1/2) is the sum of the singular values of R1 R2^T for any R1, R2 with R^T R = S. Sets with
    no more rows than features give R at once; else the eigenvalues of R1 S2 R1^T are taken, with R1 a Cholesky
    factor of S1, and those that rounding made negative are set to 0.
    """
    difference = first.mean - second.mean
    if first.rows is not None and second.rows is not None:
        overlap = float(np.linalg.svd(first.rows @ second.rows.T, compute_uv=False).sum())
    elif second.rows is not None:
        overlap = _overlap(second.rows, first)
    else:
        overlap = _overlap(_root(first), second)
    distance = float(difference @ difference) + first.trace + second.trace - 2 * overlap
    return max(distance, 0.0)


def _overlap(root: Floats, other: Gaussian) -> float:
    """Trace of the root of the product of two covariances, from a root of one and the other itself."""
    eigenvalues = np.linalg.eigvalsh(root @ _covariance(other) @ root.T)
    return float(np.sqrt(np.clip(eigenvalues, 0.0, None)).sum())


def _root(gaussian: Gaussian) -> Floats:
    """Give R with R^T R = S: the rows, or the pivoted Cholesky factor."""
    if gaussian.rows is not None:
        return gaussian.rows
    # Pivoting takes features that are constant or repeat others in its stride, and costs a tenth of an eigenbasis.
    factor, pivots, rank, _ = dpstrf(_covariance(gaussian))
    root = np.zeros((rank, len(pivots)))
    root[:, pivots - 1] = np.triu(factor)[:rank]
    return root


def _covariance(gaussian: Gaussian) -> Floats:
    """Covariance, made of the rows where it was not kept."""
    if gaussian.covariance is not None:
        return gaussian.covariance
    rows = gaussian.rows if gaussian.rows is not None else np.empty((0, len(gaussian.mean)))
    covariance: Floats = rows.T @ rows
    return covariance
