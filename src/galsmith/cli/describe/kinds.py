"""Which artifact a path or a name is, and what describes it: one entry a kind, in the order of asking."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from galsmith.cli.describe.files import (
    describe_comparison,
    describe_denoiser,
    describe_judged,
    describe_report,
    describe_scorer,
    describe_study,
    describe_study_of_denoising,
    describe_submission,
    describe_table,
    is_denoiser,
    is_judged,
    is_study_of_denoising,
    is_submission,
)
from galsmith.cli.describe.record import Description
from galsmith.cli.describe.runs import describe_pretrained, describe_recipe, describe_run, describe_snapshot
from galsmith.cli.describe.stores import describe_cutouts, describe_partial_store, describe_store
from galsmith.data.store import partial_chunks
from galsmith.errors import InputError
from galsmith.files import is_remote, place_of
from galsmith.models.families import recipes_by_family
from galsmith.models.pretrained import is_pretrained
from galsmith.settings import near_miss, recipe_names

TABLE_SUFFIXES = (".parquet", ".ecsv", ".fits")
FAR_KINDS = ("store", "measurements")  # which are read from addresses too


@dataclass(frozen=True)
class Kind:
    """One kind of artifact.

    Attributes
    ----------
    matches : callable
        Whether a path is one.
    describe : callable
        Path -> `Description`.
    """

    matches: Callable[[Path], bool]
    describe: Callable[[Path], Description]


KINDS = {
    "store": Kind(lambda path: (path / "dataset.json").is_file(), describe_store),
    "partial store": Kind(lambda path: partial_chunks(path) is not None, describe_partial_store),
    "FITS cutouts": Kind(lambda path: (path / "sampling.json").is_file(), describe_cutouts),
    "denoiser": Kind(is_denoiser, describe_denoiser),
    "run": Kind(lambda path: (path / "settings.toml").is_file(), describe_run),
    "snapshot": Kind(lambda path: (path / "snapshot.json").is_file(), describe_snapshot),
    "scorer": Kind(lambda path: (path / "scorer.json").is_file(), describe_scorer),
    "study of denoising": Kind(is_study_of_denoising, describe_study_of_denoising),
    "study": Kind(lambda path: (path / "study.json").is_file(), describe_study),
    "report": Kind(lambda path: (path / "index.html").is_file(), describe_report),
    "measurements": Kind(lambda path: path.is_file() and path.suffix in TABLE_SUFFIXES, describe_table),
    "submission": Kind(is_submission, describe_submission),
    "judged scores": Kind(is_judged, describe_judged),
    "comparison": Kind(lambda path: path.is_file() and path.suffix == ".json", describe_comparison),
    "model": Kind(is_pretrained, describe_pretrained),
    "recipe": Kind(lambda path: str(path) in _recipes() or _is_toml(path), describe_recipe),
}


def describe(thing: str) -> Description:
    """Describe a store, run, snapshot, table, comparison or report by its path, or a recipe by its name.

    Raises
    ------
    InputError
        If it is none of these, or damaged.
    """
    path = place_of(thing)
    known = {name: KINDS[name] for name in FAR_KINDS} if is_remote(path) else KINDS
    for kind in known.values():
        if kind.matches(path):
            return kind.describe(path)
    if is_remote(path):
        raise InputError(
            f"{path}: neither a store nor a table that is there; download other things to look at them"
        )
    if not path.exists():
        raise InputError(
            f"{thing}: there is no such file or folder, nor a recipe of that name{near_miss(thing, _recipes())}; "
            f"the recipes are {', '.join(_recipes())}"
        )
    raise InputError(
        f"{thing}: nothing that galsmith made; wanted a {', '.join(list(KINDS)[:-1])} or a recipe's name"
    )


def _recipes() -> list[str]:
    """Names of the shipped recipes, and of families that are their own."""
    return sorted({*recipe_names(), *(name for names in recipes_by_family().values() for name in names)})


def _is_toml(path: Path) -> bool:
    """Whether a path is a TOML file."""
    return path.is_file() and path.suffix == ".toml"
