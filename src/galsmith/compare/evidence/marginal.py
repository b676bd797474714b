"""Evidence of single properties: those of the paper's means, those outside of them, the means, and what is too near."""

from collections.abc import Iterator

from scipy import stats

from galsmith.compare.evidence.losses import LITTLE_LOSS
from galsmith.compare.evidence.records import (
    BY_DEALS,
    FLOORS,
    NO_INTERVAL,
    SD,
    SHARE,
    Evidence,
    Findings,
    numbers_of,
)
from galsmith.compare.marginal.columns import band_of, group_title, label_of
from galsmith.compare.records import Distance, Mean

LITTLE_SD = 0.1  # A tenth of the spread: 5 000 galaxies of either set see it, and few uses mind.
MEAN_TITLES = {"headline": "mean of the group means", "all properties": "mean of all properties"}


def sd_of(distance: Distance) -> float:
    """Size of a distance in standard deviations of the reference, whatever it was divided by."""
    sigma = distance.reference.sigma
    return distance.value * distance.scale / sigma if sigma > 0 else float("nan")


def title_of(distance: Distance) -> str:
    """Heading of a property: its group, and its band where there are several."""
    band = band_of(distance.column)
    return group_title(distance.group) + (f", {band} band" if band else "")


def of_properties(findings: Findings) -> Iterator[Evidence]:
    """Properties that enter the paper's means."""
    yield from (_far("marginal", item) for item in findings.comparison.counted)


def of_properties_outside(findings: Findings) -> Iterator[Evidence]:
    """Properties outside of the means: places, angles on their circles, the other binning of power."""
    for item in findings.comparison.distances:
        if not item.in_means and not item.reason:
            yield _far("outside", item)


def of_usual_values(findings: Findings) -> Iterator[Evidence]:
    """Properties of which the reference has one value, or a spread that is no unit: whether others have it too."""
    for item in findings.comparison.distances:
        if item.usual is None:
            continue
        counts, sizes = (
            (item.usual.n_reference, item.usual.n_generated),
            (item.n_reference, item.n_generated),
        )
        shares = counts[0] / sizes[0], counts[1] / sizes[1]
        table = [[count, size - count] for count, size in zip(counts, sizes, strict=True)]
        yield Evidence(
            family="outside",
            block="usual values",
            title=title_of(item),
            name=f"usual: {item.name}",
            label=f"{label_of(item, with_band=False)} as in the reference",
            value=shares[1],
            interval=NO_INTERVAL,
            floor=shares[0],
            # Fisher (1935): exact, so that a fair set of which few have another value makes no alarm.
            p_value=float(stats.fisher_exact(table)[1]),
            effect=shares[1] - shares[0],
            unit=SHARE,
            is_little=abs(shares[1] - shares[0]) < LITTLE_LOSS,
        )


def of_means(findings: Findings) -> Iterator[Evidence]:
    """Means over properties: many small shifts that no single one shows."""
    for mean in findings.comparison.means:
        yield Evidence(
            family="means",
            block="deals",
            title="Means over properties",
            # A group may be named as a property is.
            name=f"mean of {mean.name}",
            label=MEAN_TITLES.get(mean.name, f"mean of {group_title(mean.name).lower()}"),
            **numbers_of(mean),
            effect=mean.in_floors,
            unit=FLOORS,
            # The interval decides, not the value: its third digit may fall on either side.
            is_little=mean.interval[0] < LITTLE_SD,
            corrected_by=BY_DEALS,
            p_block=mean.p_family,
        )


def of_nearness(findings: Findings) -> Iterator[Evidence]:
    """Distances smaller than sampling allows, and classifiers below guessing: the sets share galaxies."""
    compared = findings.comparison
    # Means first: where all are equally unlikely, a mean says more than any property.
    for mean in compared.means:
        label = MEAN_TITLES.get(mean.name, f"mean of {group_title(mean.name).lower()}")
        yield _near("means", f"mean of {mean.name}", label, mean)
    for item in compared.distances:
        if not item.reason:
            yield _near("properties", item.name, label_of(item), item)


def _far(family: str, item: Distance) -> Evidence:
    """Weigh a property that may differ more than sampling makes it."""
    # From what differences were divided by to standard deviations of the reference.
    scale = item.scale / item.reference.sigma if item.reference.sigma > 0 else float("nan")
    return Evidence(
        family=family,
        block="deals",
        title=title_of(item),
        name=item.name,
        label=label_of(item, with_band=False),
        **numbers_of(item),
        effect=sd_of(item),
        unit=SD,
        floor_sigma=item.estimate.floor_sigma,
        told_from=item.told_from,
        is_little=item.interval[0] * scale < LITTLE_SD,
        corrected_by=BY_DEALS,
        p_block=item.p_family,
    )


def _near(block: str, name: str, label: str, item: Distance | Mean) -> Evidence:
    """Weigh a distance or mean that may differ less than sampling makes it."""
    return Evidence(
        family="near",
        block=block,
        title="Nearer than sampling allows",
        # The same number is evidence twice, once for each tail.
        name=f"{name}, nearer",
        label=label,
        value=item.value,
        interval=item.interval,
        floor=item.floor,
        p_value=item.p_near,
        effect=item.in_floors,
        unit=FLOORS,
        corrected_by=BY_DEALS,
        p_block=item.p_near_family,
    )
