"""The verb `denoise fit`: recipe and clean images in, a denoiser out; the same call goes on after an interruption."""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import tomli_w

from galsmith.data.store import open_store
from galsmith.denoise.material import chosen_material, refuse_half_a_mixture
from galsmith.denoise.model import PAGE_FILE, WEIGHTS_FILE, TrainedDenoiser, load_denoiser
from galsmith.denoise.run import CHECKPOINT_FILE, LOG_FILE, DenoiserRun, decisive
from galsmith.denoise.settings import read_fit_settings
from galsmith.errors import InputError, OutputExistsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import Kind, grown_folder, is_empty_tree, refuse_existing, refuse_harm, written_atomically
from galsmith.files.seal import BLANK, KEY, sealed
from galsmith.images import ImageSet
from galsmith.models.devices import check_precision, usable_device
from galsmith.provenance import hash_json
from galsmith.settings import recipe_file
from galsmith.training.checkpoint import Checkpoint, load_checkpoint
from galsmith.training.settings import listed

logger = logging.getLogger("galsmith")
SETTINGS_FILE = "settings.toml"
FIRST_LINE = "# Settings of the training of one denoiser; also a recipe that starts the same one\n"


def _made_from(page: Path) -> str | None:
    """Empty for the settings of a denoiser: whether a command is its own is told by comparing them."""
    return "" if page.read_text(encoding="utf-8").startswith(FIRST_LINE) else None


DENOISER = Kind(
    "denoiser", _made_from, SETTINGS_FILE, (SETTINGS_FILE, LOG_FILE, CHECKPOINT_FILE, WEIGHTS_FILE, PAGE_FILE)
)


def fit(
    recipe: str | Path | Mapping[str, Any],
    data: str | Path | ImageSet,
    output: str | Path,
    *,
    generated: str | Path | ImageSet | None = None,
    mixing: float | None = None,
    minutes: float | None = None,
    images: int | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    device: str = "cpu",
    precision: str = "float32",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> TrainedDenoiser:
    """Train a denoiser on clean images, observed anew at every look; the same call goes on with an interrupted one.

    Parameters
    ----------
    recipe : str, Path or mapping
        A shipped recipe by name, a TOML file (also a denoiser's ``settings.toml``), or the tables themselves.
    data : str, Path or ImageSet
        Clean images; those of the split ``"train"`` are learned from, those of ``"validation"`` choose the weights.
    output : str or Path
        The folder: ``denoiser.safetensors`` and ``.json``, ``settings.toml``, ``log.jsonl``, ``checkpoint/``.
    generated : str, Path or ImageSet, optional
        Generated images to mix in; all but those of the splits ``"validation"`` and ``"test"``.
    mixing : float, optional
        Probability that the next image is a generated one; replaces the recipe's.
    minutes, images : float or int, optional
        Budget of wall-clock time, or of images seen; replaces the recipe's.
    overrides : sequence of str
        ``table.key=value`` entries, such as ``"model.variant=text"``.
    seed : int, optional
        Replaces the recipe's.
    device : str
        As torch knows it.
    precision : {"float32", "bfloat16"}
        Of the residual blocks in training.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is, twice a second.

    Returns
    -------
    TrainedDenoiser
        With the weights that did best on the validation images.

    Raises
    ------
    SettingsError
        If a setting cannot be used, or generated images and their share do not come together.
    OutputExistsError
        If `output` holds something else, or a denoiser of other settings or data.
    InputError
        If there are no images to learn from, or the generated ones have other bands or units.
    DivergedError
        If the loss was not finite ten times in a row.
    InterruptedRunError
        After Ctrl-C or SIGTERM; the state is kept.
    """
    inputs = [recipe_file(recipe), *(_place(one) for one in (data, generated))]
    refuse_harm(Path(output), inputs)
    settings = read_fit_settings(
        recipe, minutes=minutes, images=images, mixing=mixing, seed=seed, overrides=overrides
    )
    refuse_half_a_mixture(settings, generated)
    place, trunk = usable_device(device), check_precision(precision, usable_device(device))
    material = chosen_material(settings, _opened(data), None if generated is None else _opened(generated))
    tables = {
        **settings.to_dict(),
        "run": {"device": device, "precision": trunk, "galsmith_version": metadata.version("galsmith")},
        "data": material.to_table(),
    }
    with grown_folder(
        output, DENOISER, hash_json(decisive(tables)), inputs=inputs, overwrite=overwrite
    ) as folder:
        checkpoint = _checkpoint_of(folder, tables)
        run = DenoiserRun.start(
            folder, settings, tables, material, device=place, precision=trunk, checkpoint=checkpoint
        )
        if checkpoint is not None and run.is_complete:
            logger.warning(
                "%s: is already there, finished (%s); give a larger budget to extend it, or `overwrite` to start anew",
                folder,
                settings.budget.text,
            )
        else:
            with written_atomically(folder / SETTINGS_FILE) as temporary:
                text = f"{FIRST_LINE}{tomli_w.dumps(tables)}\n# {KEY}: {BLANK}\n"
                temporary.write_bytes(sealed(text.encode()))
            run.run(progress)
    return load_denoiser(output, device=device)


def _checkpoint_of(folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> Checkpoint | None:
    """Read what a folder goes on from; None where there is nothing.

    Raises
    ------
    OutputExistsError
        If it holds something else, or a denoiser of other settings or data; the message names what differs.
    """
    if not folder.exists() or is_empty_tree(folder):
        return None
    file = folder / SETTINGS_FILE
    if DENOISER.fingerprint_of(folder) is None:
        refuse_existing(folder, DENOISER, overwrite=False)
    try:
        before = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read ({error}); start anew with `overwrite`") from error
    old, new = _flat(decisive(before)), _flat(decisive(tables))
    found = [
        f"{name} was {old.get(name, 'not set')!r}, now {new.get(name, 'not set')!r}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if found:
        raise OutputExistsError(
            f"{folder}: holds a denoiser of other settings: {listed(found)}; choose another `output`, or replace it with "
            "`overwrite`"
        )
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    checkpoint = load_checkpoint(path)
    if checkpoint.settings_hash != hash_json(decisive(tables)):
        raise InputError(f"{path}: was made by other settings than {file} says; start anew with `overwrite`")
    return checkpoint


def _flat(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Name every setting by its table and key."""
    return {f"{table}.{key}": one for table, values in tables.items() for key, one in values.items()}


def _opened(data: str | Path | ImageSet) -> ImageSet:
    """Open a store; a set in memory stays."""
    return data if isinstance(data, ImageSet) else open_store(data)


def _place(data: str | Path | ImageSet | None) -> str | Path | None:
    """Where a set lies; None in memory."""
    return (data.path or None) if isinstance(data, ImageSet) else data
