"""The one path from any source to a store: read, check, crop, resize, write, split, a chunk at a time."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.options import SetOptions
from galsmith.data.readers.plan import WAY_OUT, Plan, plan_store, store_header
from galsmith.data.readers.source import Source, SourceWithCompanions, SourceWithSplits, UnusableImage
from galsmith.data.splits import assign_splits
from galsmith.data.store import StoreWriter
from galsmith.data.store.layout import DESCRIPTION_FILE, partial_chunk_file
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import refuse_existing, write_json
from galsmith.images import ImageHeader, ImageSet, crop_center, resize_conserving_flux, resize_linear

Pixels = NDArray[np.float32]
NAMES_KEPT = 20
SKIPPED_SUFFIX = ".skipped"
logger = logging.getLogger(__name__)


def refuse_finished_store(output: Path, *, overwrite: bool) -> None:
    """Refuse a finished store before its source is read, which may take long."""
    if not overwrite and (output / DESCRIPTION_FILE).exists():
        refuse_existing(output, overwrite=False)


def write_source(
    source: Source,
    output: Path,
    *,
    verb: str,
    seed: int,
    options: SetOptions,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Write a source as a store, chunk by chunk; an interrupted run goes on where it stopped.

    Parameters
    ----------
    source : Source
        Where images come from.
    output : Path
        The folder to become the store.
    verb : str
        The command, for provenance.
    seed : int
        For the split, and recorded.
    options : SetOptions
        What to leave out, crop, resize and split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how many images are done.

    Returns
    -------
    ImageSet
        The finished store, opened. Its catalog's metadata say under ``left_out`` how many images are not in
        it, by reason, and under ``left_out_files`` which the first of them are.

    Raises
    ------
    InputError
        If an image cannot be used, none is left, or a crop or resize does not fit.
    OutputExistsError
        If the output is there already.
    """
    plan = plan_store(source, options)
    header = store_header(source, plan, verb=verb, seed=seed)
    writer = StoreWriter(output, header, n_chunks=plan.n_chunks, overwrite=overwrite)
    try:
        for chunk in range(plan.n_chunks):
            if not writer.is_done(chunk):
                _write_chunk(writer, chunk, source=source, plan=plan, progress=progress)
    except InputError:
        if writer.n_done == 0:
            shutil.rmtree(writer.path)
        raise
    summary = _summary(writer, source, plan)
    _refuse_empty(writer, plan, summary)

    def complete(catalog: QTable) -> QTable:
        if not (isinstance(source, SourceWithSplits) and options.split == SetOptions().split):
            catalog["split"] = assign_splits(len(catalog), options.split, seed=seed)
        catalog.meta = summary
        return catalog

    return writer.finish(complete)


def _write_chunk(
    writer: StoreWriter, chunk: int, *, source: Source, plan: Plan, progress: ProgressCallback
) -> None:
    """Read, check, shape and write the images of one chunk; note which had to be skipped."""
    images: dict[int, Pixels] = {}
    fluxes: list[NDArray[np.float64]] = []
    skipped: list[tuple[str, str]] = []
    done = chunk * plan.images_per_chunk
    for block in _blocks(plan.chunk(chunk), source.rows_per_read):
        for row, read in zip(block, source.read(block), strict=True):
            usable = _usable(read, source.name_of(int(row)), source.header, plan.options)
            if isinstance(usable, UnusableImage):
                skipped.append(_skip(usable, plan.options))
                continue
            images[int(row)] = _shaped(usable, source.header.flux_unit, plan.options)
            fluxes.append(usable.sum(axis=(-2, -1), dtype=np.float64))
        done += len(block)
        progress(ProgressEvent(source.stage, done, len(plan.rows), "images"))
    notes = {"skipped": [list(entry) for entry in skipped]}
    write_json(partial_chunk_file(writer.path, chunk, SKIPPED_SUFFIX), notes)
    rows = list(images)
    companions = None
    if isinstance(source, SourceWithCompanions):
        companions = source.companions(np.array(rows, dtype=np.int64))
    described = _described(source, plan, rows, fluxes)
    writer.write_chunk(chunk, list(images.values()), described, companions=companions)


def _blocks(rows: NDArray[np.int64], size: int | None) -> Iterator[NDArray[np.int64]]:
    """Cut the rows of a chunk into what a source reads at once."""
    step = len(rows) if size is None else size
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _usable(
    read: Pixels | UnusableImage, name: str, header: ImageHeader, options: SetOptions
) -> Pixels | UnusableImage:
    """Give the image as read, or say what is wrong with what the crop leaves of it."""
    if isinstance(read, UnusableImage):
        return read
    try:
        read = header.checked_image(read, name)
    except ValueError as error:
        return UnusableImage("of another shape", str(error))
    image = _cropped(read, options)
    bad = int(image.size - np.count_nonzero(np.isfinite(image)))
    if bad:
        return UnusableImage("not finite", f"{name}: {bad} of {image.size} pixels are NaN or infinite")
    for band, stamp in enumerate(image):
        if np.ptp(stamp) == 0:
            which = f" in band {band}" if len(image) > 1 else ""
            return UnusableImage("constant", f"{name}: all pixels{which} are {stamp[0, 0]:g}")
    return read


def _cropped(image: Pixels, options: SetOptions) -> Pixels:
    """Cut the center out of one image, if asked to."""
    return image if options.crop_pix is None else crop_center(image, options.crop_pix)


def _skip(fault: UnusableImage, options: SetOptions) -> tuple[str, str]:
    """Note an unusable image, or stop at it."""
    if options.on_bad == "error":
        raise InputError(f"{fault.message}; {WAY_OUT}")
    return fault.reason, fault.message


def _described(source: Source, plan: Plan, rows: list[int], fluxes: list[NDArray[np.float64]]) -> QTable:
    """Catalog rows of images, with what the store wants to know of each."""
    chosen = np.array(rows, dtype=np.int64)
    table = source.describe(chosen, np.array(fluxes).reshape(len(rows), len(source.header.bands)))
    table["native_size_pix"] = plan.native_size_pix[chosen]
    sizes = {
        "pixel_scale_arcsec": source.header.pixel_scale_arcsec,
        "physical_pixel_kpc": source.header.physical_pixel_kpc,
    }
    for name, size in sizes.items():
        if plan.is_scale_mixed and size is not None:
            table[name] = size * plan.enlargements[chosen]
        elif size is None and name in table.colnames:
            table[name] = table[name] * plan.enlargements[chosen]
    return table


def _shaped(image: Pixels, flux_unit: str, options: SetOptions) -> Pixels:
    """Crop and resample one image as asked; never a view that keeps the larger one in memory."""
    cropped = np.ascontiguousarray(_cropped(image, options))
    if options.resize_pix is None or cropped.shape[-2:] == (options.resize_pix, options.resize_pix):
        return cropped
    resize = resize_linear if flux_unit == "display" else resize_conserving_flux
    return resize(cropped, options.resize_pix)


def _summary(writer: StoreWriter, source: Source, plan: Plan) -> dict[str, Any]:
    """Tell what is not in the store and why, as plain values for the catalog's metadata."""
    left_out = dict(plan.left_out)
    messages = [fault.message for row, fault in source.faults.items() if row not in source.left_out]
    for chunk in range(writer.n_chunks):
        file = partial_chunk_file(writer.path, chunk, SKIPPED_SUFFIX)
        for reason, message in json.loads(file.read_text(encoding="utf-8"))["skipped"]:
            left_out[reason] = left_out.get(reason, 0) + 1
            messages.append(message)
    for reason, count in left_out.items():
        logger.warning("%s: %d images left out: %s", writer.path, count, reason)
    return {"left_out": left_out, "left_out_files": messages[:NAMES_KEPT], **source.notes}


def _refuse_empty(writer: StoreWriter, plan: Plan, summary: Mapping[str, Any]) -> None:
    """Remove a store in which no image is left, and say so."""
    if sum(summary["left_out"].values()) - sum(plan.left_out.values()) < len(plan.rows):
        return
    shutil.rmtree(writer.path)
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary["left_out"].items())
    raise InputError(f"{writer.path}: no image is left to store ({reasons}); nothing was written")
