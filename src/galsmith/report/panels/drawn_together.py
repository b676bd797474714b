"""All that a page and the figures show of several generated sets in one panel, drawn once for both."""

from dataclasses import dataclass

from galsmith.report.material import CardMaterial, Material
from galsmith.report.panels.galaxies import PER_ROW, Picture, chosen_rows, rows_of_sets
from galsmith.report.panels.overlaid_spectra import OverlaidSpectra, overlaid_spectra
from galsmith.report.panels.overlays import OverlayGroup, line_style, overlay_groups

N_BLOCKS = 2


@dataclass(frozen=True)
class NamedRow:
    """A row of galaxies; the style is 0 for the reference."""

    name: str
    style: int
    pictures: list[Picture]


@dataclass(frozen=True)
class DrawnTogether:
    """All sets of a card together; what there is no material for is empty.

    Attributes
    ----------
    names : list of str
        Of the generated sets.
    styles : list of int
        Their line styles.
    blocks : list of list of NamedRow
        A row of the reference over a row of every generated set, under one stretch.
    histograms : list of OverlayGroup
        Properties, by group.
    spectra : list of OverlaidSpectra
        One a band.
    """

    names: list[str]
    styles: list[int]
    blocks: list[list[NamedRow]]
    histograms: list[OverlayGroup]
    spectra: list[OverlaidSpectra]


def drawn_together(material: CardMaterial) -> DrawnTogether | None:
    """Draw all sets together; None where there is but one."""
    sets = material.sets
    if len(sets) < 2:
        return None
    return DrawnTogether(
        names=[item.name for item in sets],
        styles=[line_style(place) for place in range(len(sets))],
        blocks=_blocks(sets),
        histograms=overlay_groups(sets),
        spectra=overlaid_spectra({item.name: item.comparison for item in sets}),
    )


def _blocks(sets: tuple[Material, ...]) -> list[list[NamedRow]]:
    """Draw galaxies by lot, those of the reference above; sets whose images are gone are left out."""
    reference = sets[0].reference.images
    if reference is None:
        return []
    rows = [("reference", 0, reference, "reference")]
    rows += [
        (item.name, line_style(place), item.generated.images, "generated")
        for place, item in enumerate(sets)
        if item.generated.images is not None
    ]
    seed = sets[0].comparison.seed
    count = min(PER_ROW * N_BLOCKS, *(len(images) for _, _, images, _ in rows))
    chosen = [chosen_rows(images, count, seed=seed, role=role) for _, _, images, role in rows]
    blocks = []
    for start in range(0, count, PER_ROW):
        drawn = rows_of_sets(
            [images for _, _, images, _ in rows], [places[start : start + PER_ROW] for places in chosen]
        )
        blocks.append(
            [NamedRow(name, style, pictures) for (name, style, *_), pictures in zip(rows, drawn, strict=True)]
        )
    return blocks
