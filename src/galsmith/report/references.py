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
    "lost": "Galaxies on which a property could not be measured; they take no part in its distance.",
    "power mode": "One of 15 bins of spatial frequency, from mode 0 (the total) to mode 14 (the finest structure).",
    "flag": "What the measurement says of a galaxy that it could not measure well. Flagged galaxies take part as long "
    "as they have a value.",
}

LIMITS = (
    "Distances of single properties say nothing of how properties go together: a set can match every one of them and "
    "still be wrong.",
    "Copies of the training set would score best of all: this page does not test for memorization.",
    "Only what is measured is compared; a difference that no property sees stays unseen.",
)
