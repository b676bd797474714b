"""``galsmith ingest field``: the galaxies in survey images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import (
    KEEP_ALL,
    SHOWN_ALL,
    Output,
    Overwrite,
    Seed,
    SetFlags,
    Shown,
    band_names,
    parse_zero_points,
)
from galsmith.cli.outcome import Outcome

if TYPE_CHECKING:
    from galsmith.data.readers.field import FieldOptions

EXAMPLE = "galsmith ingest field images -o galaxies --bands g,r,i --max-mag 21.5"


@Parameter(name="*")
@dataclass(frozen=True)
class FieldFlags:
    """How galaxies are found in survey images, told from stars and cut out."""

    bands: Annotated[
        str | None,
        Parameter(
            help="Names of the bands, such as g,r,i: of a folder's files by name, else in their order."
        ),
    ] = None
    detect_in: Annotated[str | None, Parameter(help="Band to detect in; the middle one when left out.")] = (
        None
    )
    zero_points: Annotated[
        str | None,
        Parameter(
            help="AB magnitude of 1 unit, as 25.0, 25.0,25.1 or g=25.0,r=25.1, where headers have none."
        ),
    ] = None
    flux_unit: Annotated[
        str | None, Parameter(help="Keep the files' numbers, in this unit; else bands are brought to nJy.")
    ] = None
    pixel_scale: Annotated[float | None, Parameter(help="Arcsec per pixel, where the header has no WCS.")] = (
        None
    )
    hdu: Annotated[
        str | None, Parameter(help="Number or name of the HDU that has the image; the first when left out.")
    ] = None
    max_mag: Annotated[
        float | None, Parameter(help="Take no fainter sources than this, in the detection band.")
    ] = None
    min_snr: Annotated[float, Parameter(help="Nor any of less signal to noise.")] = 20.0
    threshold: Annotated[
        float, Parameter(help="Sigmas above the sky from which a pixel belongs to a source.")
    ] = 1.5
    min_area: Annotated[int, Parameter(help="Connected pixels that make a source.")] = 10
    sky: Annotated[
        Literal["subtract", "keep"], Parameter(help="What to do with the level of the sky in cutouts.")
    ] = "subtract"
    sky_box: Annotated[int, Parameter(help="Side of the boxes in which the sky is measured, in pixels.")] = (
        256
    )
    stars: Annotated[Literal["reject", "keep"], Parameter(help="What to do with stars.")] = "reject"
    star_radius: Annotated[
        float | None, Parameter(help="Half-light radius of stars in pixels; found when left out.")
    ] = None
    extent: Annotated[
        float, Parameter(help="Half the side of a cutout, in units of the source's extent.")
    ] = 2.0
    min_cutout: Annotated[int, Parameter(help="Smallest side of a cutout, in pixels.")] = 32
    max_cutout: Annotated[int, Parameter(help="Largest side; sources that want more are left out.")] = 256

    def to_options(self) -> "FieldOptions":
        """Return the library's record of the same."""
        from galsmith.data.readers.field import FieldOptions

        return FieldOptions(
            bands=band_names(self.bands),
            detect_in=self.detect_in,
            hdu=int(self.hdu) if self.hdu is not None and self.hdu.isdecimal() else self.hdu,
            zero_points_mag=parse_zero_points(self.zero_points),
            flux_unit=self.flux_unit,
            pixel_scale_arcsec=self.pixel_scale,
            faintest_mag=self.max_mag,
            minimum_snr=self.min_snr,
            threshold_sigma=self.threshold,
            minimum_area_pix=self.min_area,
            sky=self.sky,
            sky_box_pix=self.sky_box,
            stars=self.stars,
            star_r_half_pix=self.star_radius,
            extent_multiple=self.extent,
            minimum_cutout_pix=self.min_cutout,
            maximum_cutout_pix=self.max_cutout,
        )


AS_THEY_ARE = FieldFlags()


def ingest_field(
    sources: Annotated[
        list[Path], Parameter(help="A folder of FITS files, one a band; or files; or a cube.")
    ],
    /,
    *,
    output: Output,
    field: FieldFlags = AS_THEY_ARE,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Detect galaxies in aligned survey images, tell them from stars, and cut them out of all bands into a store.

    Cutouts are as large as each galaxy asks for; those over the edge of the field are left out and counted.
    """
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data import ingest

    with shown.progress() as progress:
        images = ingest.field(
            sources,
            output,
            reading=field.to_options(),
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest field", images, output)
