"""Descriptions of stores, finished and partial."""

from pathlib import Path

from galsmith.cli.describe.record import Description, counts_text, provenance_rows
from galsmith.cli.summaries import numbers_of_store
from galsmith.counts import counted
from galsmith.data.store import names_beside, open_store, partial_chunks, read_description
from galsmith.files import read_json
from galsmith.files.pages import OpenPage, checked_page
from galsmith.images import ImageSet
from galsmith.provenance import Provenance

WORDS_BESIDE = {
    "ivars": "inverse variances",
    "masks": "masks",
    "psfs": "point spread functions",
    "sources": "true sources",
}


class CutoutsPage(OpenPage):
    """The page of a folder of FITS cutouts; what is read of it."""

    n_images: int
    is_finished: bool
    provenance: Provenance


def describe_store(path: Path) -> Description:
    """Describe a finished store."""
    images = open_store(path)
    page = read_description(path)
    numbers = numbers_of_store(images)
    rows = [
        (
            "images",
            f"{counted(len(images), images.header.images_name)}, {images.sizes_text}, {images.bands_text}",
        ),
        ("each shows", f"a {images.header.shows}"),
        ("splits", counts_text(numbers["splits"])),
        ("unit", images.header.flux_unit),
        ("scale", _scale_text(images)),
        (
            "zero points",
            ", ".join(f"{band} {value:g} mag" for band, value in images.header.zero_points_mag.items()),
        ),
        ("PSF", ", ".join(f"{name} {value}" for name, value in images.header.psf.items())),
        ("beside images", ", ".join(WORDS_BESIDE[name] for name in names_beside(images))),
        ("catalog", " ".join(images.catalog.colnames)),
        ("parts", f"{counted(len(page['parts']), 'files')}, format version {page['format_version']}"),
        *provenance_rows(images.provenance),
    ]
    return Description("store", rows, images.content_hash, numbers)


def describe_partial_store(path: Path) -> Description:
    """Describe a store whose writer has not ended."""
    done, total = partial_chunks(path) or (0, 0)
    rows = [
        ("chunks", f"{done} of {total} done"),
        ("to finish it", "run the command that makes it again"),
    ]
    return Description("partial store", rows, numbers={"n_chunks_done": done, "n_chunks": total})


def _scale_text(images: ImageSet) -> str:
    """Angle and length per pixel."""
    angle, length = images.header.pixel_scale_arcsec, images.header.physical_pixel_kpc
    if angle is None and "pixel_scale_arcsec" in images.catalog.colnames:
        return "differs by image: column pixel_scale_arcsec"
    texts = [f"{angle:g} arcsec per pixel" if angle is not None else "not known"]
    return ", ".join([*texts, f"{length:g} kpc per pixel"] if length is not None else texts)


def describe_cutouts(path: Path) -> Description:
    """Describe a folder of FITS cutouts that ``galsmith sample --format fits`` wrote."""
    mark = read_json(path / "sampling.json")
    checked_page(CutoutsPage, mark, path / "sampling.json", way_out="draw them again with galsmith sample")
    made_by = mark.get("provenance")
    rows = [
        ("galaxies", f"{mark.get('n_images', '?')}, one file each"),
        ("finished", "yes" if mark.get("is_finished") else "no: run the command that makes it again"),
        *provenance_rows(Provenance.from_dict(made_by) if made_by else None),
    ]
    return Description("folder of FITS cutouts", rows, numbers={"n_images": mark.get("n_images")})
