"""Observations by name: instruments, and those of published papers; and how a user states one, changed or his own."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from galsmith.errors import SettingsError
from galsmith.observe.instruments import INSTRUMENTS
from galsmith.observe.observation import PAPER_SHIFTS, Observation
from galsmith.settings import apply_overrides, near_miss, typed_settings

TABLE = "observation"
PRESETS: Mapping[str, Observation] = {
    **INSTRUMENTS,
    **{f"holzschuh2022-{name}": observation for name, observation in PAPER_SHIFTS.items()},
}


def stated_observation(
    *,
    preset: str | None = None,
    recipe: str | Path | Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
) -> Observation:
    """Read an observation as users state it.

    Parameters
    ----------
    preset : str, optional
        A name in `PRESETS`, such as ``"lsst"`` or ``"holzschuh2022-noise-16"``.
    recipe : str, Path or mapping, optional
        Or a TOML file with a table ``[observation]``, or what that holds.
    overrides : sequence of str
        Changes, or all of it, such as ``("psf.fwhm_pix=3", "noise.sigma=2")``. A law of another kind, such as
        ``"psf.kind=image"``, takes the place of the one that was there with all its settings.

    Raises
    ------
    SettingsError
        If a name or setting is unknown (the near miss is named), or nothing is stated.
    """
    if preset is not None and recipe is not None:
        raise SettingsError("`preset` and `recipe` came; wanted one of them, and changes of it as overrides")
    if preset is None and recipe is None and not overrides:
        raise SettingsError(
            f"no observation; wanted `preset` ({', '.join(PRESETS)}), `recipe`, a TOML file with a table [{TABLE}], or "
            "settings such as psf.fwhm_pix=3"
        )
    if preset is not None and preset not in PRESETS:
        raise SettingsError(
            f"not found{near_miss(preset, list(PRESETS))}",
            argument="preset",
            came=preset,
            wanted=f"one of {', '.join(PRESETS)}",
        )
    values: Mapping[str, Any] = (
        {} if preset is None else PRESETS[preset].model_dump(mode="python", exclude_none=True)
    )
    values = _without_other_laws(values if recipe is None else _read(recipe), overrides)
    source = " ".join(str(name) for name in (preset, recipe) if isinstance(name, str | Path)) or TABLE
    return typed_settings(Observation, apply_overrides(values, overrides), source=source)


def _without_other_laws(values: Mapping[str, Any], overrides: Sequence[str]) -> Mapping[str, Any]:
    """Leave out the settings of laws in whose place the changes put one of another kind."""
    changes, kept = apply_overrides({}, overrides), dict(values)
    for law in ("psf", "noise"):
        stated, there = changes.get(law), values.get(law)
        if isinstance(stated, Mapping) and isinstance(there, Mapping):
            own = there.get("kind", "gaussian")  # what a law is where nothing is said
            if stated.get("kind", own) != own:
                del kept[law]
    return kept


def _read(recipe: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the table of a TOML file, or take what it would hold."""
    if isinstance(recipe, Mapping):
        return recipe
    path = Path(recipe)
    if not path.is_file():
        raise SettingsError(
            "there is no such file",
            argument="recipe",
            came=path,
            wanted=f"a TOML file with a table [{TABLE}]",
        )
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid TOML ({error})") from error
    if not isinstance(tables.get(TABLE), dict):
        raise SettingsError(
            f"has the tables {', '.join(tables) or 'none'}",
            argument="recipe",
            came=path,
            wanted=f"a table [{TABLE}]",
        )
    values: Mapping[str, Any] = tables[TABLE]
    return values
