"""What a card lacks, each in one sentence that says how to get it."""

from galsmith.report.material import Material

HOW_TO = {
    "beyond": "Whether the properties go together as they should was not judged. galsmith compare does it unless it is "
    "told --no-beyond.",
    "features": "Features of a network were not compared. Install galsmith[features] and compare with "
    "--features efficientnet-lite0.",
    "memorization": "Whether training images are repeated was not judged, and copies of them would score best in all "
    "else. Name the training images to galsmith compare with --training STORE.",
    "galaxies": "The images are not where the measurements say, so there are none to show; "
    "put them back and write the report again.",
    "histograms": "The measurements are not where the comparison says, so there are no histograms; "
    "put them back and write the report again. The table below has what the comparison recorded.",
    "corner": "Corner plots need both tables of measurements, with two or more properties and 20 or more galaxies.",
    "color": "Colors were not compared: the tables have none. Measure images of two or more bands, and both sets alike.",
    "spectrum": "Fewer than three modes of the power spectrum could be compared; measure the quantity power.",
    "planes": "The average two-dimensional spectra need the images of both sets.",
    "examples": "The galaxies most surely told cannot be shown: their images are not where the measurements say.",
    "pairs": "The closest pairs cannot be shown: the generated or the training images are not where the card says.",
    "published": "No paper was followed, so none's numbers stand beside these; "
    "compare with --paper holzschuh2022-cosmos or another.",
}
JUDGED = ("beyond", "features", "memorization")


def sentence_of(what: str, material: Material | None = None) -> str:
    """Say what is lacking: why, where the card knows it, and how to get it.

    Parameters
    ----------
    what : str
        A key of `HOW_TO`.
    material : Material, optional
        Of the generated set.
    """
    reasons = [] if material is None else _reasons(what, material)
    return " ".join([HOW_TO[what], *(f"The card says: {_as_sentence(reason)}" for reason in reasons)])


def other_reasons(material: Material) -> list[str]:
    """Sentences for what the card calls missing though that block is there, or under a name of its own."""
    judgment = material.judgment
    shown = {"beyond": judgment.beyond is None, "features": not judgment.features}
    shown["memorization"] = not judgment.memorization
    said = {reason for what in JUDGED if shown[what] for reason in _reasons(what, material)}
    return [
        f"{name}: {_as_sentence(reason)}" for name, reason in judgment.missing.items() if reason not in said
    ]


def _reasons(what: str, material: Material) -> list[str]:
    """Why the card lacks something: the reasons of all names that begin with it."""
    if what not in JUDGED:
        return []
    return [reason for name, reason in material.judgment.missing.items() if name.startswith(what)]


def _as_sentence(text: str) -> str:
    """End with a full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
