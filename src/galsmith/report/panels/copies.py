"""Memorization: how near generated images lie to training images, and the closest pairs side by side."""

from dataclasses import dataclass

import numpy as np

from galsmith.compare.evidence.images import network_of
from galsmith.compare.memory.nearest import turned
from galsmith.compare.records import ClosestPair, Memorization
from galsmith.images import ImageSet
from galsmith.report.material import Material
from galsmith.report.panels.axes import Axis, Tick, line_path
from galsmith.report.panels.galaxies import Picture, common_stretch, picture_of, shrunk

MOST_PAIRS = 6
WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 448, 10, 250


@dataclass(frozen=True)
class PairPictures:
    """A generated image beside its nearest training image, turned as it is nearest."""

    pair: ClosestPair
    generated: Picture
    training: Picture


@dataclass(frozen=True)
class CopiesPanel:
    """One search for copies; paths are for the attribute ``d``.

    Attributes
    ----------
    memory : Memorization
        What was found.
    space : str
        In words.
    generated_path, held_out_path : str
        Quantiles of the distance to the nearest training image.
    x_ticks, y_ticks : list of Tick
        Of the quantiles' plot.
    pairs : list of PairPictures
        The closest; empty where the images cannot be shown.
    """

    memory: Memorization
    space: str
    generated_path: str
    held_out_path: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    pairs: list[PairPictures]


def copies_panels(material: Material) -> list[CopiesPanel]:
    """Lay out every search for copies."""
    return [_panel(memory, material) for memory in material.judgment.memorization]


def _panel(memory: Memorization, material: Material) -> CopiesPanel:
    """Draw the quantiles, and the pairs where the images are there."""
    values = np.array([*memory.distances_generated, *memory.distances_held_out])
    values = values[np.isfinite(values)]
    high = float(values.max()) if values.size else 1.0
    across = Axis(0.0, 1.0, LEFT, RIGHT)
    up = Axis(0.0, 1.05 * high if high > 0 else 1.0, BOTTOM, TOP)
    x = across.at(memory.quantiles)
    return CopiesPanel(
        memory,
        network_of(memory.space),
        line_path(x, up.at(memory.distances_generated)),
        line_path(x, up.at(memory.distances_held_out)),
        [Tick(float(across.at(share)), f"{100 * share:g} %") for share in (0, 0.25, 0.5, 0.75, 1)],
        up.ticks(5),
        _pairs(memory, material.generated.images, material.training),
    )


def _pairs(memory: Memorization, generated: ImageSet | None, training: ImageSet | None) -> list[PairPictures]:
    """Draw the closest pairs, each under one stretch."""
    if generated is None or training is None:
        return []
    return [
        _pair(pair, generated, training)
        for pair in memory.pairs[:MOST_PAIRS]
        if pair.generated < len(generated) and pair.training < len(training)
    ]


def _pair(pair: ClosestPair, generated: ImageSet, training: ImageSet) -> PairPictures:
    """Draw one pair."""
    one = shrunk(generated[pair.generated])
    other = np.asarray(turned(shrunk(training[pair.training]), pair.turn), dtype=np.float64)
    peak = float(np.nanmax(other)) if np.isfinite(other).any() else 1.0
    stretch = common_stretch([other], flux_unit=training.header.flux_unit, reference_peak=peak)
    return PairPictures(
        pair,
        Picture(str(generated.catalog["object_id"][pair.generated]), picture_of(one, stretch)),
        Picture(str(training.catalog["object_id"][pair.training]), picture_of(other, stretch)),
    )
