"""All that a page and the figures show of one generated set, drawn once for both."""

from dataclasses import dataclass

from galsmith.compare import Distance
from galsmith.compare.marginal.columns import group_title
from galsmith.compare.records import FeatureComparison
from galsmith.compare.verdict import network_of
from galsmith.report.material import Material
from galsmith.report.panels.average_spectra import AverageSpectra, average_spectra
from galsmith.report.panels.color_bulge import ColorBulge, color_bulge_of
from galsmith.report.panels.copies import CopiesPanel, copies_panels
from galsmith.report.panels.corner import CornerData, corners_of
from galsmith.report.panels.galaxies import Block, blocks_of
from galsmith.report.panels.giveaways import ClassifierPanel, classifier_panels
from galsmith.report.panels.heat_map import HeatMap, heat_map_of
from galsmith.report.panels.histograms import HistogramPanel, histogram_panel
from galsmith.report.panels.one_spectrum import OneSpectrum, one_spectrum_of
from galsmith.report.panels.overlays import OPEN_GROUPS
from galsmith.report.panels.spectra import Spectrum, spectra_of
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
    spectra: list[Spectrum]
    histograms: list[PanelGroup]
    corners: list[CornerData]
    color_bulge: ColorBulge | None
    heat_map: HeatMap | None
    classifiers: list[ClassifierPanel]
    features: list[FeaturePanel]
    copies: list[CopiesPanel]


def drawn_set(material: Material, *, is_alone: bool = True) -> DrawnSet:
    """Draw what there is material for; the histograms of a set that is not alone are drawn with the others'."""
    judgment = material.judgment
    blocks = blocks_of(material)
    beyond = judgment.beyond
    return DrawnSet(
        material=material,
        words=verdict_words(judgment),
        blocks=blocks,
        planes=average_spectra(material),
        one_spectrum=one_spectrum_of(material, blocks),
        spectra=spectra_of(judgment.comparison),
        histograms=panel_groups(material) if is_alone else [],
        corners=corners_of(material),
        color_bulge=color_bulge_of(material),
        heat_map=None if beyond is None else heat_map_of(beyond),
        classifiers=[]
        if beyond is None
        else classifier_panels(beyond.classifiers, material, on="properties"),
        features=[_feature_panel(item, material) for item in judgment.features],
        copies=copies_panels(material),
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
    network = network_of(record.extractor_id)
    return FeaturePanel(record, network, classifier_panels(record.classifiers, material, on=network))
