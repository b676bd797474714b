"""Mosaics of pictures of the sky, gray and larger than each, as fields to be cropped: what networks are pretrained on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.fields.pictures import open_pictures, read_gray
from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader, crop_center
from galsmith.seeds import derive_seed, random_stream

Pixels = NDArray[np.float32]
PURPOSE = "simulate.sky-mosaic"


class SkyMosaics:
    """Mosaics 0 to n - 1, each of tiles that are drawn by lot, turned and flipped, without a gap.

    A tile is the central square of a picture, as large as the smallest picture; what hangs over the mosaic's edge is cut
    off. Bands are averaged. Blatter et al. (2020, sec. II-C) join neighboring pictures of Google Sky; here seams have no
    meaning.

    Parameters
    ----------
    place : str or Path
        A folder of pictures, or a store in ``"display"`` units.
    n : int
        How many mosaics.
    side_pix : int
        Height and width of each.
    seed : int
        The user's seed.
    progress : callable
        Told how far reading the heads of pictures is.

    Raises
    ------
    InputError
        If there are no pictures, one cannot be used, or their pixels are not those of pictures.
    SettingsError
        If a mosaic would be smaller than a tile.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        n: int,
        side_pix: int,
        seed: int,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._tiles, self._side_pix, self._seed = open_pictures(place, progress=progress), side_pix, seed
        self._tile_pix = int(self._tiles.listing.shapes.min())
        if side_pix < self._tile_pix:
            raise SettingsError(
                argument="side_pix", came=side_pix, wanted=f"at least a tile, {self._tile_pix} px"
            )
        self.header = ImageHeader(("gray",), "display", shows="field")
        settings = {"kind": "sky-mosaic", "n": n, "side_pix": side_pix}
        self.origin = Origin(settings, self._tiles.origin.parents, stage="simulating")
        self.catalog = QTable(
            {
                "object_id": np.array([f"{position:08d}" for position in range(n)], dtype=str),
                "seed": np.array([derive_seed(seed, PURPOSE, position) for position in range(n)]),
                "part": np.full(n, "sky"),
            }
        )
        self.listing = Listing(
            [f"mosaic {row}" for row in range(n)], np.full((n, 2), side_pix, dtype=np.int64)
        )

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Join mosaics, each [1, y, x] float32, whole gray levels from 0 to 255."""
        return (self._joined(int(row)) for row in rows)

    def _joined(self, row: int) -> Pixels:
        """Join one mosaic."""
        rng, tile = random_stream(self._seed, PURPOSE, row), self._tile_pix
        along = -(-self._side_pix // tile)
        whole = np.empty((along * tile, along * tile), dtype=np.float32)
        chosen = rng.integers(0, len(self._tiles.listing.names), along**2)
        for place, picture in enumerate(chosen):
            gray = np.rint(crop_center(read_gray(self._tiles, int(picture)), tile))
            turned = np.rot90(gray, int(rng.integers(4)))
            y, x = tile * (place // along), tile * (place % along)
            whole[y : y + tile, x : x + tile] = turned[:, ::-1] if rng.integers(2) else turned
        return np.ascontiguousarray(whole[np.newaxis, : self._side_pix, : self._side_pix])
