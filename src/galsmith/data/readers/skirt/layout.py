"""Where things are in ``skirt_images_sdss``: a folder a snapshot, one file a galaxy, morphologies beside them."""

import re
from dataclasses import dataclass
from pathlib import Path

from galsmith.errors import InputError

SNAPSHOT = re.compile(r"snapnum_(\d+)")
IMAGE = re.compile(r"broadband_(\d+)\.fits(\.gz)?")
IMAGE_FOLDER, IDS_FILE, MORPHOLOGY_FILES = "data", "subfind_ids.txt", "morphs_*.hdf5"
WANTED = "snapnum_099/data/broadband_<subfind id>.fits"


@dataclass(frozen=True)
class Snapshot:
    """One snapshot's files.

    Attributes
    ----------
    folder : Path
        Such as ``snapnum_099``.
    images : dict of int to Path
        By subfind id, sorted.
    ids : Path or None
        ``subfind_ids.txt``, where it is.
    morphologies : dict of str to Path
        ``morphs_g.hdf5`` and so on, by band.
    """

    folder: Path
    images: dict[int, Path]
    ids: Path | None
    morphologies: dict[str, Path]

    @property
    def number(self) -> int | None:
        """Number of the snapshot, where the folder's name has it."""
        found = SNAPSHOT.fullmatch(self.folder.resolve().name)
        return None if found is None else int(found[1])


def find_snapshot(place: Path) -> Snapshot:
    """Find a snapshot's files.

    Parameters
    ----------
    place : Path
        The snapshot's folder, its folder of images, or a folder above with one snapshot.

    Raises
    ------
    InputError
        If there are no images, two have one id, or there are several snapshots.
    """
    if not place.is_dir():
        what = "is a file" if place.exists() else "there is no such folder"
        raise InputError(f"{place}: {what}; wanted a folder with {WANTED}")
    if _images(place):
        above = place.resolve().parent
        return _snapshot(above if place.resolve().name == IMAGE_FOLDER else place, place)
    if _images(place / IMAGE_FOLDER):
        return _snapshot(place, place / IMAGE_FOLDER)
    inside = sorted(folder for folder in place.glob("snapnum_*") if _images(folder / IMAGE_FOLDER))
    if len(inside) > 1:
        raise InputError(
            f"{place}: holds {len(inside)} snapshots ({', '.join(folder.name for folder in inside)}); give one, "
            f"such as {inside[-1]}"
        )
    if not inside:
        raise InputError(f"{place}: holds no {WANTED}; give the folder of TNG's skirt_images_sdss that does")
    return _snapshot(inside[0], inside[0] / IMAGE_FOLDER)


def _snapshot(folder: Path, image_folder: Path) -> Snapshot:
    """List the files of a snapshot."""
    ids = folder / IDS_FILE
    morphologies = {path.stem.removeprefix("morphs_"): path for path in sorted(folder.glob(MORPHOLOGY_FILES))}
    return Snapshot(folder, _images(image_folder), ids if ids.is_file() else None, morphologies)


def _images(folder: Path) -> dict[int, Path]:
    """List the images of a folder by subfind id."""
    images: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        found = IMAGE.fullmatch(path.name)
        if found is None:
            continue
        if int(found[1]) in images:
            raise InputError(
                f"{path}: has the subfind id of {images[int(found[1])].name}; remove one of them"
            )
        images[int(found[1])] = path
    return dict(sorted(images.items()))
