"""A judge of drawn galaxies in the training loop: their measured properties beside those of held-out images."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.marginal.columns import declared_as, measured, values_of
from galsmith.compare.marginal.per_property import floor_distances
from galsmith.compare.marginal.wasserstein import Floats, pool_values, wasserstein_distance
from galsmith.compare.normalization import scale_of
from galsmith.compare.tables import is_same, shown
from galsmith.counts import counted
from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageSet
from galsmith.measure import MeasureSettings
from galsmith.measure import measured as measured_table
from galsmith.measure.flags import CATASTROPHIC
from galsmith.seeds import random_stream

logger = logging.getLogger("galsmith")

MEASURED_AT_LEAST = 20  # W1 of 20 and 20 Gaussian values is 0.4 sigma by chance: 1.29 sqrt(2/20).
SHARE_AT_LEAST = 0.5
FLOOR_SPLITS = 100  # Their mean is then known to about a tenth of their spread.
ALIKE = ("bands", "flux_unit", "pixel_scale_arcsec")
OF_THE_MEANS = MeasureSettings(quantities=("morphology", "power"))  # details are in no mean


@dataclass(frozen=True)
class _Held:
    """One property of the held-out images.

    Attributes
    ----------
    column : str
        In the table of measurements.
    group : str
        Of properties.
    values : ndarray [galaxy], float64
        In units of `scale`; NaN where not measured.
    scale : float
        Their standard deviation.
    """

    column: str
    group: str
    values: Floats
    scale: float


class HeldOutJudge:
    """Says how far the measured properties of drawn galaxies are from those of images held out of training.

    It is called with an `ImageSet` and sees images only. Its ``"distance"`` is the headline distance of
    `compare` in excess of its floor: the Wasserstein-1 distance of each property in standard deviations of the
    held-out images, less the mean of the same between random halves of these (brought to the sizes at hand),
    averaged over each group of properties and then over the groups; colors are those of all types together. A
    distance near 0, also below it, is as good as can be told from so many galaxies. The properties are the same
    at every call.

    Parameters
    ----------
    images : ImageSet, str or Path
        A set, or its store.
    split : str or None
        Whose images are held out; None takes all.
    settings : MeasureSettings, optional
        How galaxies are measured; as `galsmith.measure.measure` does, but for details, where left out.
    limit : int
        Take so many held-out images at most, drawn at random.
    seed : int
        Fixes this draw and the halves of the floor.
    workers : int
        Threads.
    progress : callable
        Told how far the measuring of the held-out images is.

    Raises
    ------
    InputError
        If no image is held out, or too few of them can be measured.
    """

    def __init__(
        self,
        images: ImageSet | str | Path,
        *,
        split: str | None = "validation",
        settings: MeasureSettings | None = None,
        limit: int = 1000,
        seed: int = 0,
        workers: int = 1,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        whole = images if isinstance(images, ImageSet) else open_store(images)
        self._images = _some(_held_out(whole, split), limit=limit, seed=seed)
        # drawn galaxies have nothing beside them, so nothing beside those of the store is used
        settings = (OF_THE_MEANS if settings is None else settings).model_copy(
            update={"ignore": ("mask", "noise", "psf")}
        )
        self._settings, self._seed, self._workers = settings, seed, workers
        table = measured_table(self._images, settings=settings, workers=workers, progress=progress)
        self._n_rows, self._share = len(table), _measured_share(table)
        _refuse_few(self._images, table, split)
        self._held = _held_properties(table)
        if not self._held:
            raise InputError(
                f"{whole.path or 'images'}: no property varies over the {len(table)} held-out images, or none could be "
                "measured on half of them; there is nothing to judge by"
            )
        self._floor(
            np.tile([self._n_rows, self._n_rows], (len(self._held), 1))
        )  # compiles before the first call

    @property
    def columns(self) -> tuple[str, ...]:
        """Properties that are compared."""
        return tuple(held.column for held in self._held)

    def __call__(self, drawn: ImageSet) -> dict[str, float]:
        """Measure drawn galaxies and compare.

        Parameters
        ----------
        drawn : ImageSet
            Of the bands, flux unit and pixel scale of the held-out images; their order does not matter.

        Returns
        -------
        dict
            ``distance``; ``mean_w1`` and ``floor``, whose difference it is; ``measured``, the share of the galaxies
            that could be measured. The first three are NaN, and the log says why, where fewer than 20 or less
            than half the share of the held-out images could be.

        Raises
        ------
        InputError
            If the images are of another kind, or there are none.
        """
        self._refuse_unlike(drawn)
        table = measured_table(drawn, settings=self._settings, workers=self._workers)
        share = _measured_share(table)
        # In the unit of the held-out images: a set that spreads too widely must not set its own.
        values = [values_of(table, held.column) / held.scale for held in self._held]
        reason = self._reason(len(table), share, values)
        if reason:
            logger.warning("the drawn galaxies cannot be judged: %s", reason)
            return {**dict.fromkeys(("distance", "mean_w1", "floor"), math.nan), "measured": share}
        pairs = [
            (measured(held.values), measured(ours)) for held, ours in zip(self._held, values, strict=True)
        ]
        # Measured galaxies of each side, property by property: the floor is brought to these.
        sizes = np.array([(one.size, other.size) for one, other in pairs], dtype=np.int64)
        # As the card's headline: distances, then groups.
        mean_w1 = self._mean_of_groups(np.array([wasserstein_distance(*pair) for pair in pairs]))
        floor = self._mean_of_groups(self._floor(sizes, n_drawn=len(table)))
        return {"distance": mean_w1 - floor, "mean_w1": mean_w1, "floor": floor, "measured": share}

    def _floor(self, sizes: NDArray[np.int64], *, n_drawn: int = MEASURED_AT_LEAST) -> Floats:
        """Mean distance of each property between halves of the held-out images, at the sizes of a comparison."""
        nothing = np.empty(0)
        found = floor_distances(
            [pool_values(held.values, nothing) for held in self._held],
            sizes,
            n_reference=self._n_rows,
            n_generated=n_drawn,
            splits=FLOOR_SPLITS,
            seed=self._seed,
        )
        return np.asarray(np.nanmean(found.distances, axis=0), dtype=np.float64)

    def _mean_of_groups(self, values: Floats) -> float:
        """Mean over the groups of the means over their properties: what the report calls the headline."""
        groups = np.array([held.group for held in self._held])
        return float(np.mean([values[groups == name].mean() for name in dict.fromkeys(groups)]))

    def _reason(self, n_drawn: int, share: float, values: list[Floats]) -> str:
        """Say why the drawn galaxies cannot be compared, or nothing."""
        # A generator whose galaxies cannot be measured must not win by those that can.
        wanted = max(MEASURED_AT_LEAST, math.ceil(SHARE_AT_LEAST * self._share * n_drawn))
        count = round(share * n_drawn)
        if count < wanted:
            return f"{count} of {n_drawn} could be measured; wanted {wanted} or more"
        for held, ours in zip(self._held, values, strict=True):
            if measured(ours).size < MEASURED_AT_LEAST:
                return (
                    f"{held.column} could be measured on {measured(ours).size} of {n_drawn}; "
                    f"wanted {MEASURED_AT_LEAST} or more"
                )
        return ""

    def _refuse_unlike(self, drawn: ImageSet) -> None:
        """Raise `InputError` if numbers of the drawn images do not mean the same."""
        for name in ALIKE:
            theirs, ours = getattr(drawn.header, name), getattr(self._images.header, name)
            if not is_same(theirs, ours):
                raise InputError(
                    f"the drawn images have {name} {shown(theirs)}, the held-out images {shown(ours)}; wanted images of "
                    "one kind: judge by the set that the model was trained on"
                )


def _held_out(images: ImageSet, split: str | None) -> ImageSet:
    """Take the images of a split."""
    held = images if split is None else images.in_split(split)
    if len(held) == 0:
        raise InputError(
            f"{images.path or 'images'}: no image is in the split {split!r}, by which drawn galaxies are judged; make "
            "the set with `split=0.8/0.1/0.1`, or train without choosing (training.choose_snapshot=last)"
        )
    return held


def _some(images: ImageSet, *, limit: int, seed: int) -> ImageSet:
    """Draw images at random, in their order, where there are more than wanted."""
    if len(images) <= limit:
        return images
    # The same images at every call and in every run of this seed.
    rows = random_stream(seed, "compare.held_out").permutation(len(images))[:limit]
    return images.select(np.sort(rows))


def _measured_share(table: QTable) -> float:
    """Share of the galaxies of which anything could be measured."""
    return float(np.mean(np.asarray(table["flag"]) < CATASTROPHIC))


def _refuse_few(images: ImageSet, table: QTable, split: str | None) -> None:
    """Raise `InputError` if too few held-out galaxies could be measured."""
    count = round(_measured_share(table) * len(table))
    if count < MEASURED_AT_LEAST:
        where = "the set" if split is None else f"the split {split!r}"
        raise InputError(
            f"{images.path or 'images'}: {count} of {counted(len(table), 'galaxies')} of {where} could be measured; wanted "
            f"{MEASURED_AT_LEAST} or more to judge by: hold out more, or train without choosing "
            "(training.choose_snapshot=last)"
        )


def _held_properties(table: QTable) -> tuple[_Held, ...]:
    """Properties of the headline distance that vary, and that could be measured on half of the images or more."""
    found = []
    for column in table.colnames:
        declared = declared_as(column, table.colnames, None)
        if declared is None or not declared.headline:
            continue
        values = values_of(table, column)
        count = measured(values).size
        # What does not vary has no unit to be compared in.
        scale = scale_of(measured(values), "reference-zscore") if count else 0.0
        if count >= max(MEASURED_AT_LEAST, SHARE_AT_LEAST * len(table)) and scale > 0:
            found.append(_Held(column, declared.group, values / scale, scale))
    return tuple(found)
