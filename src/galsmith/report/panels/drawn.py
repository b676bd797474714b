"""All that a page and the figures show of one generated set, and of several together, drawn once for both."""

from dataclasses import dataclass

from galsmith.compare import Distance
from galsmith.compare.evidence.images import features_named
from galsmith.compare.marginal.columns import group_title
from galsmith.compare.records import FeatureComparison
from galsmith.report.material import CardMaterial, Material
from galsmith.report.panels.color_bulge import ColorBulgePanel, color_bulge_of, color_bulge_panel
from galsmith.report.panels.copies import CopiesPanel, LikePanel, copies_panels, like_panels
from galsmith.report.panels.corner import Corner, corner_drawing, corners_of
from galsmith.report.panels.galaxies import Block, Picture, blocks_of, chosen_rows, per_row_of, rows_of_sets
from galsmith.report.panels.giveaways import ClassifierPanel, classifier_panels
from galsmith.report.panels.heat_map import HeatMap, heat_map_of
from galsmith.report.panels.histograms import HistogramPanel, histogram_panel
from galsmith.report.panels.overlaid_spectra import OverlaidSpectra, overlaid_spectra
from galsmith.report.panels.overlays import OPEN_GROUPS, OverlayGroup, line_style, overlay_groups
from galsmith.report.panels.plane_spectra import AverageSpectra, OneSpectrum, average_spectra, one_spectrum_of
from galsmith.report.panels.spectra import SpectrumPanel, spectra_of, spectrum_panel
from galsmith.report.verdict import VerdictWords, verdict_words


@dataclass(frozen=True)
class PanelGroup:
    """Histograms under one title."""

    title: str
    is_open: bool
    panels: list[HistogramPanel]


@dataclass(frozen=True)
class FeaturePanel:
    """One network's features, with the classifiers that saw them."""

    record: FeatureComparison
    network: str
    classifiers: list[ClassifierPanel]


@dataclass(frozen=True)
class DrawnSet:
    """One generated set beside the reference; what there is no material for is None or empty."""

    material: Material
    words: VerdictWords
    blocks: list[Block]
    planes: AverageSpectra | None
    one_spectrum: OneSpectrum | None
    spectra: list[SpectrumPanel]
    histograms: list[PanelGroup]
    corners: list[Corner]
    color_bulge: ColorBulgePanel | None
    heat_map: HeatMap | None
    classifiers: list[ClassifierPanel]
    features: list[FeaturePanel]
    copies: list[CopiesPanel]
    like: list[LikePanel]


def drawn_set(material: Material, *, is_alone: bool = True) -> DrawnSet:
    """Draw what there is material for; the histograms of a set that is not alone are drawn with the others'."""
    judgment = material.judgment
    blocks = blocks_of(material)
    beyond, color_bulge = judgment.beyond, color_bulge_of(material)
    return DrawnSet(
        material=material,
        words=verdict_words(judgment),
        blocks=blocks,
        planes=average_spectra(material),
        one_spectrum=one_spectrum_of(material, blocks),
        spectra=[spectrum_panel(spectrum) for spectrum in spectra_of(judgment.comparison)],
        histograms=panel_groups(material) if is_alone else [],
        corners=[corner_drawing(data) for data in corners_of(material)],
        color_bulge=None if color_bulge is None else color_bulge_panel(color_bulge),
        heat_map=None if beyond is None else heat_map_of(beyond),
        classifiers=[]
        if beyond is None
        else classifier_panels(beyond.classifiers, material, on="properties"),
        features=[_feature_panel(item, material) for item in judgment.features],
        copies=copies_panels(material),
        like=like_panels(material),
    )


def panel_groups(material: Material) -> list[PanelGroup]:
    """Histograms by group, those of the headline's morphology open; none where a table is gone."""
    reference, generated = (side.table for side in material.sides)
    if reference is None or generated is None:
        return []
    groups: dict[tuple[str, bool], list[Distance]] = {}
    for distance in material.comparison.distances:
        if distance.metric == "linear":
            is_open = distance.in_means and distance.group in OPEN_GROUPS
            groups.setdefault((distance.group, is_open), []).append(distance)
    return [
        PanelGroup(
            title=group_title(group)
            + ("" if is_open or group not in OPEN_GROUPS else ", outside of the means"),
            is_open=is_open,
            panels=[
                histogram_panel(item, reference, generated, flux_unit=material.comparison.reference.flux_unit)
                for item in members
            ],
        )
        for (group, is_open), members in sorted(groups.items(), key=lambda entry: not entry[0][1])
    ]


def _feature_panel(record: FeatureComparison, material: Material) -> FeaturePanel:
    """Lay out the features of one network."""
    network = features_named(record.extractor_id)
    return FeaturePanel(record, network, classifier_panels(record.classifiers, material, on=network))


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
    per_row = per_row_of(reference)
    count = min(per_row * N_BLOCKS, *(len(images) for _, _, images, _ in rows))
    chosen = [chosen_rows(images, count, seed=seed, role=role) for _, _, images, role in rows]
    blocks = []
    for start in range(0, count, per_row):
        drawn = rows_of_sets(
            [images for _, _, images, _ in rows], [places[start : start + per_row] for places in chosen]
        )
        blocks.append(
            [NamedRow(name, style, pictures) for (name, style, *_), pictures in zip(rows, drawn, strict=True)]
        )
    return blocks
