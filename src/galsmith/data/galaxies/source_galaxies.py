"""One galaxy an image, read by what `galsmith ingest` reads with: pictures, or an array of a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import QTable

from galsmith.data.galaxies.galaxy import FileGalaxy, missing_galaxy
from galsmith.data.readers.source import Source, UnusableImage

UNREADABLE = "unreadable_file"


class SourceGalaxies:
    """Images of a source, measured in one or all of its bands.

    Parameters
    ----------
    source : Source
        What reads them.
    bands : tuple of str
        Which of its bands are read.
    band : str
        Which of them is measured; ``"all"`` where each is.
    path : str
        Where the images lie, in words.
    """

    def __init__(self, source: Source, *, bands: tuple[str, ...], band: str, path: str) -> None:
        self._source = source
        self._planes = [source.header.bands.index(band) for band in bands]
        self.header, self.band = replace(source.header, bands=bands), band
        self.parents, self.path, self.has_maps = source.origin.parents, path, False
        self.settings: Mapping[str, Any] = {**source.origin.settings, "bands": list(bands)}
        self.catalog = QTable(
            {
                "object_id": source.catalog["object_id"],
                "native_size_pix": source.listing.shapes[:, 1].astype(np.int32),
                "file": np.array(source.listing.names, dtype=str),
            }
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self.catalog)

    def read(self, rows: Sequence[int]) -> list[FileGalaxy]:
        """Read some galaxies; one whose image is damaged comes without pixels and with the reason."""
        return [
            missing_galaxy(UNREADABLE, image.message)
            if isinstance(image, UnusableImage)
            else FileGalaxy(image[self._planes].astype(np.float64))
            for image in self._source.read(np.asarray(rows, dtype=np.int64))
        ]
