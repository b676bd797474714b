"""``galsmith compare REF GEN...``: how far generated sets are from a reference set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.measure_flags import MethodFlags
from galsmith.cli.options import (
    NO_SETTINGS,
    SHOWN_ALL,
    Limit,
    Output,
    Overwrite,
    Seed,
    Sets,
    Shown,
    Workers,
    worker_count,
)
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import (
    CUT_NAMES,
    PAPER_NAMES,
    check_counts,
    check_name,
    check_places,
    check_there,
    path_of_set,
)
from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.compare.judge import NamedSet

EXAMPLE = "galsmith compare reference.parquet generated.parquet -o comparison.json"
NO_EXTRACTORS: list[str] = []
IMAGES = "a store, a folder of images, an array file or a table"


def compare(
    reference: Annotated[
        Path,
        Parameter(
            help="Table of galsmith measure; or images, measured first: a store, a folder, set.h5:/images."
        ),
    ],
    /,
    *generated: Annotated[
        str, Parameter(help="The same of each generated set; NAME=PATH gives it a name.", negative=())
    ],
    output: Output,
    paper: Annotated[
        str | None,
        Parameter(
            help="Follow a paper's choices and print its numbers beside, such as holzschuh2022-cosmos."
        ),
    ] = None,
    observe: Annotated[
        str | None,
        Parameter(
            help="Images: bring all under one PSF, pixel and depth first: a preset (lsst, ...) or a TOML file."
        ),
    ] = None,
    normalization: Annotated[
        Literal["reference-zscore", "reference-iqr", "none"] | None,
        Parameter(help="What a difference is divided by; reference-zscore unless the paper says otherwise."),
    ] = None,
    cuts: Annotated[str | None, Parameter(help="Leave out extreme galaxies by a named set of cuts.")] = None,
    beyond: Annotated[
        bool,
        Parameter(
            negative="--no-beyond",
            help="Also judge all properties together: sliced distances, correlations, classifiers.",
        ),
    ] = True,
    power: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Also put known faults into the reference, to say how small a one would have been seen (a minute).",
        ),
    ] = False,
    features: Annotated[
        list[str],
        Parameter(
            help="Also compare features of this network, such as efficientnet-lite0.", show_default=False
        ),
    ] = NO_EXTRACTORS,
    training: Annotated[
        Path | None,
        Parameter(help="Images that the generator was trained on; found by what made GEN where left out."),
    ] = None,
    split: Annotated[
        str | None,
        Parameter(help="Split of a store REF to compare with, or all; left out, what nobody trained on."),
    ] = None,
    bands: Annotated[
        str | None,
        Parameter(help="Names of the bands of files that do not say them, such as g,r,i of set.npz."),
    ] = None,
    segmentation: Annotated[
        Literal["paper", "survey"] | None,
        Parameter(
            help="Images: measure the largest source (paper, the default) or the central one (survey, for cutouts)."
        ),
    ] = None,
    overrides: Sets = NO_SETTINGS,
    seed: Seed = 0,
    workers: Workers = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Judge one or several generated sets: distances with uncertainty and floor, tests, and what gives them away."""
    if not generated:
        raise SettingsError(
            "there is no generated set to judge",
            argument="generated",
            wanted="one or more tables or sets of images",
        )
    sets = [str(reference), *map(path_of_set, generated)]
    check_places([], [output], far=[*sets, training or ""])
    check_counts({"workers": workers, "limit": limit})
    check_name(paper, PAPER_NAMES, argument="paper", problem="its choices are not known")
    check_name(cuts, CUT_NAMES, argument="cuts", problem="there is no such set of cuts")
    method = MethodFlags(segmentation=segmentation)
    method.check(overrides)
    for images in sets:
        check_there(images, wanted=IMAGES)
    if training is not None:
        check_there(training)
    from galsmith.cli.summaries import outcome_of_card
    from galsmith.data.readers.options import parse_bands
    from galsmith.judging import judge

    with shown.progress() as progress:
        card = judge(
            reference,
            named_paths(generated),
            output,
            training=training,
            split=split,
            features=features,
            paper=paper,
            observe=observe,
            beyond=beyond,
            power=power,
            normalization=normalization,
            cuts=cuts,
            bands=None if bands is None else parse_bands(bands),
            measure_settings=method.to_settings(overrides) if segmentation or overrides else None,
            seed=seed,
            workers=worker_count(workers),
            limit=limit,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_card(card, output)


def named_paths(generated: Sequence[str]) -> "list[NamedSet]":
    """Read generated sets written as ``PATH`` or ``NAME=PATH``."""
    from galsmith.compare.judge import NamedSet
    from galsmith.judging.judge import name_of

    named = []
    for text in generated:
        name, separator, path = text.partition("=")
        is_named = bool(separator) and not Path(text).exists()
        named.append(NamedSet(name, Path(path)) if is_named else NamedSet(name_of(text), Path(text)))
    return named
