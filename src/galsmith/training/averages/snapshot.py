"""A snapshot made anew after training: of another averaging width, from the averages that a run kept, or smaller."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from galsmith.errors import InputError, SettingsError
from galsmith.files import Partial, check_output
from galsmith.models.snapshot import SNAPSHOT, Snapshot, load_snapshot, read_snapshot_page, save_snapshot
from galsmith.provenance import Parent, Provenance
from galsmith.settings import Settings, apply_overrides, typed_settings
from galsmith.training.averages.folder import Making, average_of_width
from galsmith.training.checkpoint import load_checkpoint
from galsmith.training.folder import RunFolder


def remade_snapshot(
    run: str | Path,
    output: str | Path,
    *,
    ema_width: float | None = None,
    half: bool = False,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write the snapshot that a run would have with another average or other settings of drawing; nothing is trained.

    Parameters
    ----------
    run : str or Path
        A run; it may be unfinished, and is not changed. For another width it must have been trained with
        ``training.posthoc_averages``.
    output : str or Path
        The snapshot's folder, for `galsmith.sampling.sample`.
    ema_width : float or None
        Standard deviation of the averaging profile as a share of the training's length, in (0, 0.28). Half to
        thrice a kept width (0.03 to 0.15) is met well; the card says how well. None keeps the run's own average.
    half : bool
        Store the learned matrices and kernels in float16, which halves the file.
    overrides : sequence of str
        ``model.key=value`` of settings that change how the family draws, such as ``"model.drawn_weight=1000"`` of a vae.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    Path
        The snapshot's folder.

    Raises
    ------
    SettingsError
        If nothing is wanted, the width is out of range, a weight does not fit into float16, or a setting is none of
        drawing.
    OutputExistsError
        If `output` is there already.
    InputError
        If `run` is no run, kept no averages, or its files are damaged.
    """
    folder, place = RunFolder(Path(run)), Path(output)
    if ema_width is None and not half and not overrides:
        raise SettingsError(
            "nothing to change; wanted `ema_width` for another average, `half` for a smaller file, or settings of drawing"
        )
    check_output(place, SNAPSHOT, inputs=[run], overwrite=overwrite)
    if not folder.settings_file.is_file():
        raise InputError(f"{folder.path}: not a run; give the run folder that galsmith train wrote")
    page = read_snapshot_page(folder.snapshot_folder)
    settings: dict[str, Any] = {"ema_width": ema_width, "half": half}
    if overrides:
        settings["overrides"] = list(overrides)
    made_by = _made_of(page, str(run), settings)
    with Partial(
        place, SNAPSHOT, made_by.fingerprint(), inputs=[run], overwrite=overwrite, resumes=False
    ) as partial:
        if partial.is_complete:
            return place
        snapshot = load_snapshot(folder.snapshot_folder)
        generator, card = snapshot.generator, snapshot.card
        if ema_width is not None:
            generator.load_state_dict(dict(load_checkpoint(folder.checkpoint_file).ema))
            generator, making = average_of_width(folder.averages_folder, generator, width=ema_width)
            card = _averaged(card, making, ema_width=ema_width)
        save_snapshot(
            partial.content,
            generator,
            config=_drawing_otherwise(snapshot, overrides),
            description=snapshot.description,
            transform=snapshot.transform,
            card={**card, "provenance": made_by.to_dict()},
            trained_scalars=snapshot.trained_scalars,
            half=half,
        )
        partial.finish()
    return place


def _drawing_otherwise(snapshot: Snapshot, overrides: Sequence[str]) -> Settings:
    """Give the settings of a snapshot's model with some of drawing changed."""
    family, changed = snapshot.family, apply_overrides({}, overrides)
    table = changed.get("model", {})
    keys = [f"{name}.{key}" for name, values in changed.items() for key in values if name != "model"] + [
        f"model.{key}" for key in table if key not in family.of_drawing
    ]
    fixed = [key for key in table if key in family.tuned_for(snapshot.config)]
    if fixed:
        raise SettingsError(
            "this snapshot is tuned to few steps between its own noise levels, and would jump past others",
            argument=f"model.{fixed[0]}",
            came=table[fixed[0]],
            wanted=f"{getattr(snapshot.config, fixed[0])}, as it learned",
            way_out="change it in the model that it is tuned from, and tune that",
        )
    if keys:
        known = ", ".join(f"model.{key}" for key in family.of_drawing) or "none"
        raise SettingsError(
            f"{keys[0]} is no setting of drawing; those of {family.name} are: {known}; train anew for others"
        )
    values = {**snapshot.config.model_dump(), **table}
    return typed_settings(family.config, values, source="the snapshot, [model]")


def _averaged(card: dict[str, Any], making: Making, *, ema_width: float) -> dict[str, Any]:
    """Say of a snapshot how it was averaged, and leave out what was true of the run's own alone."""
    said = {name: value for name, value in card["training"].items() if name not in {"chosen", "seconds"}}
    made_from = {"n_averages": making.n_averages, "profile_error": making.profile_error}
    training = {**said, "images_seen": making.images_seen, "ema_width": ema_width, "made_from": made_from}
    return {**card, "training": training}


def _made_of(page: dict[str, Any], run: str, settings: dict[str, Any]) -> Provenance:
    """Say of a snapshot that is to be made of a run's own what it is made of."""
    parent = Parent("snapshot of the run", page["tensors_sha256"], run)
    made_by = Provenance.from_dict(page["card"]["provenance"])
    return Provenance("snapshot", settings, made_by.seed, (parent, *made_by.parents))
