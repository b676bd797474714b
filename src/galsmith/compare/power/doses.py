"""The table of faults that are put into a reference set, `FAULTS`, each of table rows or of images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.compare.complete_rows import standardize
from galsmith.compare.marginal.columns import values_of
from galsmith.compare.memory.copies import REFERENCE, TRAINING
from galsmith.compare.verdict import VisibleDose

NAN = float("nan")
WITHIN = "set itself"  # What is searched for repeats.
Pixels = NDArray[np.float32]
AlterRows = Callable[[QTable, float, np.random.Generator, tuple[str, ...]], QTable]
AlterImage = Callable[[Pixels, float, np.random.Generator, NDArray[np.float64]], Pixels]


@dataclass(frozen=True)
class Fault:
    """One kind of fault and its doses.

    Attributes
    ----------
    name : str
        Its key in `FAULTS`.
    words : str
        In a sentence, with ``{dose}``.
    doses : tuple of float
        Ascending; the smallest that is seen is sought among and between them.
    alter_rows : callable or None
        Puts the fault into a table of measurements: takes the table, the dose, a generator and the columns that count.
    alter_image : callable or None
        Puts it into an image, [band, y, x] float32: takes the image, the dose, a generator and the sky's standard deviation
        of each band.
    n_bands : int
        Bands that an image must have.
    needs_noise : bool
        Whether its dose is counted in the sky's own noise.
    searched : str
        Where altered images are looked for, of a fault that a search for likeness sees: the training images, the reference,
        or `WITHIN`; empty for all others.
    """

    name: str
    words: str
    doses: tuple[float, ...]
    alter_rows: AlterRows | None = None
    alter_image: AlterImage | None = None
    n_bands: int = 1
    needs_noise: bool = False
    searched: str = ""


def untried(fault: Fault, reason: str) -> VisibleDose:
    """State that a fault was not tried, and why."""
    return VisibleDose(fault.name, fault.words, NAN, (NAN, NAN), (), reason=reason)


def _shift_one(table: QTable, dose: float, rng: np.random.Generator, columns: tuple[str, ...]) -> QTable:
    """Move one property, any of them, by so many of its standard deviations."""
    column = columns[rng.integers(len(columns))]
    shifted = table.copy()
    # Of what was measured; a galaxy without the property has none to move.
    step = dose * float(np.nanstd(values_of(table, column)))
    unit = table[column].unit
    shifted[column] = table[column] + (step if unit is None else step * unit)
    return shifted


def _drop_mode(table: QTable, dose: float, rng: np.random.Generator, columns: tuple[str, ...]) -> QTable:
    """Leave out that share of the galaxies that is most like one of them."""
    values = np.stack([values_of(table, column) for column in columns], axis=1)
    # A galaxy with a gap is as near as an average one in what it lacks.
    known = np.where(np.isfinite(values), values, np.nanmedian(values, axis=0))
    scaled = standardize(known, known)[0]
    center = scaled[rng.integers(len(scaled))]
    order = np.argsort(((scaled - center) ** 2).sum(axis=1), kind="stable")
    return table[np.sort(order[round(dose * len(table)) :])]


def _decorrelate(table: QTable, dose: float, rng: np.random.Generator, columns: tuple[str, ...]) -> QTable:
    """Give that share of the galaxies each property of another one of them, so that single properties stay as they are."""
    # Within the chosen ones alone: the others keep their own galaxy.
    rows = rng.permutation(len(table))[: round(dose * len(table))]
    mixed = table.copy()
    for column in columns:
        mixed[column][rows] = table[column][rng.permutation(rows)]
    return mixed


def _blur(image: Pixels, dose: float, rng: np.random.Generator, sky: NDArray[np.float64]) -> Pixels:
    """Convolve each band with a Gaussian."""
    return np.stack([ndimage.gaussian_filter(band, dose, mode="nearest") for band in image])


def _add_noise(image: Pixels, dose: float, rng: np.random.Generator, sky: NDArray[np.float64]) -> Pixels:
    """Add white noise."""
    noise = rng.standard_normal(image.shape) * (dose * sky)[:, None, None]
    return (image + noise).astype(np.float32)


def _move(image: Pixels, dose: float, rng: np.random.Generator, sky: NDArray[np.float64]) -> Pixels:
    """Move all bands to larger x."""
    return np.stack([_moved(band, dose) for band in image])


def _move_last_band(image: Pixels, dose: float, rng: np.random.Generator, sky: NDArray[np.float64]) -> Pixels:
    """Move the last band to larger x."""
    return np.stack([*image[:-1], _moved(image[-1], dose)])


def posed(image: Pixels, dose: float, rng: np.random.Generator, sky: NDArray[np.float64]) -> Pixels:
    """Turn by any angle, mirror half of them, zoom by 0.8 to 1.25 and give each band a gain of 0.8 to 1.2.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Its middle stays where it is.
    dose, sky
        Not used: the dose is the share of images that are altered so.
    rng : numpy.random.Generator
        Of the turn, mirror, zoom and gains.

    Returns
    -------
    ndarray [band, y, x], float32
    """
    angle, zoom = rng.uniform(0.0, 2 * np.pi), np.exp(rng.uniform(np.log(0.8), np.log(1.25)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    turn[:, 1] *= rng.choice([-1.0, 1.0])
    middle = (np.array(image.shape[-2:]) - 1) / 2
    gains = rng.uniform(0.8, 1.2, len(image))
    # From places in the new image to places in the old one, about its middle.
    offset = middle - turn @ middle
    posed = [ndimage.affine_transform(band, turn, offset, order=1, mode="nearest") for band in image]
    return (np.stack(posed) * gains[:, None, None]).astype(np.float32)


def _moved(band: Pixels, dose: float) -> Pixels:
    """One band, moved by a cubic spline, its edge repeated."""
    return ndimage.shift(band, (0.0, dose), order=3, mode="nearest").astype(np.float32)


SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)
# One row a fault; in the order in which pages have them.
FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "shift of a property",
            "a shift of any one property by {dose} sd",
            (0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.6, 1.0),
            alter_rows=_shift_one,
        ),
        Fault(
            "mode drop", "the loss of {dose} of the galaxies, all of one kind", SHARES, alter_rows=_drop_mode
        ),
        Fault(
            "decorrelation",
            "{dose} of the galaxies with properties of different galaxies",
            SHARES,
            alter_rows=_decorrelate,
        ),
        Fault(
            "blur",
            "a blur of {dose} px (sigma of a Gaussian)",
            (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0),
            alter_image=_blur,
        ),
        Fault(
            "noise",
            "noise of {dose} times the sky's own, added",
            (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0),
            alter_image=_add_noise,
            needs_noise=True,
        ),
        Fault(
            "shift",
            "all galaxies moved by {dose} px",
            (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0),
            alter_image=_move,
        ),
        Fault(
            "band shift",
            "the last band moved by {dose} px",
            (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0),
            alter_image=_move_last_band,
            n_bands=2,
        ),
        Fault(
            "copies",
            "{dose} of the galaxies training images, turned, zoomed and in other gains",
            SHARES,
            alter_image=posed,
            searched=TRAINING,
        ),
        Fault(
            "images of the reference",
            "{dose} of the galaxies images of the reference, altered likewise",
            SHARES,
            alter_image=posed,
            searched=REFERENCE,
        ),
        Fault(
            "repeats",
            "{dose} of the galaxies there already, altered likewise",
            SHARES,
            alter_image=posed,
            searched=WITHIN,
        ),
    )
}
