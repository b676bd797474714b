"""One galaxy a file: FITS cutouts with their maps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.galaxies.bands import (
    ChosenPlanes,
    common_header,
)
from galsmith.data.galaxies.fits_image import ImageHead, read_part
from galsmith.data.galaxies.galaxy import FileGalaxy, missing_galaxy
from galsmith.data.galaxies.maps import Companions, read_label_map, read_mask, read_psf, read_sigma_map
from galsmith.errors import InputError
from galsmith.provenance import Parent

UNREADABLE = "unreadable_file"
NO_LABEL = "label_missing"
LABELS_NAMED = 6


class CutoutFiles:
    """FITS cutouts, one galaxy each.

    Parameters
    ----------
    heads : sequence of ImageHead
        One an image.
    companions : sequence of Companions
        One an image.
    chosen : ChosenPlanes
        Which planes are read, and which is measured.
    names : sequence of str
        The galaxies' names.
    label : int or None
        The galaxy's label in every map; else the only one, else the one at the middle of the image.
    parents : tuple of Parent
        The files.
    path : str
        Where they lie, in words.
    """

    def __init__(
        self,
        heads: Sequence[ImageHead],
        companions: Sequence[Companions],
        *,
        chosen: ChosenPlanes,
        names: Sequence[str],
        label: int | None,
        parents: tuple[Parent, ...],
        path: str,
    ) -> None:
        self._heads, self._companions = tuple(heads), tuple(companions)
        self._planes, self._label = chosen.planes, label
        self.header, self.band = common_header(heads, chosen), chosen.band
        self.parents, self.path = parents, path
        self.has_maps = companions[0].label_map is not None
        self.settings: Mapping[str, Any] = {
            "kind": "cutouts",
            "hdu": [head.place.hdu for head in heads[:1]],
            "planes": list(chosen.planes),
            "label": label,
        }
        self.catalog = QTable(
            {
                "object_id": np.array(names, dtype=str),
                "native_size_pix": np.array([head.size[1] for head in heads], dtype=np.int32),
                "file": np.array([str(head.place) for head in heads], dtype=str),
            }
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self._heads)

    def read(self, rows: Sequence[int]) -> list[FileGalaxy]:
        """Read some galaxies; one whose file is damaged comes without pixels and with the reason."""
        return [self._read_one(int(row)) for row in rows]

    def _read_one(self, row: int) -> FileGalaxy:
        """Read one cutout and what belongs to it."""
        head, companions = self._heads[row], self._companions[row]
        try:
            image = read_part(head, planes=self._planes).astype(np.float64)
            label_map = None if companions.label_map is None else read_label_map(companions.label_map)
            mask = None if companions.mask is None else read_mask(companions.mask)
            sigma_map = sigma_of(companions, self._planes)
            psf = None if companions.psf is None else read_psf(companions.psf)
        except InputError as error:
            return missing_galaxy(UNREADABLE, str(error))
        label, trouble = (0, "") if label_map is None else chosen_label(label_map, self._label)
        if trouble:
            return missing_galaxy(
                NO_LABEL, f"--segmap {companions.label_map and companions.label_map.place}: {trouble}"
            )
        return FileGalaxy(image, label_map=label_map, label=label, mask=mask, sigma_map=sigma_map, psf=psf)


def sigma_of(
    companions: Companions,
    planes: Sequence[int],
    *,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> NDArray[np.float64] | None:
    """Noise of the chosen planes, [band, y, x] float64; a map of one plane serves all of them."""
    if companions.sigma_map is None:
        return None
    values = read_sigma_map(companions.sigma_map, rows=rows, columns=columns)
    return np.ascontiguousarray(values[[0] * len(planes)] if len(values) == 1 else values[list(planes)])


def chosen_label(label_map: NDArray[np.int32], wanted: int | None) -> tuple[int, str]:
    """Find the galaxy's label in the map of a cutout: the wanted one, the only one, or the one in the middle.

    Returns
    -------
    label : int
        0 where there is none.
    trouble : str
        What is wrong then, and the way out.
    """
    labels = np.unique(label_map)
    labels = labels[labels > 0]
    named = ", ".join(map(str, labels[:LABELS_NAMED])) + (", ..." if len(labels) > LABELS_NAMED else "")
    if wanted is not None:
        found = bool(np.isin(wanted, labels))
        return (wanted, "") if found else (0, f"has no label {wanted}; it has {named or 'none'}")
    if len(labels) == 1:
        return int(labels[0]), ""
    if len(labels) == 0:
        return 0, "has no label"
    middle = int(label_map[label_map.shape[0] // 2, label_map.shape[1] // 2])
    return (middle, "") if middle else (0, f"has no label in the middle; choose of {named} with --label")


def folder_of(paths: Sequence[Path]) -> str:
    """Where files lie, in words: the file, or the folder they share."""
    if len(paths) == 1:
        return str(paths[0])
    folders = {str(path.parent) for path in paths}
    return next(iter(folders)) if len(folders) == 1 else f"{len(paths)} files in {len(folders)} folders"
