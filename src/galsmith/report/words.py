"""Words of the page that no card holds: terms, limits, sources, and sentences for what is not there."""

from dataclasses import dataclass

from galsmith.report.calls import IN_PYTHON, Spelling
from galsmith.report.material import Material


@dataclass(frozen=True)
class Citation:
    """A work that a result of the page rests on, and what for."""

    text: str
    url: str
    used_for: str


CITATIONS = (
    Citation(
        "Holzschuh B. J. et al., 2022, MNRAS 515, 652",
        "https://doi.org/10.1093/mnras/stac1188",
        "comparing generated galaxies by the distributions of their properties; modes of the power spectrum",
    ),
    Citation(
        "Rodriguez-Gomez V. et al., 2019, MNRAS 483, 4140",
        "https://doi.org/10.1093/mnras/sty3345",
        "statmorph, which measures the morphology",
    ),
    Citation(
        "Lotz J. M., Primack J., Madau P., 2004, AJ 128, 163",
        "https://doi.org/10.1086/421849",
        "asymmetry, smoothness, concentration, Gini and M20",
    ),
    Citation(
        "Conselice C. J., 2003, ApJS 147, 1",
        "https://doi.org/10.1086/375001",
        "asymmetry, smoothness and concentration",
    ),
    Citation(
        "Ramdas A., García Trillos N., Cuturi M., 2017, Entropy 19, 47",
        "https://doi.org/10.3390/e19020047",
        "the Wasserstein distance between two samples",
    ),
    Citation(
        "Delon J., Salomon J., Sobolevski A., 2010, SIAM J. Appl. Math. 70, 2239",
        "https://doi.org/10.1137/090772708",
        "the Wasserstein distance of angles on their circle",
    ),
    Citation(
        "Holm S., 1979, Scand. J. Statist. 6, 65",
        "https://www.jstor.org/stable/4615733",
        "p values of many tests at once",
    ),
    Citation(
        "Bonneel N. et al., 2015, J. Math. Imaging Vis. 51, 22",
        "https://doi.org/10.1007/s10851-014-0506-3",
        "the sliced Wasserstein distance",
    ),
    Citation(
        "Székely G. J., Rizzo M. L., 2013, J. Stat. Plan. Inference 143, 1249",
        "https://doi.org/10.1016/j.jspi.2013.03.018",
        "the energy distance",
    ),
    Citation(
        "Lopez-Paz D., Oquab M., 2017, ICLR",
        "https://arxiv.org/abs/1610.06545",
        "classifiers as tests whether two sets differ",
    ),
    Citation(
        "Heusel M. et al., 2017, NeurIPS 30",
        "https://arxiv.org/abs/1706.08500",
        "the Fréchet distance of features",
    ),
    Citation(
        "Bińkowski M. et al., 2018, ICLR",
        "https://arxiv.org/abs/1801.01401",
        "the kernel distance of features",
    ),
    Citation(
        "Kynkäänniemi T. et al., 2019, NeurIPS 32",
        "https://arxiv.org/abs/1904.06991",
        "precision and recall",
    ),
    Citation(
        "Naeem M. F. et al., 2020, ICML",
        "https://arxiv.org/abs/2002.09797",
        "density and coverage",
    ),
    Citation(
        "Alaa A. M. et al., 2022, ICML",
        "https://arxiv.org/abs/2102.08921",
        "authenticity of generated images",
    ),
    Citation(
        "Meehan C., Chaudhuri K., Dasgupta S., 2020, AISTATS",
        "https://arxiv.org/abs/2004.05675",
        "the test for copies of the training set",
    ),
    Citation(
        "Lupton R. et al., 2004, PASP 116, 133",
        "https://doi.org/10.1086/382245",
        "color pictures with an asinh stretch",
    ),
    Citation(
        "Astropy Collaboration, 2022, ApJ 935, 167",
        "https://doi.org/10.3847/1538-4357/ac7c74",
        "tables, units and pictures",
    ),
)

GLOSSARY = {
    "reference set, generated set": "The images that a model learned from, or others of their kind; the images "
    "that the model drew.",
    "W1": "Wasserstein-1 distance between the distributions of one property: how far its values have to be moved, on "
    "average, to turn one distribution into the other. A pure shift by one unit is a distance of one unit.",
    "σ of the reference": "Distances are divided by the standard deviation of the reference set in that property, "
    "unless the settings say otherwise, so that properties of different units stand side by side.",
    "floor": "The same distance between two disjoint random parts of the reference set, brought to the sizes of the two "
    "sets that are compared: what sampling alone makes. A distance of one floor cannot be told from none.",
    "interval": "Where the distance of the two populations lies, with what sampling adds taken off: all distances that a "
    "test does not reject. It reaches down to 0 where both sets may be of one population.",
    "excess, z": "The distance less its floor; the same in units of the floor's own spread over random splits.",
    "headline": "The mean of the group means, each group of properties counting once.",
    "told apart, borderline, not told apart": "A test tells the sets apart where its p value is at most 0.05 among all "
    "tests of the card; it is borderline where that holds within its family alone. A set is told apart if any test tells "
    "it; it is not judged if nothing does and too few images were there to see much.",
    "family": "Tests that ask one question. Each family may raise an equal share of the alarms that are allowed: on 5 of "
    "100 fair cards.",
    "power": "How often a difference of a stated size is told apart: what a card that tells nothing apart is worth.",
    "p": "How often chance alone gives as much: the share of random rearrangements of the two sets, taken as one, that "
    "are as far apart.",
    "area under the curve": "How often a classifier ranks a generated image above one of the reference: 0.5 is "
    "guessing, 1 is certainty.",
    "held-out": "Real images that nobody trained on: how near they lie to the training images is the yardstick for "
    "copies.",
    "lost": "Images of which a property could not be measured; they take no part in its distance.",
    "power mode": "One of 15 bins of spatial frequency, from mode 0 (the total) to mode 14 (the finest structure).",
    "flag": "What the measurement says of an image that it could not measure well. Flagged images take part as long "
    "as they have a value.",
}

LIMITS = (
    "Only what is measured is compared; a difference that no property, no network and no pixel distance sees stays unseen.",
    "That nothing differs is never shown: more images lower the floor and show smaller differences.",
    "Whether the set serves a purpose, such as training or calibrating a method, is for a test of that purpose to say.",
)


HOW_TO = {
    "beyond": "Whether the properties go together as they should was not judged. galsmith compare does it unless it is "
    "told `beyond=False`.",
    "features": "Features of a network were not compared. Install galsmith[features] and compare with "
    "`features=efficientnet-lite0`.",
    "memorization": "Whether training images are repeated was not judged, and copies of them would score best in all "
    "else. Name the training images to galsmith compare with `training=STORE`.",
    "galaxies": "The images are not where the measurements say, so there are none to show; "
    "put them back and write the report again.",
    "histograms": "The measurements are not where the comparison says, so there are no histograms; "
    "put them back and write the report again. The table below has what the comparison recorded.",
    "corner": "Corner plots need both tables of measurements, with two or more properties and 20 or more rows each.",
    "color": "Colors were not compared: the tables have none. Measure images of two or more bands, and both sets alike.",
    "spectrum": "Fewer than three modes of the power spectrum could be compared; measure the quantity power.",
    "planes": "The average two-dimensional spectra need the images of both sets.",
    "examples": "The galaxies most surely told cannot be shown: their images are not where the measurements say.",
    "pairs": "The closest pairs cannot be shown: the generated or the training images are not where the card says.",
    "published": "No paper was followed, so none's numbers stand beside these; "
    "compare with `paper=holzschuh2022-cosmos` or another.",
}
JUDGED = ("beyond", "features", "memorization")


def sentence_of(what: str, material: Material | None = None, *, spelling: Spelling = IN_PYTHON) -> str:
    """Say what is lacking: why, where the card knows it, and how to get it.

    Parameters
    ----------
    what : str
        A key of `HOW_TO`.
    material : Material, optional
        Of the generated set.
    spelling : Spelling
        How arguments are named.
    """
    reasons = [] if material is None else _reasons(what, material)
    said = " ".join([HOW_TO[what], *(f"The card says: {_as_sentence(reason)}" for reason in reasons)])
    return spelling.text(said)


def other_reasons(material: Material, spelling: Spelling = IN_PYTHON) -> list[str]:
    """Sentences for what the card calls missing though that block is there, or under a name of its own."""
    judgment = material.judgment
    shown = {"beyond": judgment.beyond is None, "features": not judgment.features}
    shown["memorization"] = not judgment.memorization
    said = {reason for what in JUDGED if shown[what] for reason in _reasons(what, material)}
    return [
        spelling.text(f"{name}: {_as_sentence(reason)}")
        for name, reason in judgment.missing.items()
        if reason not in said
    ]


def _reasons(what: str, material: Material) -> list[str]:
    """Why the card lacks something: the reasons of all names that begin with it."""
    if what not in JUDGED:
        return []
    return [reason for name, reason in material.judgment.missing.items() if name.startswith(what)]


def _as_sentence(text: str) -> str:
    """End with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


PAPER = "Holzschuh et al. 2022"
SIDES = "Reference filled or solid, generated as a line or dashed"
CAPTIONS = {
    "verdict": "What tells the sets apart: one mark a property or test, one row a heading and generated set. A floor is "
    "the distance that sampling alone makes between two parts of the reference set at these sizes. The solid line is "
    "where numbers lie if nothing differs, the dashed line about where they are told; diamonds are told apart, rings are "
    "borderline, discs are not told apart.",
    "distances": "Wasserstein-1 distance of each property in units of its floor, on a logarithmic axis. The solid line "
    "is one floor, the dashed mark where a property is told; bars are intervals of the true distance, with what sampling "
    "adds taken off. Gray: where the distances between random parts of the reference set lie (mean ± 2 standard "
    "deviations, at the sizes of these two sets). Diamonds are told apart, rings are borderline, discs are not told apart.",
    "galaxies": "Galaxies drawn by lot, not chosen: rows of the reference set over rows of generated ones, each block "
    f"under one stretch (as Figs 2 and D of {PAPER}).",
    "fields": "Fields drawn by lot, not chosen: rows of the reference set over rows of generated ones, all their pixels, "
    "the root of the share of white, so that faint sources are seen. Click on one, or go to it by keyboard, to see it at "
    "three times its size.",
    "histograms": "Distributions of measured properties, as the share of each set in common bins: the reference filled, "
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
    "corner_properties": "The main properties two at a time: contours hold 39 % and 86 % of each set, the "
    "diagonal has the histograms. Reference solid or filled, generated dashed or as a line.",
    "corner_power": "Modes of the power spectrum two at a time, in log10 power: contours hold 39 % and 86 % of each "
    f"set's galaxies, the diagonal has the histograms (as Fig. 6 of {PAPER}). Reference solid or filled, generated "
    "dashed or as a line.",
    "color_bulge": "Color against the bulge statistic F(G, M20): reference as dots, generated as crosses; contours hold "
    "39 % and 86 % of each set. Early types lie above the dashed line, late types below; above, the colors of each, at "
    f"the right the bulge statistic (as Fig. 7 of {PAPER}).",
    "correlations": "Pairs of properties whose correlation (Spearman's) differs most, generated less reference: orange is "
    "higher in the generated set, blue lower. A dot marks what is no chance (p < 0.05 among all pairs).",
    "giveaways": "What gives the generated set away: how much of a classifier's area under the curve is lost when a "
    "column is shuffled, mean ± standard deviation. Above each panel, the area: 0.5 is guessing, 1 certainty.",
    "copies": "Distance to the nearest training image, quantile by quantile: generated dashed, real images that nobody "
    "trained on solid. Copies lie nearer to the training images than those.",
    "like": "Generated images over those that they are likest to, up to gain, turn, mirror and zoom: of the training set, "
    "of the reference, or within the generated set. Below, how the first lies to the second; each has its own stretch.",
    "closest_pairs": "The generated images nearest to a training image, over that training image, turned and flipped as "
    "it is nearest; each pair under one stretch, the distance below.",
}


def caption_of(stem: str) -> str:
    """Find the caption of a figure by its file's name without ending; a band or network may follow the name."""
    known = [name for name in CAPTIONS if stem == name or stem.startswith(f"{name}_")]
    return CAPTIONS[max(known, key=len)]
