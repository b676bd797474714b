"""Evidence of the images: features of networks, copies of training or reference images, and repeats."""

import re
from collections.abc import Iterator
from dataclasses import replace

from galsmith.compare.evidence.records import BY_DEALS, HALF, SHARE, Evidence, Findings, numbers_of
from galsmith.compare.memory.copies import REFERENCE, TRAINING
from galsmith.compare.records import FeatureComparison, Memorization, Statistic

LITTLE_SHARE = 0.05
IDENTICAL = 1e-6
# Family and heading.
COPIED = ("copies", "Copies, altered or identical")
IDENTICAL_SETS = ("identity", "Images of the reference")
REPEATED = ("repeats", "Repeats")
SEEN_IN_COLOR = ("asinh-of-", "rgb")  # how ids of renderings in color begin


def network_of(extractor_id: str) -> str:
    """Name the network of a feature extractor's id, or pixels."""
    return re.split(r"[\s:;,|/@]", extractor_id.strip(), maxsplit=1)[0][:32]


def features_named(extractor_id: str) -> str:
    """Name the network of a feature extractor's id, and that it sees color where it does."""
    rendering = extractor_id.rpartition("/")[2]
    return network_of(extractor_id) + (", in color" if rendering.startswith(SEEN_IN_COLOR) else "")


def n_identical(memory: Memorization) -> int:
    """Count the listed pairs that are identical, as no held-out image is."""
    # Distances of resampled pictures are not exactly 0: rounding, relative to the nearest image nobody copied.
    nearest = min(memory.distances_held_out, default=0.0)
    return sum(pair.distance <= IDENTICAL * nearest for pair in memory.pairs) if nearest > 0 else 0


def of_features(findings: Findings) -> Iterator[Evidence]:
    """Kernel distance, precision, recall, density and coverage of each network; the Fréchet distance has no test."""
    for one in findings.features:
        title = f"Features of {features_named(one.extractor_id)}"
        kernel = one.kernel
        # Unbiased and 0 on average where nothing differs: no floors to count it in (Bińkowski et al. 2018).
        yield _feature(one, title, kernel, kernel.value, kernel.name, is_little=False)
        for name, item in one.support.statistics.items():
            excess = item.value - item.floor
            found = _feature(one, title, item, excess, SHARE, name=name, is_little=abs(excess) < LITTLE_SHARE)
            # The four are dealt together, and hang together.
            yield replace(found, corrected_by=BY_DEALS, p_block=one.support.p_together[name])


def of_copies(findings: Findings) -> Iterator[Evidence]:
    """All calibrated tests of each search for copies, and images that are training images."""
    for memory in findings.memorization:
        share, authentic, c_t = memory.share_closer, memory.authenticity, memory.c_t
        # Each sees another kind: few exact copies; many near ones; all images a little too near.
        yield _copies(memory, "share nearer", share, share.value, SHARE)
        yield _copies(memory, "AuthPct", authentic, authentic.floor - authentic.value, SHARE)
        yield _copies(memory, "C_T", c_t, c_t.value, "C_T")
        count = n_identical(memory)
        # Certain, and no share: one is enough.
        if count:
            yield Evidence(
                family="copies",
                block="tests",
                title=_copies_title(memory),
                name=f"identical in {memory.space}",
                label="identical to a training image",
                value=float(count),
                interval=(float(count), float(memory.n_generated)),
                floor=0.0,
                # A fresh image of n that lies within e of the nearest of m held-out distances: at most e n / m.
                p_value=IDENTICAL * max(memory.n_generated / memory.n_held_out, 1.0),
                effect=count / memory.n_generated,
                unit=SHARE,
            )


def of_training_images(findings: Findings) -> Iterator[Evidence]:
    """Altered and identical training images."""
    yield from _of_set(findings, TRAINING, COPIED)


def of_reference_images(findings: Findings) -> Iterator[Evidence]:
    """Altered and identical images of the reference."""
    yield from _of_set(findings, REFERENCE, IDENTICAL_SETS)


def of_repeats(findings: Findings) -> Iterator[Evidence]:
    """Galaxies that the set has more than once, exactly and nearly."""
    if findings.copies is None:
        return
    repeats = findings.copies.repeats
    label = f"there already; {repeats.n_effective:,.0f} of {repeats.n_generated:,} in effect"
    yield _of_images(REPEATED, repeats.redundant, name="repeated images", label=label)
    if repeats.closest_pairs is not None:
        label = "closest pairs of images that lie in it, not in the reference"
        found = _of_images(REPEATED, repeats.closest_pairs, name="closest pairs", label=label)
        yield replace(found, unit=HALF)


def _of_set(findings: Findings, searched: str, heading: tuple[str, str]) -> Iterator[Evidence]:
    """All that is known of images of one other set."""
    copies = findings.copies
    if copies is None:
        return
    for search in copies.searches:
        if search.searched == searched:
            share, c_t = search.share_closer, search.c_t
            yield _of_images(heading, share, name=f"share like {searched}", label=f"like {searched}")
            found = _of_images(
                heading, c_t, name=f"C_T of likeness to {searched}", label=f"nearness to {searched}"
            )
            yield replace(found, effect=c_t.value, unit="C_T")
    for twins in copies.twins:
        if twins.searched == searched:
            label = f"{twins.n_identical:,} identical to {searched}"
            yield _of_images(heading, twins.share, name=f"identical to {searched}", label=label)


def _of_images(heading: tuple[str, str], item: Statistic, *, name: str, label: str) -> Evidence:
    """One share of images that are there already, by how much it is above what it would be."""
    family, title = heading
    return Evidence(
        family=family,
        block="images",
        title=title,
        name=name,
        label=label,
        **numbers_of(item),
        effect=item.value - item.floor,
        unit=SHARE,
    )


def _feature(
    one: FeatureComparison,
    title: str,
    item: Statistic,
    effect: float,
    unit: str,
    *,
    name: str = "kernel",
    is_little: bool,
) -> Evidence:
    """One number of the features."""
    return Evidence(
        family="features",
        block=f"{name if name == 'kernel' else 'support'} in {one.extractor_id}",
        title=title,
        name=f"{name} in {one.extractor_id}",
        label=item.name,
        **numbers_of(item),
        effect=effect,
        unit=unit,
        is_little=is_little,
    )


def _copies(memory: Memorization, label: str, item: Statistic, effect: float, unit: str) -> Evidence:
    """One test of a search for copies."""
    return Evidence(
        family="copies",
        block="tests",
        title=_copies_title(memory),
        name=f"{label} in {memory.space}",
        label=label,
        **numbers_of(item),
        effect=effect,
        unit=unit,
    )


def _copies_title(memory: Memorization) -> str:
    """Heading of one search for copies."""
    return f"Copies, looked for in {network_of(memory.space)}"
