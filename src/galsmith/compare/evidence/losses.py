"""Evidence of what is lost: images, galaxies, values, and what cuts removed, against the reference's share."""

from collections.abc import Iterator

from scipy import stats

from galsmith.compare.evidence.records import NO_INTERVAL, SHARE, Evidence, Findings
from galsmith.compare.marginal.columns import words_of

LITTLE_LOSS = 0.02
Counts = tuple[int, int]


def of_losses(findings: Findings) -> Iterator[Evidence]:
    """Images left out or not measured, galaxies without a value of a property, and those that each cut removed."""
    compared = findings.comparison
    yield from _of_images(findings)
    sizes = compared.reference.n_compared, compared.generated.n_compared
    # A circular property is the same column once more, and lost with it.
    for column in dict.fromkeys(item.column for item in compared.distances):
        item = next(one for one in compared.distances if one.column == column)
        counts = item.lost_reference.count, item.lost_generated.count
        yield _loss(f"lost: {column}", f"no {words_of(column)}", counts, sizes)
    measured = compared.reference.n_measured, compared.generated.n_measured
    for cut in compared.cuts:
        counts = cut.removed_reference, cut.removed_generated
        yield _loss(f"cut: {cut.column}", f"cut off by {words_of(cut.column)}", counts, measured)


def _of_images(findings: Findings) -> Iterator[Evidence]:
    """Images that could not be used, where both sides counted them, and galaxies of which nothing was measured."""
    sides = findings.comparison.reference.losses, findings.comparison.generated.losses
    given = sides[0].n_given, sides[1].n_given
    if all(side.is_counted and side.n_given for side in sides):
        counts = sides[0].n_left_out, sides[1].n_left_out
        # A survey has bad cutouts that a generator need not have: one-sided.
        yield _loss("images left out", "images that could not be used", counts, given, alternative="less")
    measured = given[0] - sides[0].n_left_out, given[1] - sides[1].n_left_out
    if all(measured):
        counts = sides[0].n_unmeasured, sides[1].n_unmeasured
        yield _loss("galaxies not measured", "galaxies of which nothing was measured", counts, measured)


def _loss(
    name: str, label: str, counts: Counts, sizes: Counts, *, alternative: str = "two-sided"
) -> Evidence:
    """Fisher's exact test that both sets lose the same share; "less" asks whether the reference loses less."""
    # Fisher (1935): exact for any numbers, so that a single lost galaxy makes no alarm.
    table = [[count, size - count] for count, size in zip(counts, sizes, strict=True)]
    shares = counts[0] / sizes[0], counts[1] / sizes[1]
    return Evidence(
        family="losses",
        block="tests",
        title="Galaxies lost",
        name=name,
        label=label,
        value=shares[1],
        interval=NO_INTERVAL,
        floor=shares[0],
        p_value=float(stats.fisher_exact(table, alternative=alternative)[1]),
        effect=shares[1] - shares[0],
        unit=SHARE,
        is_little=abs(shares[1] - shares[0]) < LITTLE_LOSS,
    )
