"""The ways to denoise, `DENOISERS`: the paper's network, ours, classical methods, other people's; loaded when used."""

from pathlib import Path
from typing import TYPE_CHECKING

from galsmith.errors import SettingsError
from galsmith.settings import check_name, near_miss, recipe_file, record_at

if TYPE_CHECKING:
    from galsmith.denoise.method import Method

RECIPE_FOLDER = Path(__file__).parent / "recipes"
STUDY_RECIPE_FOLDER = Path(__file__).parent / "studies" / "recipes"
DENOISERS: dict[str, "Method | str"] = {
    "paper_resnet": "galsmith.denoise.paper_resnet:METHOD",
    "filter_bank": "galsmith.denoise.filter_bank:METHOD",
    "wiener": "galsmith.denoise.classical.wiener:METHOD",
    "tikhonov": "galsmith.denoise.classical.tikhonov:METHOD",
    "starlet": "galsmith.denoise.classical.starlet:METHOD",
    "starlet_fista": "galsmith.denoise.classical.sparse_deconvolution:METHOD",
    "tv": "galsmith.denoise.classical.neighborhoods:TOTAL_VARIATION",
    "nlm": "galsmith.denoise.classical.neighborhoods:NON_LOCAL_MEANS",
    "bm3d": "galsmith.denoise.classical.block_matching:BLOCK_MATCHING",
    "richardson_lucy": "galsmith.denoise.classical.richardson_lucy:METHOD",
    "bm3d_rl": "galsmith.denoise.classical.block_matching:BLOCK_MATCHING_DECONVOLUTION",
}
"""The record of each name, or where it is: ``"module:NAME"``; `denoiser_named` gives the record."""


def register_denoiser(name: str, method: "Method") -> None:
    """Add a way to denoise of one's own, for this process.

    Parameters
    ----------
    name : str
        How it is asked for.
    method : Method
        The record.

    Raises
    ------
    SettingsError
        If there is one of that name already.
    """
    if name in DENOISERS:
        raise SettingsError("DENOISERS has it already", argument="name", came=name, wanted="a new name")
    DENOISERS[name] = method


def check_denoiser(name: str) -> None:
    """Refuse a name that no denoiser has; `SettingsError` names the near miss."""
    check_name(name, DENOISERS, kind="denoiser", argument="denoiser")


def denoiser_named(name: str) -> "Method":
    """Load the record of a denoiser.

    Raises
    ------
    SettingsError
        If there is none of that name (the near miss is named).
    """
    check_denoiser(name)
    record = DENOISERS[name]
    found: Method = record_at(record) if isinstance(record, str) else record
    return found


def denoiser_recipes(folder: Path = RECIPE_FOLDER) -> list[str]:
    """Names of the recipes that come with the package: of denoisers, or of another folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def check_recipe(recipe: str | Path, folder: Path = RECIPE_FOLDER) -> None:
    """Refuse a recipe that is neither a file nor shipped in a folder; `SettingsError` names the near miss."""
    shipped = denoiser_recipes(folder)
    if recipe_file(recipe) is None and str(recipe) not in shipped:
        kind = "a denoiser" if folder == RECIPE_FOLDER else "a study"
        raise SettingsError(
            f"there is no such recipe of {kind}{near_miss(str(recipe), shipped)}",
            argument="recipe",
            came=recipe,
            wanted=f"one of {', '.join(shipped)}, or the path of a .toml file",
        )
