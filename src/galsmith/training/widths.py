"""A snapshot of another averaging width, made after training from the averages that a run kept."""

from pathlib import Path
from typing import Any

from galsmith.errors import InputError
from galsmith.files import refuse_existing
from galsmith.models.snapshot import load_snapshot, read_snapshot_page, save_snapshot
from galsmith.provenance import Parent, Provenance
from galsmith.training.averages import Making, average_of_width
from galsmith.training.checkpoint import load_checkpoint
from galsmith.training.folder import RunFolder


def snapshot_of_width(
    run: str | Path, output: str | Path, *, ema_width: float, overwrite: bool = False
) -> Path:
    """Write the snapshot that a run would have with another averaging width; nothing is trained.

    Parameters
    ----------
    run : str or Path
        A run that was trained with ``training.posthoc_averages``; it may be unfinished, and is not changed.
    output : str or Path
        The snapshot's folder, for `galsmith.sampling.sample`.
    ema_width : float
        Standard deviation of the averaging profile as a share of the training's length, in (0, 0.28). Half to
        thrice a kept width (0.03 to 0.15) is met well; the card says how well.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    Path
        The snapshot's folder.

    Raises
    ------
    SettingsError
        If the width is out of range.
    OutputExistsError
        If `output` is there already.
    InputError
        If `run` is no run, kept no averages, or its files are damaged.
    """
    folder, place = RunFolder(Path(run)), Path(output)
    if not folder.settings_file.is_file():
        raise InputError(f"{folder.path}: not a run; give the run folder that galsmith train wrote")
    if not overwrite:
        refuse_existing(place, overwrite=False)
    snapshot = load_snapshot(folder.snapshot_folder)
    snapshot.generator.load_state_dict(dict(load_checkpoint(folder.checkpoint_file).ema))
    generator, making = average_of_width(folder.averages_folder, snapshot.generator, width=ema_width)
    parent = Parent(
        "snapshot of the run", read_snapshot_page(folder.snapshot_folder)["tensors_sha256"], str(run)
    )
    if overwrite:
        refuse_existing(place, overwrite=True)
    save_snapshot(
        place,
        generator,
        config=snapshot.config,
        description=snapshot.description,
        transform=snapshot.transform,
        card=_card(snapshot.card, making, ema_width=ema_width, parent=parent),
    )
    return place


def _card(card: dict[str, Any], making: Making, *, ema_width: float, parent: Parent) -> dict[str, Any]:
    """Say of a snapshot what is true of the run's own, how it was averaged, and from what."""
    said = {name: value for name, value in card["training"].items() if name not in {"chosen", "seconds"}}
    made_by = Provenance.from_dict(card["provenance"])
    return {
        **card,
        "training": {
            **said,
            "images_seen": making.images_seen,
            "ema_width": ema_width,
            "made_from": {"n_averages": making.n_averages, "profile_error": making.profile_error},
        },
        "provenance": Provenance(
            verb="snapshot",
            settings={"ema_width": ema_width},
            seed=made_by.seed,
            parents=(parent, *made_by.parents),
        ).to_dict(),
    }
