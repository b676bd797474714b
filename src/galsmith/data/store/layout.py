"""Names and records of the store's files, shared by its reader and its writer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galsmith.provenance import Provenance, hash_json

FORMAT_NAME = "galsmith-store"
FORMAT_VERSION = 1
DESCRIPTION_FILE = "dataset.json"
CATALOG_FILE = "catalog.parquet"
IMAGE_FOLDER = "images"
PARTIAL_FOLDER = "partial"
PART_COLUMN, ROW_COLUMN = "store_part", "store_row"


@dataclass(frozen=True)
class StoreHeader:
    """What is true of every image of a store.

    Attributes
    ----------
    bands : tuple of str
        Filter names, in the order of the band axis.
    pixel_scale_arcsec : float or None
        Angle per pixel side; None where it differs by image or is unknown.
    flux_unit : str
        Unit of a pixel's value.
    provenance : Provenance
        What made the store.
    physical_pixel_kpc : float or None
        Length per pixel side where known.
    zero_points_mag : mapping of band to float
        AB magnitude of one flux unit, where known.
    psf : mapping
        What is known of the point spread function, such as ``{"psf_fwhm_pix": 3.0}``.
    """

    bands: tuple[str, ...]
    pixel_scale_arcsec: float | None
    flux_unit: str
    provenance: Provenance
    physical_pixel_kpc: float | None = None
    zero_points_mag: Mapping[str, float] = field(default_factory=dict)
    psf: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "bands": list(self.bands),
            "pixel_scale_arcsec": self.pixel_scale_arcsec,
            "physical_pixel_kpc": self.physical_pixel_kpc,
            "flux_unit": self.flux_unit,
            "zero_points_mag": dict(self.zero_points_mag),
            "psf": dict(self.psf),
            "provenance": self.provenance.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "StoreHeader":
        """Read what `to_dict` wrote."""
        return cls(
            bands=tuple(value["bands"]),
            pixel_scale_arcsec=value["pixel_scale_arcsec"],
            physical_pixel_kpc=value.get("physical_pixel_kpc"),
            flux_unit=value["flux_unit"],
            zero_points_mag=value.get("zero_points_mag", {}),
            psf=value.get("psf", {}),
            provenance=Provenance.from_dict(value["provenance"]),
        )

    def fingerprint(self) -> str:
        """Hash of all that decides the images: an interrupted writer goes on only under the same one."""
        plain = {key: value for key, value in self.to_dict().items() if key != "provenance"}
        return hash_json([plain, self.provenance.fingerprint()])


@dataclass(frozen=True)
class Part:
    """One HDF5 file of images of one size.

    Attributes
    ----------
    file : str
        Path below the store, such as ``images/part-00000.h5``.
    n_images : int
        How many images it has.
    height_pix, width_pix : int
        Their size.
    sha256 : str
        Of the file's bytes.
    """

    file: str
    n_images: int
    height_pix: int
    width_pix: int
    sha256: str


def content_hash(header: StoreHeader, parts: list[Part], catalog_hash: str) -> str:
    """Hash of a store's content; two stores with one hash have the same images, catalog and units."""
    plain = {key: value for key, value in header.to_dict().items() if key != "provenance"}
    return hash_json([FORMAT_VERSION, plain, [part.sha256 for part in parts], catalog_hash])


def partial_chunk_file(store: Path, chunk: int, suffix: str) -> Path:
    """Where an unfinished store keeps what belongs to one finished chunk."""
    return store / PARTIAL_FOLDER / f"chunk-{chunk:05d}{suffix}"
