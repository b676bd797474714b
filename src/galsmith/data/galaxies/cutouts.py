"""One galaxy a file: FITS cutouts with their maps."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.galaxies.galaxy import Galaxy, Origin, missing_galaxy
from galsmith.data.galaxies.maps import Companions, read_label_map, read_mask, read_psf, read_sigma_map
from galsmith.data.readers.fits import FitsHead, read_part
from galsmith.errors import InputError
from galsmith.images import ImageHeader

UNREADABLE = "unreadable_file"
NO_LABEL = "label_missing"
LABELS_NAMED = 6


class CutoutFiles:
    """FITS cutouts, one galaxy each.

    Parameters
    ----------
    heads : sequence of FitsHead
        One an image.
    companions : sequence of Companions
        One an image.
    header : ImageHeader
        What is true of all of them.
    names : sequence of str
        The galaxies' names.
    label : int or None
        The galaxy's label in every map; else the only one, else the one at the middle of the image.
    origin : Origin
        The files.
    """

    def __init__(
        self,
        heads: Sequence[FitsHead],
        companions: Sequence[Companions],
        *,
        header: ImageHeader,
        names: Sequence[str],
        label: int | None,
        origin: Origin,
    ) -> None:
        self._heads, self._companions = tuple(heads), tuple(companions)
        self._label, self.header = label, header
        self.shapes = np.array([head.size for head in heads], dtype=np.int64)
        self.origin = replace(
            origin,
            settings={
                **origin.settings,
                "kind": "cutouts",
                "hdu": [head.place.hdu for head in heads[:1]],
                "label": label,
            },
            has_maps=companions[0].label_map is not None,
        )
        self.catalog = QTable(
            {
                "object_id": np.array(names, dtype=str),
                "native_size_pix": self.shapes[:, 1].astype(np.int32),
                "file": np.array([str(head.place) for head in heads], dtype=str),
            }
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self._heads)

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies; one whose file is damaged comes without pixels and with the reason."""
        return [self._read_one(int(row)) for row in rows]

    def _read_one(self, row: int) -> Galaxy:
        """Read one cutout and what belongs to it."""
        head, companions = self._heads[row], self._companions[row]
        try:
            image = read_part(head, planes=range(head.n_planes)).astype(np.float64)
            label_map = None if companions.label_map is None else read_label_map(companions.label_map)
            mask = None if companions.mask is None else read_mask(companions.mask)
            sigma_map = sigma_of(companions)
            psf = None if companions.psf is None else read_psf(companions.psf)
        except InputError as error:
            return missing_galaxy(UNREADABLE, str(error))
        label, trouble = (None, "") if label_map is None else chosen_label(label_map, self._label)
        if trouble:
            return missing_galaxy(
                NO_LABEL, f"`segmap={companions.label_map and companions.label_map.place}`: {trouble}"
            )
        return Galaxy(image, label_map=label_map, label=label, mask=mask, sigma_map=sigma_map, psf=psf)


def sigma_of(
    companions: Companions, *, rows: slice = slice(None), columns: slice = slice(None)
) -> NDArray[np.float64] | None:
    """Noise of all planes, [y, x] or [band, y, x] float64; a map of one plane serves all of them."""
    if companions.sigma_map is None:
        return None
    values = read_sigma_map(companions.sigma_map, rows=rows, columns=columns)
    return values[0] if len(values) == 1 else values


def chosen_label(label_map: NDArray[np.int32], wanted: int | None) -> tuple[int | None, str]:
    """Find the galaxy's label in the map of a cutout: the wanted one, the only one, or the one in the middle.

    Returns
    -------
    label : int or None
        None where there is none.
    trouble : str
        What is wrong then, and the way out.
    """
    labels = np.unique(label_map)
    labels = labels[labels > 0]
    named = ", ".join(map(str, labels[:LABELS_NAMED])) + (", ..." if len(labels) > LABELS_NAMED else "")
    if wanted is not None:
        found = bool(np.isin(wanted, labels))
        return (wanted, "") if found else (None, f"has no label {wanted}; it has {named or 'none'}")
    if len(labels) == 1:
        return int(labels[0]), ""
    if len(labels) == 0:
        return None, "has no label"
    middle = int(label_map[label_map.shape[0] // 2, label_map.shape[1] // 2])
    return (middle, "") if middle else (None, f"has no label in the middle; choose of {named} with `labels`")


def folder_of(paths: Sequence[Path]) -> str:
    """Where files lie, in words: the file, or the folder they share."""
    if len(paths) == 1:
        return str(paths[0])
    folders = {str(path.parent) for path in paths}
    return next(iter(folders)) if len(folders) == 1 else f"{len(paths)} files in {len(folders)} folders"
