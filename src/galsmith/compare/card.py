"""A report card: several generated sets against one reference, with what is known beyond single properties; frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from galsmith.compare.conditions import unlike_text
from galsmith.compare.evidence.families import evidence_of
from galsmith.compare.evidence.records import Evidence
from galsmith.compare.memory.copies import Copies
from galsmith.compare.records import (
    BeyondMarginals,
    Comparison,
    FeatureComparison,
    Memorization,
    PairedDifference,
)
from galsmith.compare.verdict import UNJUDGED, Verdict, VisibleDose, verdict_of
from galsmith.provenance import Provenance


@dataclass(frozen=True)
class Judgment:
    """All that is found out about one generated set.

    Attributes
    ----------
    name : str
        Of the generated set, as figures and tables have it.
    comparison : Comparison
        Property by property.
    verdict : Verdict
        Whether it can be told from the reference; `Judgment.of` finds it.
    beyond : BeyondMarginals or None
        What all properties together tell.
    features : tuple of FeatureComparison
        In the features of networks, one each.
    memorization : tuple of Memorization
        In pixels, and in the features of networks.
    copies : Copies or None
        Altered copies, twins and repeats; None where there were no images to look at.
    missing : mapping of str to str
        What was not judged, such as ``"memorization"``, and why.
    """

    name: str
    comparison: Comparison
    verdict: Verdict
    beyond: BeyondMarginals | None = None
    features: tuple[FeatureComparison, ...] = ()
    memorization: tuple[Memorization, ...] = ()
    copies: Copies | None = None
    missing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        comparison: Comparison,
        *,
        beyond: BeyondMarginals | None = None,
        features: tuple[FeatureComparison, ...] = (),
        memorization: tuple[Memorization, ...] = (),
        copies: Copies | None = None,
        missing: Mapping[str, str] | None = None,
        doses: tuple[VisibleDose, ...] = (),
    ) -> "Judgment":
        """Judge what was found out about a generated set, as `verdict_of` does."""
        # Here alone, so that no card has a verdict that its numbers do not give.
        found = cls(name, comparison, UNJUDGED, beyond, features, memorization, copies, dict(missing or {}))
        return replace(found, verdict=verdict_of(found, doses))

    def evidence(self, name: str) -> Evidence:
        """Find a test by the name of its number, such as a property's; `KeyError` lists the names."""
        weighed = evidence_of(self)
        for item in weighed:
            if item.name == name:
                return item
        raise KeyError(f"no evidence {name!r}; there are {', '.join(item.name for item in weighed)}")


@dataclass(frozen=True)
class PublishedColumn:
    """What a paper found for one model on one set, to stand beside the user's numbers.

    Attributes
    ----------
    model : str
        Such as ``"StyleGAN"``.
    data : str
        Such as ``"COSMOS"``.
    table : str
        Such as ``"Table 2"``.
    values : mapping of str to float
        By the name of the property, of a mean such as ``"mean morphology"``, or ``"FID"``: distances in the unit
        of this package (not x 10^-2), or mean values of the property.
    sigmas : mapping of str to float
        Standard deviations, where `values` are means of the property; empty for distances.
    """

    model: str
    data: str
    table: str
    values: Mapping[str, float]
    sigmas: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class ReportCard:
    """What ``comparison.json`` holds.

    Attributes
    ----------
    judgments : tuple of Judgment
        One a generated set, all against the same reference.
    paired : tuple of PairedDifference
        Between generated sets; empty where there is one.
    paper : str
        Name of the paper whose choices were followed; empty for the defaults.
    published : tuple of PublishedColumn
        What the paper found.
    settings : mapping
        All choices.
    provenance : Provenance
        What made this card.
    """

    judgments: tuple[Judgment, ...]
    paired: tuple[PairedDifference, ...]
    paper: str
    published: tuple[PublishedColumn, ...]
    settings: Mapping[str, Any]
    provenance: Provenance

    def __repr__(self) -> str:
        """Say the summary: all numbers would fill pages."""
        return f"ReportCard({self.summary})"

    def _repr_html_(self) -> str:
        """Show verdict and mean distances of every set, in a notebook."""
        rows = "".join(
            f"<tr><td>{escape(item.name)}</td><td>{escape(item.verdict.summary)}</td><td>"
            + "<br>".join(
                f"{escape(mean.name)}: {mean.value:.3f} (floor {mean.floor:.3f})"
                for mean in item.comparison.means
            )
            + "</td></tr>"
            for item in self.judgments
        )
        return f"<table><tr><th>set</th><th>verdict</th><th>mean W1</th></tr>{rows}</table>"

    @property
    def summary(self) -> str:
        """Verdict and headline distance of every set in one line; first its name, of several, and what is not alike."""
        names = [f"{item.name}: " if len(self.judgments) > 1 else "" for item in self.judgments]
        unlike = [unlike_text(item.comparison.conditions) for item in self.judgments]
        names = [f"{name}{text}; " if text else name for name, text in zip(names, unlike, strict=True)]
        part = self.settings.get("reference_part", "")
        said = [
            f"{name}{item.verdict.summary}; {item.comparison.headline_text}"
            for name, item in zip(names, self.judgments, strict=True)
        ]
        return "; ".join([*said, *([f"compared with {part}"] if part else [])])

    def judgment(self, name: str = "") -> Judgment:
        """Find the judgment of a generated set by name, the first without one; `KeyError` lists the names."""
        # Most cards are of one set, which need not be named.
        for judgment in self.judgments:
            if name in ("", judgment.name):
                return judgment
        known = ", ".join(judgment.name for judgment in self.judgments)
        raise KeyError(f"no generated set {name!r}; there are {known}")
