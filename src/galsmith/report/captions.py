"""What each figure shows, in words that stand alone: below it on the page, and in a file beside the figures."""

from pathlib import Path

PAPER = "Holzschuh et al. 2022"
SIDES = "Reference filled or solid, generated as a line or dashed"
CAPTIONS = {
    "verdict": "What passes and what fails: one mark a property or test, one row a group and generated set. A floor is "
    "the distance that sampling alone makes between two parts of the reference set at these sizes. The solid line is "
    "where numbers lie if nothing differs, the dashed line the limit; discs pass, rings are borderline, diamonds fail.",
    "distances": "Wasserstein-1 distance of each property in units of its floor, on a logarithmic axis. The solid line "
    "is one floor, the dashed line two; bars are intervals after the share of sampling is taken off. Gray: where the "
    "distances between random parts of the reference set lie (mean ± 2 standard deviations, at the sizes of these two "
    "sets). Discs pass, rings are borderline, diamonds fail.",
    "galaxies": "Galaxies drawn by lot, not chosen: rows of the reference set over rows of generated ones, each block "
    f"under one stretch (as Figs 2 and D of {PAPER}).",
    "histograms": "Distributions of measured properties, as the share of galaxies in common bins: the reference filled, "
    "generated sets as lines. W1 is the Wasserstein-1 distance from the reference, in its standard deviations unless "
    f"the settings say otherwise, and a floor is what sampling alone makes (as Figs 4 and E of {PAPER}).",
    "power_spectrum": "Power against wavelength: the median of each mode, filled from the 16th to the 84th percentile. "
    "Below, the median of the generated set less that of the reference; gray is the floor of the distance, which "
    f"sampling alone makes. {SIDES}.",
    "one_galaxy": "One galaxy of each set with its two-dimensional power spectrum, in steps of 3 dB below its peak, "
    "frequency 0 in the middle, and the power of its modes against wavelength; gray is the 16–84 % range of the "
    f"reference set (as Fig. 3 of {PAPER}). Reference solid, generated dashed.",
    "average_spectra": "Average two-dimensional power spectra of both sets, in steps of 3 dB below the peak of the "
    "reference, and generated less reference. Frequency 0 is in the middle, the finest structure at the edges (as "
    f"Fig. 5 of {PAPER}).",
    "corner_properties": "The main properties two at a time: contours hold 39 % and 86 % of each set's galaxies, the "
    "diagonal has the histograms. Reference solid or filled, generated dashed or as a line.",
    "corner_power": "Modes of the power spectrum two at a time, in log10 power: contours hold 39 % and 86 % of each "
    f"set's galaxies, the diagonal has the histograms (as Fig. 6 of {PAPER}). Reference solid or filled, generated "
    "dashed or as a line.",
    "color_bulge": "Color against the bulge statistic F(G, M20): reference as dots, generated as crosses; contours hold "
    "39 % and 86 % of each set. Early types lie above the dashed line, late types below; above, the colors of each, at "
    f"the right the bulge statistic (as Fig. 7 of {PAPER}).",
    "correlations": "Pairs of properties whose correlation (Spearman's) differs most, generated less reference: orange is "
    "higher in the generated set, blue lower. A dot marks what is no chance (p < 0.05 after Holm).",
    "giveaways": "What gives the generated set away: how much of a classifier's area under the curve is lost when a "
    "column is shuffled, mean ± standard deviation. Above each panel, the area: 0.5 is guessing, 1 certainty.",
    "copies": "Distance to the nearest training image, quantile by quantile: generated dashed, real images that nobody "
    "trained on solid. Copies lie nearer to the training images than those.",
    "closest_pairs": "The generated images nearest to a training image, over that training image, turned and flipped as "
    "it is nearest; each pair under one stretch, the distance below.",
}


def caption_of(stem: str) -> str:
    """Find the caption of a figure by its file's name without ending; a band or network may follow the name."""
    known = [name for name in CAPTIONS if stem == name or stem.startswith(f"{name}_")]
    return CAPTIONS[max(known, key=len)]


def write_captions(folder: Path) -> None:
    """Write ``captions.txt`` beside the figures of a folder: one paragraph a figure."""
    stems = sorted(path.stem for path in folder.glob("*.pdf"))
    text = "\n\n".join(f"{stem}: {caption_of(stem)}" for stem in stems)
    (folder / "captions.txt").write_text(f"{text}\n", encoding="utf-8")
