"""What of a source goes into a store, decided before any pixel is read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.data.options import SetOptions
from galsmith.data.readers.source import Source
from galsmith.data.store import StoreHeader
from galsmith.errors import InputError
from galsmith.images import parse_where, rows_where
from galsmith.provenance import Provenance

IMAGES_PER_CHUNK = 256
BYTES_PER_CHUNK = 2**26
WAY_OUT = "mend or remove it, or leave such images out with --on-bad skip"


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
    images_per_chunk : int
        At most 256, fewer where images are large.
    """

    options: SetOptions
    rows: NDArray[np.int64]
    native_size_pix: NDArray[np.int32]
    enlargements: NDArray[np.float64]
    left_out: Mapping[str, int]
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
    native = source.shapes.min(axis=1).astype(np.int32)
    rows, left_out = _kept_rows(source, options, native)
    if len(rows) == 0:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise InputError(f"none of {len(native)} images is left ({reasons}); loosen what leaves them out")
    _check_shapes(source, rows, options)
    largest = int(source.shapes[rows].prod(axis=1).max()) * len(source.header.bands) * 4
    return Plan(
        options=options,
        rows=rows,
        native_size_pix=native,
        enlargements=_enlargements(native, options),
        left_out=left_out,
        images_per_chunk=min(IMAGES_PER_CHUNK, max(1, BYTES_PER_CHUNK // largest)),
    )


def store_header(source: Source, plan: Plan, *, verb: str, seed: int) -> StoreHeader:
    """Give what is true of every image of the store."""
    enlargement = None if plan.is_scale_mixed else float(plan.enlargements[plan.rows[0]])
    made = Provenance(
        verb=verb,
        settings={**source.settings, "options": plan.options.to_dict()},
        seed=seed,
        parents=source.parents,
    )
    return StoreHeader(source.header.enlarged(enlargement), made)


def _kept_rows(
    source: Source, options: SetOptions, native: NDArray[np.int32]
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Rows that nothing leaves out, and the number that each reason does."""
    faults = {row: fault for row, fault in source.faults.items() if row not in source.left_out}
    if options.on_bad == "error" and faults:
        raise InputError(f"{faults[min(faults)].message}; {WAY_OUT}")
    keep = np.ones(len(native), dtype=bool)
    keep[list(faults)] = False
    keep[list(source.left_out)] = False
    reasons = [fault.reason for fault in faults.values()]
    left_out = dict(Counter([*reasons, *source.left_out.values()]))
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


def _check_shapes(source: Source, rows: NDArray[np.int64], options: SetOptions) -> None:
    """Refuse a crop larger than an image and a resize that would distort one."""
    shapes = source.shapes[rows]
    if options.crop_pix is not None:
        small = np.flatnonzero(shapes.min(axis=1) < options.crop_pix)
        if len(small):
            height, width = shapes[small[0]]
            raise InputError(
                f"{source.name_of(int(rows[small[0]]))}: has {height}x{width} px, less than --crop "
                f"{options.crop_pix} ({len(small)} such images); leave them out with --min-size {options.crop_pix}"
            )
    elif options.resize_pix is not None and np.any(shapes[:, 0] != shapes[:, 1]):
        odd = int(np.flatnonzero(shapes[:, 0] != shapes[:, 1])[0])
        raise InputError(
            f"{source.name_of(int(rows[odd]))}: has {shapes[odd, 0]}x{shapes[odd, 1]} px, --resize wants a "
            "square; cut one out with --crop"
        )


def _enlargements(native: NDArray[np.int32], options: SetOptions) -> NDArray[np.float64]:
    """Side of a pixel of every image as it goes into the store, [row] float64, in units of its native side."""
    if options.resize_pix is None:
        return np.ones(len(native))
    sides = native if options.crop_pix is None else np.full(len(native), options.crop_pix)
    return np.asarray(sides / options.resize_pix, dtype=np.float64)
