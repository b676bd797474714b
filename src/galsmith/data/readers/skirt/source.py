"""SKIRT images of simulated galaxies as a source: g, r, i, z in electrons per second, the margins cut off."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.table import QTable, hstack
from numpy.typing import NDArray

from galsmith.data.readers.fits import READ_ERRORS, opened_fits
from galsmith.data.readers.listing import file_as_parent, listing_as_parent
from galsmith.data.readers.options import zero_points_by_band
from galsmith.data.readers.registry import PLANES, SkirtOptions
from galsmith.data.readers.skirt.layout import Snapshot, find_snapshot, joined_morphologies
from galsmith.data.readers.source import Listing, Origin, UnusableImage, read_heads, read_or_fault
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
FLUX_UNIT = "electron / s"
# 0.276 comoving kpc / h, with h of the Planck 2015 cosmology that IllustrisTNG has.
PIXEL_COMOVING_KPC_H, HUBBLE_H = 0.276, 0.6774
REDSHIFT_OF_SNAPSHOT = {99: 0.0}
logger = logging.getLogger(__name__)


class SkirtSource:
    """The galaxies of one snapshot, in the order of their subfind ids.

    The galaxies paper (Holzschuh et al. 2022, sec. 3.3) cuts a fourth off at each edge and removes images of 64
    pixels or fewer; the crop keeps pixels ``int(f N)`` to ``int((1 - f) N)``, as its authors' code does.

    Parameters
    ----------
    place : str or Path
        The snapshot's folder, or the one above.
    options : SkirtOptions
        Bands, crop, smallest size.
    progress : callable
        Told how far reading the headers is.

    Raises
    ------
    InputError
        If no images are there, or what lies beside them does not fit.
    SettingsError
        If a zero point is of no band.
    """

    def __init__(
        self,
        place: str | Path,
        options: SkirtOptions = SkirtOptions(),
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        snapshot = find_snapshot(Path(place))
        self._paths, self._options = list(snapshot.images.values()), options
        self.header = ImageHeader(
            options.bands,
            FLUX_UNIT,
            physical_pixel_kpc=_physical_pixel_kpc(snapshot, options.redshift),
            zero_points_mag=zero_points_by_band(options.zero_points_mag or {}, options.bands),
        )
        sizes, faults = _read_sizes(self._paths, progress)
        shapes = np.repeat((_end(sizes, options) - _start(sizes, options))[:, np.newaxis], 2, axis=1)
        small = np.flatnonzero((sizes > 0) & (sizes <= options.larger_than_pix))
        reason = f"of {options.larger_than_pix} px or fewer before the crop"
        left_out = {int(row): reason for row in small}
        self.listing = Listing(list(map(str, self._paths)), shapes, faults, left_out)
        settings = {
            "kind": "skirt",
            "bands": list(options.bands),
            "crop_fraction": options.crop_fraction,
            "larger_than_pix": options.larger_than_pix,
            "zero_points_mag": dict(self.header.zero_points_mag),
            "physical_pixel_kpc": self.header.physical_pixel_kpc,
        }
        beside = [*([snapshot.ids] if snapshot.ids else []), *snapshot.morphologies.values()]
        parents = (
            listing_as_parent(self._paths[0].parent, self._paths),
            *(file_as_parent(path, "morphologies") for path in beside),
        )
        morphologies, notes = joined_morphologies(snapshot)
        self.origin = Origin(settings, parents, notes)
        table = QTable({"object_id": np.array([str(ident) for ident in snapshot.images], dtype=str)})
        table["subfind_id"] = np.array(list(snapshot.images), dtype=np.int64)
        table["full_size_pix"] = sizes.astype(np.int32)
        self.catalog = hstack([table, morphologies]) if morphologies.colnames else table

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read images, each [band, y, x] float32 in electrons per second and pixel; the margins stay on the disk."""
        return (self._read_one(int(row)) for row in rows)

    def _read_one(self, row: int) -> Pixels | UnusableImage:
        """Read what the crop keeps of one image."""
        path = self._paths[row]
        size = np.array([self.catalog["full_size_pix"][row]])
        kept = slice(int(_start(size, self._options)[0]), int(_end(size, self._options)[0]))

        def pixels() -> Pixels:
            with opened_fits(path) as units, np.errstate(over="ignore"):
                planes = np.array(units[0].section[:, kept, kept], dtype=np.float32)
            return planes[[PLANES.index(band) for band in self._options.bands]]

        return read_or_fault(path, pixels, errors=READ_ERRORS, kind="FITS file")


def _start(sizes: NDArray[np.int64], options: SkirtOptions) -> NDArray[np.int64]:
    """First pixel that the crop keeps."""
    return np.asarray(np.floor(options.crop_fraction * sizes), dtype=np.int64)


def _end(sizes: NDArray[np.int64], options: SkirtOptions) -> NDArray[np.int64]:
    """First pixel beyond those that the crop keeps."""
    return np.asarray(np.floor((1 - options.crop_fraction) * sizes), dtype=np.int64)


def _physical_pixel_kpc(snapshot: Snapshot, redshift: float | None) -> float | None:
    """Side of a pixel in kpc at the snapshot's redshift; None where that is unknown."""
    known = REDSHIFT_OF_SNAPSHOT.get(snapshot.number if snapshot.number is not None else -1)
    taken = redshift if redshift is not None else known
    if taken is None:
        logger.warning(
            "%s: the length of a pixel is left out, as its redshift is unknown; give `redshift`",
            snapshot.folder,
        )
        return None
    return PIXEL_COMOVING_KPC_H / HUBBLE_H / (1 + taken)


def _read_sizes(
    paths: Sequence[Path], progress: ProgressCallback
) -> tuple[NDArray[np.int64], Mapping[int, UnusableImage]]:
    """Read the side of every image, 0 where it cannot be used, and say why."""
    shapes, faults = read_heads(paths, _read_shape, errors=READ_ERRORS, kind="FITS file", progress=progress)
    sizes = np.zeros(len(paths), dtype=np.int64)
    for row, shape in enumerate(shapes):
        if shape is None:
            continue
        if len(shape) == 3 and shape[0] == len(PLANES) and shape[1] == shape[2]:
            sizes[row] = shape[1]
        else:
            message = f"{paths[row]}: has shape {shape}, wanted [{len(PLANES)}, N, N] of {', '.join(PLANES)}"
            faults[row] = UnusableImage("of another shape", message)
    return sizes, faults


def _read_shape(path: Path) -> tuple[int, ...]:
    """Read the shape of one file's array."""
    with opened_fits(path) as units:
        return tuple(units[0].shape)
