"""Some images of the reference set, measured with known faults put in, for the power of a card: `FaultyImages`."""

from functools import cached_property

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.complete_rows import choose_rows
from galsmith.compare.power.doses import Fault
from galsmith.compare.tables import Table
from galsmith.errors import InputError
from galsmith.images import ImageSet, image_set_from_arrays
from galsmith.judging.image_stores import Place, Workplace, images_at
from galsmith.measure import MeasureSettings, measure, read_measurements
from galsmith.seeds import random_stream

Pixels = NDArray[np.float32]
# As many galaxies stand for all: a share of 0.9 of cards then rests on how 200 of them answer to a fault.
PILOT = 200
EDGE_SHARE = 0.08
GAUSSIAN_MAD = 1.4826


class FaultyImages:
    """Images of a reference set with faults put in, measured as its table was; kept beside the card.

    Parameters
    ----------
    reference : path or QTable
        A store, or a table of the images of one.
    table : path or QTable
        Its measurements, whose settings are followed.
    work : Workplace
        Where measurements go, and how many processes make them.
    """

    def __init__(self, reference: Place, table: Table, work: Workplace) -> None:
        self._reference = reference
        self._table = table
        self._work = work

    @cached_property
    def why_not(self) -> str:
        """Why there are no images; empty where there are."""
        try:
            images_at(self._reference, self._work.limit)
        except InputError as error:
            return str(error)
        return ""

    @property
    def n_bands(self) -> int:
        """Bands of the images."""
        return len(self._pilot.header.bands)

    @property
    def has_noise(self) -> bool:
        """Whether their sky varies in every band."""
        sigmas = [sky_sigma(self._pilot[place]) for place in range(len(self._pilot))]
        return bool(np.all(np.median(sigmas, axis=0) > 0))

    def table(self, fault: Fault | None, dose: float) -> QTable:
        """Measure the images with a fault of some dose; as they are for None.

        Parameters
        ----------
        fault : Fault or None
            One that alters images.
        dose : float
            How much of it.

        Returns
        -------
        QTable
            One row an image, as `galsmith.measure.measure` makes it.
        """
        name = "none" if fault is None else f"{fault.name.replace(' ', '-')}-{dose:g}"
        output = self._work.folder / "power" / f"{name}.parquet"
        output.parent.mkdir(parents=True, exist_ok=True)

        def measure_again(overwrite: bool) -> QTable:  # noqa: FBT001
            return measure(
                self._altered(fault, dose),
                output,
                workers=self._work.workers,
                settings=self._settings,
                overwrite=overwrite,
                progress=self._work.progress,
            )

        self._work.made(output, measure_again)
        return read_measurements(output)

    def some(self, count: int) -> ImageSet:
        """Take so many of the images by chance, or all.

        Parameters
        ----------
        count : int
            How many at most.
        """
        images = images_at(self._reference, self._work.limit)
        rows = choose_rows(len(images), count, seed=self._work.seed, purpose="judging.power.pilot")
        return images.select(rows)

    @cached_property
    def _pilot(self) -> ImageSet:
        """The images that stand for all."""
        return self.some(PILOT)

    @cached_property
    def _settings(self) -> MeasureSettings:
        """Settings of the reference's own measurement."""
        table = self._table if isinstance(self._table, QTable) else read_measurements(self._table)
        measured = table.meta["provenance"]["settings"]
        return MeasureSettings(
            **{key: measured[key] for key in MeasureSettings.model_fields if key in measured}
        )

    def _altered(self, fault: Fault | None, dose: float) -> ImageSet:
        """Put a fault into every image, each with its own chance."""
        if fault is None or fault.alter_image is None:
            return self._pilot
        altered = []
        for place in range(len(self._pilot)):
            pixels = self._pilot[place]
            rng = random_stream(self._work.seed, f"judging.power.{fault.name}", place)
            altered.append(fault.alter_image(pixels, dose, rng, sky_sigma(pixels)))
        return image_set_from_arrays(altered, self._pilot.header, catalog=self._pilot.catalog)


def sky_sigma(pixels: Pixels) -> NDArray[np.float64]:
    """Find the standard deviation of the sky of each band, [band]: of the image's edge, robustly.

    Parameters
    ----------
    pixels : ndarray [band, y, x], float32
        An image.
    """
    height, width = pixels.shape[-2:]
    margin = max(1, round(EDGE_SHARE * min(height, width)))
    is_edge = np.ones((height, width), dtype=bool)
    is_edge[margin : height - margin, margin : width - margin] = False
    edge = pixels[:, is_edge].astype(np.float64)
    # Hampel (1974): 1.4826 times the median absolute deviation is sigma for a normal law.
    return GAUSSIAN_MAD * np.median(np.abs(edge - np.median(edge, axis=1, keepdims=True)), axis=1)
