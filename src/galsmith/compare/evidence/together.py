"""Evidence of all properties together: joint statistics, pairs of properties, and classifiers on both sides of guessing."""

from collections.abc import Iterator

from galsmith.compare.evidence.images import features_named
from galsmith.compare.evidence.records import (
    AREA,
    BY_DEALS,
    CORRELATION,
    FLOORS,
    NAN,
    NO_INTERVAL,
    Evidence,
    Findings,
    numbers_of,
)
from galsmith.compare.marginal.columns import words_of
from galsmith.compare.records import ClassifierTest, Statistic

HEADS = {"trees": "boosted trees", "pairs": "products of two"}
LITTLE_FLOORS, LITTLE_CORRELATION, LITTLE_AREA = 2.0, 0.1, 0.6
# One less a p value of 1 is 0, which no test can claim.
LEAST_P = 1e-16


def of_joint(findings: Findings) -> Iterator[Evidence]:
    """Statistics of all properties together, those of `JOINT` that are judged."""
    if findings.beyond is None:
        return
    for name, item in findings.beyond.statistics.items():
        if name not in findings.beyond.shown_only:
            yield Evidence(
                family="joint",
                block="statistics",
                title="All properties together",
                name=name,
                label=item.name,
                **numbers_of(item),
                # Each statistic has its own unit; what sampling makes of it is common to all.
                effect=item.in_floors,
                unit=FLOORS,
                floor_sigma=item.estimate.floor_sigma,
                is_little=item.in_floors < LITTLE_FLOORS,
            )


def of_pairs(findings: Findings) -> Iterator[Evidence]:
    """Correlations of two properties."""
    if findings.beyond is None:
        return
    for pair in findings.beyond.correlation_pairs:
        yield Evidence(
            # Two-sided, and corrected for all pairs by the same deals of ranks.
            family="pairs",
            block="deals",
            title="Correlations of two properties",
            name=f"{pair.first} with {pair.second}",
            label=f"{words_of(pair.first)} with {words_of(pair.second)}",
            value=pair.difference,
            interval=NO_INTERVAL,
            floor=NAN,
            p_value=pair.p_value,
            effect=pair.difference,
            unit=CORRELATION,
            is_little=abs(pair.difference) < LITTLE_CORRELATION,
            corrected_by=BY_DEALS,
            p_block=pair.p_family,
        )


def of_classifiers(findings: Findings) -> Iterator[Evidence]:
    """Classifiers that tell the sets apart better than guessing, by area and by accuracy."""
    for test, on in _classifiers(findings):
        # The accuracy is a second look at the same scores: Holm makes it cost a factor of two.
        for item, name in ((test.auc, ""), (test.accuracy, ", accuracy")):
            yield _area(test, on, item, family="classifiers", name=name, p_value=item.p_value)


def of_classifiers_below(findings: Findings) -> Iterator[Evidence]:
    """Classifiers that are surer than guessing, and wrong: each galaxy's twin stands in the other set."""
    for test, on in _classifiers(findings):
        # Standard normal where nothing differs, so that the other tail is what is left of 1.
        p_near = max(1.0 - test.auc.p_value, LEAST_P)
        yield _area(test, on, test.auc, family="near", name=", below guessing", p_value=p_near)


def _classifiers(findings: Findings) -> Iterator[tuple[ClassifierTest, str]]:
    """List all classifiers with what they look at."""
    if findings.beyond is not None:
        yield from ((test, "properties") for test in findings.beyond.classifiers)
    for one in findings.features:
        yield from ((test, features_named(one.extractor_id)) for test in one.classifiers)


def _area(
    test: ClassifierTest, on: str, item: Statistic, *, family: str, name: str, p_value: float
) -> Evidence:
    """One number of a classifier."""
    head = HEADS.get(test.head, test.head)
    return Evidence(
        family=family,
        block="classifiers",
        title=f"Classifier on {on}" if family == "classifiers" else "Nearer than sampling allows",
        name=f"{test.head} on {test.on}{name}",
        label=f"{head}{name}" if family == "classifiers" else f"{head} on {on}{name}",
        value=item.value,
        interval=item.interval,
        # Guessing (Lopez-Paz & Oquab 2017).
        floor=0.5,
        p_value=p_value,
        effect=item.value,
        unit=AREA,
        is_little=family == "classifiers" and item.interval[0] < LITTLE_AREA,
    )
