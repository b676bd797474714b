"""``galsmith compare REF GEN``: how far a generated set is from a reference set."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Limit, Output, Overwrite, Seed, Shown, Workers, worker_count
from galsmith.cli.outcome import Outcome

EXAMPLE = "galsmith compare reference.parquet generated.parquet -o comparison.json"


def compare(
    reference: Annotated[Path, Parameter(help="Table of galsmith measure, or a store (measured first).")],
    generated: Annotated[Path, Parameter(help="The same of the generated set.")],
    /,
    *,
    output: Output,
    normalization: Annotated[
        Literal["reference-zscore", "reference-iqr", "none"],
        Parameter(help="What a difference is divided by."),
    ] = "reference-zscore",
    cuts: Annotated[str | None, Parameter(help="Leave out extreme galaxies by a named set of cuts.")] = None,
    seed: Seed = 0,
    workers: Workers = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Compare two sets, property by property: W1 with its uncertainty, its floor and what was lost."""
    from galsmith.cli.comparisons import mean_numbers, mean_sentence
    from galsmith.compare import compare as compare_sets
    from galsmith.files import sha256_of_file

    with shown.progress() as progress:
        comparison = compare_sets(
            reference,
            generated,
            output,
            normalization=normalization,
            cuts=cuts,
            seed=seed,
            workers=worker_count(workers),
            limit=limit,
            overwrite=overwrite,
            progress=progress,
        )
    return Outcome(
        verb="compare",
        summary=mean_sentence(comparison),
        output=output,
        content_hash=sha256_of_file(output),
        numbers=mean_numbers(comparison),
    )
