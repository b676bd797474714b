"""The page of a snapshot, as its header and the JSON file beside it have it; read without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt

from galsmith.data.transforms import PixelTransform
from galsmith.errors import InputError
from galsmith.files.pages import OpenPage, Page, checked_page
from galsmith.images.header import Shown
from galsmith.provenance import Provenance

PAGE_FILE = "snapshot.json"
FORMAT_NAME = "galsmith snapshot"
FORMAT_VERSION = 1
WAY_OUT = "use the galsmith that made it, or train again"


class ModelPage(OpenPage):
    """Settings of the family, which checks the others itself."""

    family: str


class DescriptionPage(Page):
    """What a network knew of its training set."""

    bands: tuple[str, ...]
    size_pix: PositiveInt
    scalar_names: tuple[str, ...]
    n_train: int
    pixel_range: tuple[float, float] | None = None
    shows: Shown = "galaxy"
    pixel_unit: float = Field(default=1.0, gt=0)


class CardPage(OpenPage):
    """What else the writer knew; what is read of it."""

    bands: tuple[str, ...]
    flux_unit: str
    pixel_scale_arcsec: float | None = None
    physical_pixel_kpc: float | None = None
    zero_points_mag: dict[str, float] = Field(default_factory=dict)
    psf: dict[str, Any] = Field(default_factory=dict)
    shows: Shown = "galaxy"
    provenance: Provenance
    training: dict[str, Any] = Field(default_factory=dict)


# No key of it is optional: a reader that guesses what is missing would draw other galaxies.
class SnapshotPage(Page):
    """All of it."""

    format: str
    format_version: int
    model: ModelPage
    description: DescriptionPage
    transform: dict[str, Any]
    card: CardPage
    tensors_sha256: str


def check_snapshot_page(page: Mapping[str, Any], path: Path) -> None:
    """Raise `InputError`, which names the file and the key, for a page that cannot be used."""
    checked_page(SnapshotPage, page, path, way_out=WAY_OUT)
    transform_of(page, path)


def transform_of(page: Mapping[str, Any], path: Path) -> PixelTransform:
    """Build the pixel transform that a page describes.

    Raises
    ------
    InputError
        If it is no transform of this version.
    """
    try:
        return PixelTransform.from_dict(page["transform"])
    except KeyError as error:
        raise InputError(f"{path}: its transform has no {error}; {WAY_OUT}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: its transform cannot be used ({error}); {WAY_OUT}") from error
