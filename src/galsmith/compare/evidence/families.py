"""The table of families of evidence, `FAMILIES`, and their correction over a whole card: `evidence_of`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from galsmith.compare.correction import holm
from galsmith.compare.evidence import images, losses, marginal, together
from galsmith.compare.evidence.records import BY_HOLM, Evidence, Findings

Gather = Callable[[Findings], Iterable[Evidence]]


@dataclass(frozen=True)
class EvidenceFamily:
    """One kind of evidence.

    Attributes
    ----------
    name : str
        Its key in `FAMILIES` and `Evidence.family`.
    title : str
        As pages have it.
    asks : str
        The question that its tests answer, in words.
    gather : tuple of callable
        Each takes `Findings` and gives evidence, not yet weighed.
    needs : str
        What a card's `missing` calls that without which there is none; empty where there always is.
    way_out : str
        How to get it; empty where it always is there.
    """

    name: str
    title: str
    asks: str
    gather: tuple[Gather, ...]
    needs: str = ""
    way_out: str = ""


_TOGETHER = (
    "compare with `beyond=True`, and 50 or more galaxies of each set of which all properties were measured"
)
# One row a family; in the order in which pages have them. `correction.MOST_FAMILIES` bounds how many there may be.
FAMILIES: dict[str, EvidenceFamily] = {
    family.name: family
    for family in (
        EvidenceFamily(
            "copies",
            "Copies",
            "Does it give training images back?",
            (images.of_copies, images.of_training_images),
            "memorization",
            "give the training images as `training`",
        ),
        EvidenceFamily(
            "identity",
            "Images of the reference",
            "Are its images those of the reference?",
            (images.of_reference_images,),
            "copies",
            "compare the images, not tables alone",
        ),
        EvidenceFamily(
            "repeats",
            "Repeats",
            "Does it have images more than once?",
            (images.of_repeats,),
            "copies",
            "compare the images, not tables alone",
        ),
        EvidenceFamily(
            "near",
            "Too near",
            "Are the sets nearer than two sets of one kind can be?",
            (marginal.of_nearness, together.of_classifiers_below),
        ),
        EvidenceFamily("losses", "Losses", "Does it lose other images in measuring?", (losses.of_losses,)),
        EvidenceFamily(
            "marginal",
            "Properties",
            "Is any property of the means distributed otherwise?",
            (marginal.of_properties,),
        ),
        EvidenceFamily(
            "outside",
            "Properties outside of the means",
            "Is any other measured property distributed otherwise?",
            (marginal.of_properties_outside, marginal.of_usual_values),
        ),
        EvidenceFamily("means", "Means", "Are many properties off, each by little?", (marginal.of_means,)),
        EvidenceFamily(
            "joint",
            "All properties together",
            "Do all properties together differ?",
            (together.of_joint,),
            "beyond",
            _TOGETHER,
        ),
        EvidenceFamily(
            "pairs",
            "Correlations",
            "Do any two properties go together otherwise?",
            (together.of_pairs,),
            "beyond",
            _TOGETHER,
        ),
        EvidenceFamily(
            "classifiers",
            "Classifiers",
            "Can a classifier tell images that it has not seen?",
            (together.of_classifiers,),
            "beyond",
            _TOGETHER,
        ),
        EvidenceFamily(
            "features",
            "Features of a network",
            "Does a network see other images?",
            (images.of_features,),
            "features",
            "compare with `features=efficientnet-lite0`",
        ),
    )
}


def evidence_of(findings: Findings) -> tuple[Evidence, ...]:
    """Gather all evidence about one generated set, corrected over the whole card.

    Parameters
    ----------
    findings : Findings
        All that was found out, such as a `Judgment`.

    Returns
    -------
    tuple of Evidence
        In the order of `FAMILIES`; numbers without a test are none.
    """
    gathered = chain.from_iterable(
        gather(findings) for family in FAMILIES.values() for gather in family.gather
    )
    # Statistics that could not be had, and those without a test, are no evidence and cost none.
    return weigh([item for item in gathered if np.isfinite(item.p_value)])


def weigh(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Correct p values over blocks, families and the card, so that 5 % of fair cards have any told at all.

    Within a block by the joint deals, where the record has it (Westfall & Young 1993), or by Holm (1979); blocks of a
    family and families of a card by Bonferroni, who asks nothing of how they hang together. No step of a block is taken
    for another block: a block of which one test is told may hold others that are not (Dunn 1961).

    Parameters
    ----------
    evidence : sequence of Evidence
        All that is tested.
    """
    blocks: dict[tuple[str, str], list[int]] = {}
    for place, item in enumerate(evidence):
        blocks.setdefault((item.family, item.block), []).append(place)
    # Dunn (1961): each of m families may spend 1/m of the alarms; those without a test spend none.
    n_families = len({family for family, _ in blocks})
    weighed = list(evidence)
    for (family, _), places in blocks.items():
        n_blocks = sum(other == family for other, _ in blocks)
        for place, p_block in zip(places, _of_block([evidence[one] for one in places]), strict=True):
            # The same once more between the blocks of a family.
            p_family = min(1.0, n_blocks * p_block)
            weighed[place] = replace(
                evidence[place],
                p_block=p_block,
                p_family=p_family,
                p_overall=min(1.0, n_families * p_family),
            )
    return tuple(weighed)


def _of_block(members: Sequence[Evidence]) -> list[float]:
    """P values corrected for the tests of one block."""
    # Holm (1979) asks nothing of how tests hang together; deals know it.
    if members[0].corrected_by == BY_HOLM:
        return [float(value) for value in holm(np.array([item.p_value for item in members]))]
    return [item.p_block for item in members]
