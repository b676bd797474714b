"""The one path from any source to a store: plan, read, check, crop, resize, write, split, a chunk at a time."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.counts import counted
from galsmith.data.options import SetOptions
from galsmith.data.readers.source import (
    Source,
    SourceThatCuts,
    SourceThatDescribes,
    SourceWithCompanions,
    UnusableImage,
)
from galsmith.data.store import StoreHeader, StoreWriter
from galsmith.errors import GalsmithError, InputError, SettingsError
from galsmith.execution import (
    Briefing,
    Engine,
    ProgressCallback,
    ProgressEvent,
    ignore_progress,
    listening,
)
from galsmith.files import write_json
from galsmith.images import (
    ImageHeader,
    ImageSet,
    crop_center,
    resize_in_unit,
    rows_where,
)
from galsmith.images.units import is_magnitude
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream
from galsmith.settings import parse_where

Pixels = NDArray[np.float32]
NAMES_KEPT = 20
SPLIT_NAMES = ("train", "validation", "test")
SKIPPED_SUFFIX = ".skipped"
IMAGES_PER_CHUNK = 256
BYTES_PER_CHUNK = 2**26
PIXEL_BYTES = 4
SMALLEST_MIDDLE = 16  # a smaller square of finite pixels holds no galaxy with its sky
WAY_OUT = "mend or remove it, or leave such images out with `on_bad=skip`"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Which rows of a source to read, and what was left out already.

    Attributes
    ----------
    options : SetOptions
        What was asked for.
    rows : ndarray [galaxy], int64
        Rows of the source's catalog.
    native_size_pix : ndarray [row], int32
        Shorter side of every image of the source as it comes, before crop and resize.
    enlargements : ndarray [row], float64
        Side of a pixel after crop and resize in units of its side before, of every image.
    left_out : mapping of str to int
        Reason to number of images.
    unusable : mapping of str to int
        Those among them that cannot be used, such as truncated files; the others were not wanted.
    images_per_chunk : int
        At most 256, fewer where images are large.
    """

    options: SetOptions
    rows: NDArray[np.int64]
    native_size_pix: NDArray[np.int32]
    enlargements: NDArray[np.float64]
    left_out: Mapping[str, int]
    unusable: Mapping[str, int]
    images_per_chunk: int

    @property
    def n_chunks(self) -> int:
        """How many chunks the store will have."""
        return -(-len(self.rows) // self.images_per_chunk)

    @property
    def is_scale_mixed(self) -> bool:
        """Whether the size of a pixel differs by image."""
        return bool(np.ptp(self.enlargements[self.rows]) > 0)

    def chunk(self, number: int) -> NDArray[np.int64]:
        """Rows of one chunk."""
        return self.rows[number * self.images_per_chunk : (number + 1) * self.images_per_chunk]


def plan_store(source: Source, options: SetOptions) -> Plan:
    """Decide which images to read.

    Raises
    ------
    InputError
        If a file's head cannot be read (unless such are skipped), no image is left, or a crop or resize
        does not fit.
    SettingsError
        If a condition names a column that is not there.
    """
    native = source.listing.shapes.min(axis=1).astype(np.int32)
    rows, left_out = _kept_rows(source, options, native)
    if len(rows) == 0:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise InputError(
            f"none of {counted(len(native), 'images')} is left ({reasons}); loosen what leaves them out"
        )
    _check_shapes(source, rows, options)
    bytes_a_pixel = len(source.header.bands) * PIXEL_BYTES + source.listing.bytes_beside
    largest = int(source.listing.shapes[rows].prod(axis=1).max()) * bytes_a_pixel
    return Plan(
        options=options,
        rows=rows,
        native_size_pix=native,
        enlargements=_enlargements(native, options),
        left_out=left_out,
        unusable=Counter(fault.reason for fault in _faults(source).values()),
        images_per_chunk=min(IMAGES_PER_CHUNK, max(1, BYTES_PER_CHUNK // largest)),
    )


def store_header(source: Source, plan: Plan, *, verb: str, seed: int) -> StoreHeader:
    """Give what is true of every image of the store."""
    enlargement = None if plan.is_scale_mixed else float(plan.enlargements[plan.rows[0]])
    made = Provenance(
        verb=verb,
        settings={**source.origin.settings, "options": plan.options.to_dict()},
        seed=seed,
        parents=source.origin.parents,
    )
    shows = source.header.shows if plan.options.shows is None else plan.options.shows
    return StoreHeader(replace(source.header.enlarged(enlargement), shows=shows), made)


def _kept_rows(
    source: Source, options: SetOptions, native: NDArray[np.int32]
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Rows that nothing leaves out, and the number that each reason does."""
    own, faults = source.listing.left_out, _faults(source)
    if options.on_bad == "error" and faults:
        raise InputError(f"{faults[min(faults)].message}; {WAY_OUT}")
    keep = np.ones(len(native), dtype=bool)
    keep[list(faults)] = False
    keep[list(own)] = False
    reasons = [fault.reason for fault in faults.values()]
    left_out = dict(Counter([*reasons, *own.values()]))
    if options.minimum_size_pix is not None:
        small = keep & (native < options.minimum_size_pix)
        left_out[f"smaller than {options.minimum_size_pix} px"] = int(small.sum())
        keep &= ~small
    if options.where is not None:
        table = source.catalog.copy(copy_data=False)
        table["native_size_pix"] = native
        unmet = keep & ~rows_where(table, parse_where(options.where))
        left_out[f"not {options.where}"] = int(unmet.sum())
        keep &= ~unmet
    return np.flatnonzero(keep).astype(np.int64), {key: count for key, count in left_out.items() if count}


def _faults(source: Source) -> dict[int, UnusableImage]:
    """Images known to be unusable that the source's own rules do not leave out anyway."""
    listing = source.listing
    return {row: fault for row, fault in listing.faults.items() if row not in listing.left_out}


def _check_shapes(source: Source, rows: NDArray[np.int64], options: SetOptions) -> None:
    """Refuse a crop larger than an image and a resize that would distort one."""
    shapes = source.listing.shapes[rows]
    if options.resize_pix is not None and is_magnitude(source.header.flux_unit):
        raise SettingsError(
            f"images in {source.header.flux_unit} cannot be resampled, as magnitudes do not add up; bring them to fluxes, "
            "or leave it out",
            argument="resize_pix",
            came=options.resize_pix,
        )
    if options.crop_pix is not None:
        small = np.flatnonzero(shapes.min(axis=1) < options.crop_pix)
        if len(small):
            height, width = shapes[small[0]]
            raise InputError(
                f"{source.listing.names[int(rows[small[0]])]}: has {height}x{width} px, less than "
                f"`crop_pix={options.crop_pix}` ({len(small)} such images); leave them out with "
                f"`minimum_size_pix={options.crop_pix}`"
            )
    elif options.resize_pix is not None and np.any(shapes[:, 0] != shapes[:, 1]):
        odd = int(np.flatnonzero(shapes[:, 0] != shapes[:, 1])[0])
        raise InputError(
            f"{source.listing.names[int(rows[odd])]}: has {shapes[odd, 0]}x{shapes[odd, 1]} px, `resize_pix` wants a "
            "square; cut one out with `crop_pix`"
        )


def _enlargements(native: NDArray[np.int32], options: SetOptions) -> NDArray[np.float64]:
    """Side of a pixel of every image as it goes into the store, [row] float64, in units of its native side."""
    if options.resize_pix is None:
        return np.ones(len(native))
    sides = native if options.crop_pix is None else np.full(len(native), options.crop_pix)
    return np.asarray(sides / options.resize_pix, dtype=np.float64)


def write_source(
    source: Source,
    output: Path,
    *,
    verb: str,
    seed: int,
    options: SetOptions,
    overwrite: bool = False,
    workers: int = 1,
    executor: Executor | None = None,
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
    workers : int
        Local processes; the store does not depend on their number.
    executor : concurrent.futures.Executor, optional
        Used in place of them.
    progress : callable
        Told how many images are done.

    Returns
    -------
    ImageSet
        The finished store, opened. Its catalog's metadata say under ``left_out`` how many images are not in
        it, by reason, under ``left_out_files`` which the first of them are, and under ``given`` how many there were and
        how many of these could not be used.

    Raises
    ------
    InputError
        If an image cannot be used, none is left, or a crop or resize does not fit.
    OutputExistsError
        If the output is there already.
    """
    engine = Engine(workers, executor)
    plan = plan_store(source, options)
    header = store_header(source, plan, verb=verb, seed=seed)
    with StoreWriter(output, header, n_chunks=plan.n_chunks, overwrite=overwrite) as writer:
        return (
            writer.open()
            if writer.is_complete
            else _write(_Work(writer, source, plan), engine, seed=seed, progress=progress)
        )


@dataclass(frozen=True)
class _Work:
    """What all chunks have in common."""

    writer: StoreWriter
    source: Source
    plan: Plan


def _write(work: _Work, engine: Engine, *, seed: int, progress: ProgressCallback) -> ImageSet:
    """Write the chunks that are left, and finish the store."""
    writer, source, plan = work.writer, work.source, work.plan
    try:
        _fill(work, engine, progress)
    except InputError:
        if writer.n_done == 0:
            writer.discard()
        raise
    summary = _summary(writer, source, plan)
    _refuse_empty(writer, plan, summary)
    split = plan.options.split

    def complete(catalog: QTable) -> QTable:
        if source.listing.splits is None or split != SetOptions().split:
            catalog["split"] = assign_splits(len(catalog), split, seed=seed)
        catalog.meta = summary
        return catalog

    return writer.finish(complete)


def _fill(work: _Work, engine: Engine, progress: ProgressCallback) -> None:
    """Write the chunks that are left; elsewhere progress is told chunk by chunk."""
    plan = work.plan
    left = [chunk for chunk in range(plan.n_chunks) if not work.writer.is_done(chunk)]
    briefing = engine.brief(work, work.writer.folder)
    n_done = len(plan.rows) - sum(len(plan.chunk(chunk)) for chunk in left)
    with listening(progress) as told:
        for position, _ in engine.map(
            partial(_write_chunk, briefing, progress=told if engine.is_here else ignore_progress),
            left,
            name_of=lambda position: f"chunk {left[position]}",
            at_once=(GalsmithError,),
        ):
            n_done += len(plan.chunk(left[position]))
            if not engine.is_here:
                progress(ProgressEvent(work.source.origin.stage, n_done, len(plan.rows), "images"))


def _write_chunk(briefing: Briefing[_Work], chunk: int, *, progress: ProgressCallback) -> None:
    """Read, check, shape and write the images of one chunk; note which had to be skipped."""
    writer, source, plan = briefing.value.writer, briefing.value.source, briefing.value.plan
    images: dict[int, Pixels] = {}
    fluxes: list[NDArray[np.float64]] = []
    skipped: list[tuple[str, str]] = []
    done = chunk * plan.images_per_chunk
    rows_of_chunk = plan.chunk(chunk)
    crop_pix = plan.options.crop_pix
    read = (
        source.read_middle(rows_of_chunk, crop_pix)
        if crop_pix is not None and isinstance(source, SourceThatCuts)
        else source.read(rows_of_chunk)
    )
    for position, (row, pixels) in enumerate(zip(rows_of_chunk, read, strict=True), start=1):
        usable = _usable(pixels, source.listing.names[int(row)], source.header, plan.options)
        if isinstance(usable, UnusableImage):
            skipped.append(_skip(usable, plan.options))
        else:
            images[int(row)] = _shaped(usable, source.header.flux_unit, plan.options)
            fluxes.append(usable.sum(axis=(-2, -1), dtype=np.float64))
        if isinstance(read, Iterator) or position == len(rows_of_chunk):
            progress(ProgressEvent(source.origin.stage, done + position, len(plan.rows), "images"))
    notes = {"skipped": [list(entry) for entry in skipped]}
    write_json(writer.sidecar(chunk, SKIPPED_SUFFIX), notes)
    rows = list(images)
    companions = None
    if isinstance(source, SourceWithCompanions):
        companions = source.companions(np.array(rows, dtype=np.int64))
    if companions is not None:
        companions = companions.shaped(
            source.listing.shapes[rows],
            crop_pix=plan.options.crop_pix,
            resize_pix=plan.options.resize_pix,
            flux_unit=source.header.flux_unit,
        )
    described = _described(source, plan, rows, fluxes)
    writer.write_chunk(chunk, list(images.values()), described, companions=companions)


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
        side = _finite_side(image)
        middle = (
            f", the middle {side} x {side} are not (`crop_pix={side}`)" if side >= SMALLEST_MIDDLE else ""
        )
        return UnusableImage(
            "not finite", f"{name}: {bad} of {image.size} pixels are NaN or infinite{middle}"
        )
    for band, stamp in enumerate(image):
        if np.ptp(stamp) == 0:
            which = f" in band {band}" if len(image) > 1 else ""
            return UnusableImage("constant", f"{name}: all pixels{which} are {stamp[0, 0]:g}")
    return read


def _finite_side(image: Pixels) -> int:
    """Side of the largest central square, in pixels and even, whose pixels are all finite; 0 where there is none."""
    places = np.argwhere(~np.isfinite(image).all(axis=0))
    middle = (np.array(image.shape[-2:]) - 1) / 2
    side = min(*image.shape[-2:], int(2 * np.abs(places - middle).max(axis=1).min()))
    side -= side % 2
    while side > 0 and not np.isfinite(crop_center(image, side)).all():
        side -= 2
    return max(side, 0)


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
    table = source.catalog[chosen]
    if isinstance(source, SourceThatDescribes):
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
    return resize_in_unit(cropped, options.resize_pix, flux_unit)


def _summary(writer: StoreWriter, source: Source, plan: Plan) -> dict[str, Any]:
    """Tell what is not in the store and why, as plain values for the catalog's metadata."""
    messages = [fault.message for fault in _faults(source).values()]
    skipped: Counter[str] = Counter()
    for chunk in range(writer.n_chunks):
        file = writer.sidecar(chunk, SKIPPED_SUFFIX)
        for reason, message in json.loads(file.read_text(encoding="utf-8"))["skipped"]:
            skipped[reason] += 1
            messages.append(message)
    left_out = dict(Counter(plan.left_out) + skipped)
    n_wanted = len(plan.rows) + sum(plan.unusable.values())
    before = lost_before(source, n_wanted)
    unusable = dict(Counter(plan.unusable) + skipped + before)
    for reason, count in left_out.items():
        logger.warning("%s: %d images left out: %s", writer.path, count, reason)
    return {
        "left_out": left_out,
        "left_out_files": messages[:NAMES_KEPT],
        # what a judge wants to know: images that were not wanted are no losses
        "given": {"n_images": n_wanted + before.total(), "unusable": unusable},
        **source.origin.notes,
    }


def lost_before(source: Source, n_wanted: int) -> Counter[str]:
    """Share of the images that earlier steps lost, by reason, that falls to a part of a source.

    Parameters
    ----------
    source : Source
        Made from what was left.
    n_wanted : int
        Images of it that are wanted; of all of them, all lost ones are counted.
    """
    lost, n_all = source.origin.lost_before, len(source.listing.names)
    total = sum(lost.values())
    if not total or not n_all:
        return Counter()
    # which of the lost ones would have been wanted nobody knows: as large a share as of those that are left
    counts = split_counts(round(total * n_wanted / n_all), list(lost.values()))
    return Counter({reason: count for reason, count in zip(lost, counts, strict=True) if count})


def _refuse_empty(writer: StoreWriter, plan: Plan, summary: Mapping[str, Any]) -> None:
    """Remove a store in which no image is left, and say so."""
    if sum(summary["left_out"].values()) - sum(plan.left_out.values()) < len(plan.rows):
        return
    writer.discard()
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary["left_out"].items())
    raise InputError(f"{writer.path}: no image is left to store ({reasons}); nothing was written")


def assign_splits(count: int, fractions: Sequence[float], *, seed: int) -> NDArray[np.str_]:
    """Name the split of every image.

    Parameters
    ----------
    count : int
        How many images.
    fractions : sequence of float
        Of train, validation and test; they sum to 1.
    seed : int
        The user's seed; the same one gives the same split for the same count.

    Returns
    -------
    ndarray [galaxy], str
        ``"train"``, ``"validation"`` or ``"test"``, in a random order with exact counts.
    """
    names = np.repeat(np.array(SPLIT_NAMES, dtype="U10"), split_counts(count, fractions))
    return np.asarray(random_stream(seed, "split").permutation(names), dtype="U10")


def split_counts(count: int, fractions: Sequence[float]) -> tuple[int, ...]:
    """Whole numbers that sum to `count`, as near to the fractions as can be (largest remainder)."""
    wanted = count * np.asarray(fractions, dtype=np.float64) / float(np.sum(fractions))
    counts = np.floor(wanted + 1e-9).astype(np.int64)
    order = np.argsort(-(wanted - counts), kind="stable")
    counts[order[: count - int(counts.sum())]] += 1
    return tuple(int(value) for value in counts)
