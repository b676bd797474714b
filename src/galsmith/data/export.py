"""Writing a store in a format of others: `export` by the name of a writer."""

from pathlib import Path
from typing import Any

from galsmith.counts import counted
from galsmith.data.store import open_store
from galsmith.data.writers.registry import Exported, find_writer
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output, refuse_remote_input
from galsmith.files.remote import refuse_remote_output
from galsmith.images import ImageSet, rows_where
from galsmith.settings import parse_where


def export(
    kind: str,
    images: str | Path | ImageSet,
    output: str | Path,
    *,
    writing: Any = None,
    where: str | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Exported:
    """Write images in a format of others; an interrupted call goes on when it is repeated.

    Parameters
    ----------
    kind : str
        Name of a writer: one of `galsmith.data.writers.registry.WRITERS`.
    images : str, Path or ImageSet
        A store, or an image set.
    output : str or Path
        What to write.
    writing : object, optional
        The writer's own record of options; their defaults when left out.
    where : str, optional
        Conditions on the catalog, such as ``"split=test"``; all images when left out.
    overwrite : bool
        Replace what galsmith made there.
    progress : callable
        Told how far it is.

    Returns
    -------
    Exported
        How many images were written, and where.

    Raises
    ------
    InputError
        If the store cannot be used, or no image meets the conditions.
    SettingsError
        If there is no such writer, or an option does not fit the images.
    OutputExistsError
        If the output is there already.
    """
    writer = find_writer(kind)
    chosen = writer.options() if writing is None else writing
    if not isinstance(chosen, writer.options):
        raise SettingsError(
            f"writing is a {type(chosen).__name__}; wanted {writer.options.__name__} for the writer {writer.name}"
        )
    inputs = [] if isinstance(images, ImageSet) else [images]
    refuse_remote_output(output)
    for given in inputs:
        refuse_remote_input(given)
    check_output(output, writer.output_kind, inputs=inputs, overwrite=overwrite)
    found = images if isinstance(images, ImageSet) else open_store(images)
    if where is not None:
        rows = rows_where(found.catalog, parse_where(where))
        if not rows.any():
            raise InputError(f"none of {counted(len(found), 'images')} meets {where!r}; loosen it")
        found = found.select(rows)
    return writer.function(found, Path(output), chosen, overwrite=overwrite, progress=progress)
