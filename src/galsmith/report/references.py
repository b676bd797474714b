"""What the page cites, and the words that it explains."""

from dataclasses import dataclass


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
    "reference set, generated set": "The galaxies that a model learned from, or others of their kind; the galaxies "
    "that the model drew.",
    "W1": "Wasserstein-1 distance between the distributions of one property: how far its values have to be moved, on "
    "average, to turn one distribution into the other. A pure shift by one unit is a distance of one unit.",
    "σ of the reference": "Distances are divided by the standard deviation of the reference set in that property, "
    "unless the settings say otherwise, so that properties of different units stand side by side.",
    "floor": "The same distance between two disjoint random parts of the reference set, brought to the sizes of the two "
    "sets that are compared: what sampling alone makes. A distance of one floor cannot be told from none.",
    "interval": "Of the distance after the share that sampling adds is taken off: twice the distance less the mean of "
    "the bootstrap, as wide as the bootstrap.",
    "excess, z": "The distance less its floor; the same in units of the floor's own spread over random splits.",
    "headline": "The mean of the group means, each group of properties counting once.",
    "passes, borderline, fails": "A distance fails if it is more than two floors and no chance (p below 0.05 after Holm's "
    "correction), is borderline if one of the two holds, and passes if neither does. A set passes if nothing is "
    "measurable; it is close if something is but nothing fails, mixed if something fails, and fails if half of its "
    "properties do or if it repeats training images.",
    "p": "How often chance alone gives as much: the share of random rearrangements of the two sets, taken as one, that "
    "are as far apart.",
    "area under the curve": "How often a classifier ranks a generated galaxy above one of the reference: 0.5 is "
    "guessing, 1 is certainty.",
    "held-out": "Real images that nobody trained on: how near they lie to the training images is the yardstick for "
    "copies.",
    "lost": "Galaxies on which a property could not be measured; they take no part in its distance.",
    "power mode": "One of 15 bins of spatial frequency, from mode 0 (the total) to mode 14 (the finest structure).",
    "flag": "What the measurement says of a galaxy that it could not measure well. Flagged galaxies take part as long "
    "as they have a value.",
}

LIMITS = (
    "Only what is measured is compared; a difference that no property, no network and no pixel distance sees stays unseen.",
    "That nothing differs is never shown: more galaxies lower the floor and show smaller differences.",
    "Whether the set serves a purpose, such as training or calibrating a method, is for a test of that purpose to say.",
)
