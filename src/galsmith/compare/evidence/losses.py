"""Evidence of what is lost: images, galaxies, values, and what cuts removed, against the reference's share."""

from collections.abc import Iterator

from scipy import stats

from galsmith.compare.evidence.records import NO_INTERVAL, SHARE, Evidence, Findings
from galsmith.compare.losses import ImageLosses
from galsmith.compare.marginal.columns import words_of

LITTLE_LOSS = 0.02
Counts = tuple[int, int]
Shares = tuple[float, float]


def of_losses(findings: Findings) -> Iterator[Evidence]:
    """Images left out or not measured, galaxies without a value of a property, and those that each cut removed."""
    compared, shares = findings.comparison, _shares_effective(findings)
    yield from _of_images(findings, shares)
    # Galaxies of which nothing was measured count once, and not with each property again.
    unmeasured = compared.reference.losses.n_unmeasured, compared.generated.losses.n_unmeasured
    sizes = compared.reference.n_compared - unmeasured[0], compared.generated.n_compared - unmeasured[1]
    # A circular property is the same column once more, and lost with it.
    for column in dict.fromkeys(item.column for item in compared.distances):
        item = next(one for one in compared.distances if one.column == column)
        lost = item.lost_reference.count - unmeasured[0], item.lost_generated.count - unmeasured[1]
        counts = max(lost[0], 0), max(lost[1], 0)
        # A test that cannot tell, given how many are lost in all, costs the others nothing (Tarone 1990).
        if min(sizes) > 0 and any(counts):
            yield _loss(f"lost: {column}", f"no {words_of(column)}", counts, sizes, shares)
    measured = compared.reference.n_measured, compared.generated.n_measured
    for cut in compared.cuts:
        counts = cut.removed_reference, cut.removed_generated
        yield _loss(f"cut: {cut.column}", f"cut off by {words_of(cut.column)}", counts, measured, shares)


def _shares_effective(findings: Findings) -> Shares:
    """Galaxies in effect over images of either set; 1 where nobody looked."""
    return (1.0, 1.0) if findings.copies is None else findings.copies.shares_effective


def _of_images(findings: Findings, shares: Shares) -> Iterator[Evidence]:
    """Images that could not be used, where both sides counted them, and galaxies of which nothing was measured.

    Where one side alone had images left out, as of a folder beside a table, the two are one: what one way leaves out,
    such as a black image, the other does not measure.
    """
    sides = findings.comparison.reference.losses, findings.comparison.generated.losses
    given = sides[0].n_given, sides[1].n_given
    if not all(given):
        return
    # A folder's black images were left out, a table's are rows without values.
    by_one_way = all(side.is_counted for side in sides) or not any(side.n_left_out for side in sides)
    if not by_one_way:
        counts = sides[0].n_lost, sides[1].n_lost
        yield _loss(
            "images lost",
            _lost_text(sides[1], "images left out or not measured"),
            counts,
            given,
            shares,
            block="images",
        )
        return
    if all(side.is_counted for side in sides):
        counts = sides[0].n_left_out, sides[1].n_left_out
        label = _lost_text(sides[1], "images that could not be used", is_measured=False)
        # A survey has bad cutouts that a generator need not have: one-sided.
        yield _loss("images left out", label, counts, given, shares, block="images", alternative="less")
    measured = given[0] - sides[0].n_left_out, given[1] - sides[1].n_left_out
    if all(measured):
        counts = sides[0].n_unmeasured, sides[1].n_unmeasured
        label = _lost_text(
            sides[1],
            f"{findings.comparison.images_name} of which nothing was measured",
            is_left_out=False,
        )
        yield _loss("galaxies not measured", label, counts, measured, shares, block="images")


def _lost_text(losses: ImageLosses, words: str, *, is_left_out: bool = True, is_measured: bool = True) -> str:
    """Say what was lost, with the most frequent reason."""
    counts = {
        **(losses.left_out if is_left_out else {}),
        **(losses.unmeasured if is_measured else {}),
    }
    usual = max(counts, key=lambda reason: counts[reason], default="")
    return f"{words} ({usual.replace('_', ' ')})" if usual else words


def _loss(
    name: str,
    label: str,
    counts: Counts,
    sizes: Counts,
    shares: Shares,
    *,
    block: str = "properties",
    alternative: str = "two-sided",
) -> Evidence:
    """Fisher's exact test that both sets lose the same share; "less" asks whether the reference loses less."""
    # Rao & Scott (1992): counts and sizes of what comes several times are divided by the design effect.
    effective = [
        (round(count * share), round(size * share))
        for count, size, share in zip(counts, sizes, shares, strict=True)
    ]
    # Fisher (1935): exact for any numbers, so that a single lost galaxy makes no alarm.
    table = [[count, size - count] for count, size in effective]
    lost = counts[0] / sizes[0], counts[1] / sizes[1]
    return Evidence(
        family="losses",
        block=block,
        title="Images lost",
        name=name,
        label=label,
        value=lost[1],
        interval=NO_INTERVAL,
        floor=lost[0],
        p_value=float(stats.fisher_exact(table, alternative=alternative)[1]),
        effect=lost[1] - lost[0],
        unit=SHARE,
        is_little=abs(lost[1] - lost[0]) < LITTLE_LOSS,
    )
