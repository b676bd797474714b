"""Copies: how near generated images lie to training images, and pairs of images that are alike side by side."""

from dataclasses import dataclass

import numpy as np

from galsmith.compare.evidence.images import network_of
from galsmith.compare.memory.copies import REFERENCE, TRAINING, CopySearch, LikePair
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


@dataclass(frozen=True)
class LikePictures:
    """An image beside one that it is like: what they are, how the first lies to the second, in words; and a remark."""

    first: Picture
    second: Picture
    words: str
    remark: str


@dataclass(frozen=True)
class LikePanel:
    """Pairs of images that are like one another up to gain, turn, mirror and zoom.

    Attributes
    ----------
    title, said : str
        What was looked for, and how much of it there is.
    second : str
        What the second of each pair is.
    pairs : list of LikePictures
        The likest; empty where the images cannot be shown.
    """

    title: str
    said: str
    second: str
    pairs: list[LikePictures]

    @property
    def caption(self) -> str:
        """What the pictures are."""
        below = "" if self.second == "generated" else "; below, how the first lies to the second"
        return f"Generated, and the {self.second} image that it is likest to{below}. Each image has its own stretch."


def like_panels(material: Material) -> list[LikePanel]:
    """Lay out altered training images, altered images of the reference, and repeats within the set."""
    copies, ours = material.judgment.copies, material.generated.images
    if copies is None:
        return []
    others = {TRAINING: material.training, REFERENCE: material.reference.images}
    found = [_search_panel(search, ours, others[search.searched]) for search in copies.searches]
    repeats = copies.repeats
    said = (
        f"Of {repeats.n_generated:,} generated images {repeats.n_distinct:,} differ by more than quarter turns and flips; "
        f"in effect there are {repeats.n_effective:,.0f} images."
    )
    if repeats.pairs:
        pairs = [_like(ours, ours, pair, "", "") for pair in repeats.pairs[:MOST_PAIRS] if ours is not None]
        found.append(LikePanel("Pairs within the generated set", said, "generated", pairs))
    return found


def _search_panel(search: CopySearch, ours: ImageSet | None, others: ImageSet | None) -> LikePanel:
    """Show the images for which one other image stands out most."""
    share = search.share_closer
    said = (
        f"For {100 * share.value:.1f} % of {search.n_generated:,} generated images one of {search.n_searched:,} "
        f"{_called(search.searched)} stands out as for 1 % of the {search.n_held_out:,} images that nobody trained on, "
        "whatever its gain, gamma, turn, mirror, zoom and crop."
    )
    pairs = [
        _like(ours, others, (pair.generated, pair.other), pose_text(pair), _remark(pair))
        for pair in search.pairs[:MOST_PAIRS]
        if ours is not None and others is not None
    ]
    return LikePanel(f"Altered {_called(search.searched)}", said, search.searched.split()[0], pairs)


def _called(searched: str) -> str:
    """Name the images of a set that was searched."""
    return "images of the reference" if searched == REFERENCE else searched


def pose_text(pair: LikePair) -> str:
    """Say how a generated image lies to the one it is like."""
    parts = ["mirrored"] if pair.is_mirrored else []
    if pair.turn_deg:
        half = abs(pair.turn_deg) == 180.0
        parts.append("turned by 180°" if half else f"turned by {pair.turn_deg:+.0f}°".replace("-", "−"))
    if pair.zoom != 1:
        parts.append(f"{pair.zoom:.2f} times as large")
    return ", ".join(parts) or "as it is"


def _remark(pair: LikePair) -> str:
    """Say how much of the image the other leaves unexplained, and how rare that is."""
    left, rarer = 100 * pair.unexplained, 100 * pair.yardstick_quantile
    return f"{left:.{1 if left >= 0.1 else 4}f} % unexplained; {rarer:.1f} % of the held-out stand out more"


def _like(ours: ImageSet, others: ImageSet, rows: tuple[int, int], words: str, remark: str) -> LikePictures:
    """Draw two images, each under its own stretch: a copy may have another gain."""
    pictures = []
    for images, row in zip((ours, others), rows, strict=True):
        image, header = shrunk(images[row], images.header), images.header
        peak = float(np.nanmax(image)) if np.isfinite(image).any() else 1.0
        stretch = common_stretch(
            [image], flux_unit=header.flux_unit, reference_peak=peak, shows_fields=header.shows_fields
        )
        pictures.append(Picture(str(images.catalog["object_id"][row]), picture_of(image, stretch)))
    return LikePictures(pictures[0], pictures[1], words, remark)


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
    header = training.header
    one = shrunk(generated[pair.generated], header)
    other = np.asarray(turned(shrunk(training[pair.training], header), pair.turn), dtype=np.float64)
    peak = float(np.nanmax(other)) if np.isfinite(other).any() else 1.0
    stretch = common_stretch(
        [other], flux_unit=header.flux_unit, reference_peak=peak, shows_fields=header.shows_fields
    )
    return PairPictures(
        pair,
        Picture(str(generated.catalog["object_id"][pair.generated]), picture_of(one, stretch)),
        Picture(str(training.catalog["object_id"][pair.training]), picture_of(other, stretch)),
    )
