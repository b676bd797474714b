"""What can be told of a command before anything is imported that reads arrays: places, endings, counts.

The library checks all of it again, for those who call it. Here only the ground floor is imported, so that a wrong command
line is told at once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from galsmith.data.readers.listing import array_place, check_existence, has_glob
from galsmith.errors import InputError, SettingsError
from galsmith.files import partial_folder
from galsmith.files.names import refuse_undecodable
from galsmith.files.remote import (
    is_address,
    refuse_remote_input,
    refuse_remote_output,
    refuse_unknown_address,
    refuse_unwritable_address,
)
from galsmith.models.pretrained import is_pretrained, models_text
from galsmith.settings import apply_overrides, near_miss

TABLE_ENDINGS = (".parquet", ".ecsv", ".fits", ".csv")
FIGURE_ENDINGS = (".png", ".pdf", ".svg")
# `galsmith.compare.papers.PAPERS` and `galsmith.compare.cuts.NAMED_CUTS`
PAPER_NAMES = ("holzschuh2022-sersic", "holzschuh2022-cosmos", "holzschuh2022-skirt")
CUT_NAMES = ("holzschuh2022-notebook",)
# `galsmith.measure.MeasureSettings`
MEASURE_SETTINGS = frozenset(
    {
        *(
            "quantities",
            "band",
            "segmentation",
            "sky",
            "sersic",
            "double_sersic",
            "colors",
            "color_apertures",
            "gain",
            "ignore",
        ),
        *(
            "uncertainties",
            "corrections",
            "psf_fwhm_pix",
            "psf_kind",
            "subtract_background",
            "threshold_sigma",
            "minimum_pixels",
        ),
        "smoothing_pix",
    }
)

# tables of a recipe that every family has, and their settings
TRAIN_SETTINGS = {
    "transform": frozenset({"kind", "softening", "factor_flux", "size_pix", "whole_numbers", "conditions"}),
    "training": frozenset(
        {
            *(
                "minutes",
                "images",
                "where",
                "seed",
                "batch_size",
                "accumulate",
                "augmentation",
                "crop_pix",
                "crops_per_pass",
            ),
            *("ema_width", "ema_half_life", "ema_ramp_up", "posthoc_averages", "memory_gb"),
            *(
                "checkpoint_seconds",
                "log_seconds",
                "sample_grids",
                "grid_images",
                "choose_snapshot",
                "choose_by",
            ),
            *("evaluations", "evaluation_galaxies", "tensorboard", "data_license"),
        }
    ),
}


def check_places(
    inputs: Iterable[str | Path],
    outputs: Iterable[Path | None],
    *,
    far: Iterable[str | Path] = (),
    far_outputs: Iterable[Path | None] = (),
) -> None:
    """Refuse addresses, and names that are no text, as what is read and as what is written.

    Parameters
    ----------
    inputs : iterable of str or Path
        What is read from file systems alone.
    outputs : iterable of Path or None
        What is written to file systems alone.
    far : iterable of str or Path
        What is also read from addresses, of the schemes that are known.
    far_outputs : iterable of Path or None
        What is also written to addresses.

    Raises
    ------
    SettingsError, InputError
        They name the address.
    """
    for output in outputs:
        if output is not None:
            refuse_undecodable(output)
            refuse_remote_output(output)
    for output in far_outputs:
        if output is not None:
            refuse_undecodable(output)
            refuse_unwritable_address(output)
    for given in inputs:
        refuse_undecodable(given)
        refuse_remote_input(given)
    for given in far:
        refuse_undecodable(given)
        refuse_unknown_address(given)


def check_there(given: str | Path, *, wanted: str = "") -> None:
    """Refuse a file, folder or store that is not there; parts of files, globs and named sets are looked at later.

    Parameters
    ----------
    given : str or Path
        As typed.
    wanted : str
        Said as well.

    Raises
    ------
    InputError
        It names the neighbor that was probably meant.
    """
    text = str(given)
    if _is_place(text):
        check_existence(Path(text), wanted=wanted)


def check_folder(given: str | Path, problem: str) -> None:
    """Refuse what is not there, finished or not, with a verb's own words."""
    if _is_place(str(given)):
        raise_unless_there(Path(given), problem)


def check_run(given: str | Path) -> None:
    """Refuse what is neither a folder nor the name of a model that comes with the package."""
    if not is_pretrained(given):
        check_folder(
            given,
            f"there is no such folder; give the run folder that galsmith train wrote, {models_text(given)}",
        )


def raise_unless_there(path: Path, problem: str) -> None:
    """Raise `InputError` where nothing is at a path, and nothing is on its way there."""
    if not (path.exists() or partial_folder(path).exists()):
        raise InputError(f"{path}: {problem}")


def check_ending(output: Path | None, endings: tuple[str, ...], *, argument: str) -> None:
    """Refuse a name that ends in nothing that can be written.

    Raises
    ------
    SettingsError
        It names the endings that can.
    """
    if output is not None and output.suffix.lower() not in endings:
        raise SettingsError(
            argument=argument,
            came=output,
            wanted=f"a name that ends in {', '.join(endings[:-1])} or {endings[-1]}",
        )


def check_counts(counts: Mapping[str, int | None]) -> None:
    """Refuse counts below 1, by the names of their arguments.

    Raises
    ------
    SettingsError
        It names the argument.
    """
    for name, count in counts.items():
        if count is not None and count < 1:
            raise SettingsError(argument=name, came=count, wanted="1 or more")


def check_positive(values: Mapping[str, float | None]) -> None:
    """Refuse values that are not above 0, by the names of their arguments.

    Raises
    ------
    SettingsError
        It names the argument.
    """
    for name, value in values.items():
        if value is not None and not value > 0.0:
            raise SettingsError(argument=name, came=value, wanted="a number above 0")


def check_name(name: str | None, known: Sequence[str], *, argument: str, problem: str) -> None:
    """Refuse a name that is in no table; none is none.

    Raises
    ------
    SettingsError
        It names the near miss.
    """
    if name and name not in known:
        raise SettingsError(
            f"{problem}{near_miss(name, known)}",
            argument=argument,
            came=name,
            wanted=f"one of {', '.join(known)}",
        )


def check_overrides(overrides: Sequence[str], known: Collection[str]) -> Mapping[str, object]:
    """Read what --set gave for settings without tables, and refuse what none is called.

    Raises
    ------
    SettingsError
        If an entry is not ``key=value``, or its key is unknown; it names the near miss.
    """
    chosen = apply_overrides({}, overrides)
    check_keys(chosen, known, source="--set")
    return chosen


def check_keys(chosen: Iterable[str], known: Collection[str], *, source: str) -> None:
    """Refuse a key that no setting has, in the words of `galsmith.settings.typed_settings`.

    Raises
    ------
    SettingsError
        It names the near miss.
    """
    unknown, names = [key for key in chosen if key not in known], sorted(known)
    if unknown:
        raise SettingsError(
            f"{source}: unknown setting {unknown[0]!r}{near_miss(unknown[0], names)}; known here: {', '.join(names)}"
        )


def path_of_set(text: str) -> str:
    """Path of a generated set that is written as ``PATH`` or ``NAME=PATH``."""
    name, separator, path = text.partition("=")
    return path if separator and name and not Path(text).exists() else text


def _is_place(text: str) -> bool:
    """Whether a text can only be one file, folder or store."""
    return not (is_address(text) or has_glob(text) or "[" in text or array_place(text) or "," in text)
