"""One galaxy an image: of a store or set, or read by what `galsmith ingest` reads with: pictures, arrays of a file."""

from collections.abc import Sequence

import numpy as np
from astropy.table import QTable

from galsmith.data.galaxies.galaxy import Galaxy, Origin, missing_galaxy
from galsmith.data.readers.source import Source, UnusableImage
from galsmith.images import ImageSet

UNREADABLE = "unreadable_file"
CATALOG_COLUMNS = ("object_id", "split", "native_size_pix")


class StoreGalaxies:
    """Images of a store, or of a set in memory.

    Parameters
    ----------
    images : ImageSet
        What lies there.
    """

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        self.header, self.shapes = images.header, images.shapes
        self.catalog = images.catalog[list(CATALOG_COLUMNS)]
        self.origin = Origin(
            images.path,
            (images.as_parent("measured images"),),
            inputs=(images.path,) if images.path else (),
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self._images)

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies."""
        return [Galaxy(image) for image in self._images.pixels.read(np.asarray(rows, dtype=np.int64))]


class SourceGalaxies:
    """Images of a source.

    Parameters
    ----------
    source : Source
        What reads them.
    path : str
        Where the images lie, in words.
    inputs : sequence of str
        What is read, as a user writes it.
    """

    def __init__(self, source: Source, *, path: str, inputs: Sequence[str]) -> None:
        self._source = source
        self.header, self.shapes = source.header, source.listing.shapes
        made_by = {**source.origin.settings, "bands": list(source.header.bands)}
        self.origin = Origin(path, source.origin.parents, made_by, inputs=tuple(inputs))
        self.catalog = QTable(
            {
                "object_id": source.catalog["object_id"],
                "native_size_pix": self.shapes[:, 1].astype(np.int32),
                "file": np.array(source.listing.names, dtype=str),
            }
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self.catalog)

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies; one whose image is damaged comes without pixels and with the reason."""
        return [
            missing_galaxy(UNREADABLE, image.message) if isinstance(image, UnusableImage) else Galaxy(image)
            for image in self._source.read(np.asarray(rows, dtype=np.int64))
        ]
