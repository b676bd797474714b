"""Many columns in few: principal components of two sets together, and the length of what they leave out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_COLUMNS = 64
COMPONENTS = 50


def reduce_columns(
    reference: Floats, generated: Floats, columns: Sequence[str]
) -> tuple[tuple[Floats, Floats], tuple[str, ...]]:
    """Replace more than `MOST_COLUMNS` columns by `COMPONENTS` principal components and the length of the rest.

    The components are those of both sets together: fitted to the reference alone they would fit it better
    than any other set, and a classifier would tell the sets apart by that. The length of the rest, taken as
    its logarithm, keeps what the generated set has and no component shows.

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite.
    columns : sequence of str
        Their names.

    Returns
    -------
    values : tuple of ndarray [galaxy, column], float64
        Reference and generated set; as given where there are few columns. Components have unit variance.
    names : tuple of str
        ``pc_00`` and so on, ``pc_rest`` last.
    """
    if reference.shape[1] <= MOST_COLUMNS:
        return (reference, generated), tuple(columns)
    pooled = np.concatenate([reference, generated])
    pooled -= pooled.mean(axis=0)
    axes = np.linalg.eigh(pooled.T @ pooled)[1][:, ::-1][:, :COMPONENTS]
    along = pooled @ axes
    rest = np.sqrt(np.maximum((pooled**2).sum(axis=1) - (along**2).sum(axis=1), 0.0))
    found = np.column_stack([along, np.log(rest + 1e-6 * (rest.mean() + 1e-12))])
    sigma = found.std(axis=0)
    found = (found - found.mean(axis=0)) / np.where(sigma > 0, sigma, 1.0)
    names = (*(f"pc_{number:02d}" for number in range(COMPONENTS)), "pc_rest")
    return (found[: len(reference)], found[len(reference) :]), names
