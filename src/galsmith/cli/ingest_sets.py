"""``galsmith ingest cosmos`` and ``skirt``: sets that others published."""

from pathlib import Path
from typing import Annotated, Literal

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

COSMOS_EXAMPLE = "galsmith ingest cosmos cosmos_galaxy_postage_stamps -o galaxies --crop 256"
SKIRT_EXAMPLE = "galsmith ingest skirt snapnum_099 -o galaxies --where 'flag_i=0'"


def ingest_cosmos(
    source: Annotated[
        Path,
        Parameter(
            help="Folder or .tar of *_processed.fits.gz; or GalSim's real_galaxy_catalog*.fits or its folder."
        ),
    ],
    /,
    *,
    output: Output,
    exclude: Annotated[
        Literal["none", "bad_stamp", "bad_fits", "marginal"] | None,
        Parameter(
            help="Suspect galaxies of a GalSim catalog to leave out; marginal where it has the tables."
        ),
    ] = None,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Read COSMOS galaxies (HST F814W), postage stamps or a GalSim catalog with PSFs and noise, into a store.

    With --crop, images smaller than the crop are left out and counted.
    """
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data.ingest import cosmos

    with shown.progress() as progress:
        images = cosmos(
            source,
            output,
            exclude=exclude,
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest cosmos", images, output)


def ingest_skirt(
    source: Annotated[
        Path, Parameter(help="Folder snapnum_099 of TNG's skirt_images_sdss, or the one above.")
    ],
    /,
    *,
    output: Output,
    bands: Annotated[str, Parameter(help="Which of g,r,i,z to keep.")] = "g,r,i,z",
    crop_fraction: Annotated[float, Parameter(help="Share of the side to cut off at each edge.")] = 0.25,
    larger_than: Annotated[
        int, Parameter(help="Leave out images of this side or less, in pixels, before that crop.")
    ] = 64,
    redshift: Annotated[
        float | None, Parameter(help="Of the snapshot, for the length of a pixel; 0 is known of snapshot 99.")
    ] = None,
    zero_points: Annotated[
        str | None, Parameter(help="AB magnitude of 1 electron / s, such as g=25.1,r=24.8 or one for all.")
    ] = None,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Read SKIRT images of IllustrisTNG galaxies with their morphologies into a store."""
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data.ingest import skirt
    from galsmith.data.readers.skirt import SkirtOptions

    reading = SkirtOptions(
        bands=band_names(bands) or (),
        crop_fraction=crop_fraction,
        larger_than_pix=larger_than,
        redshift=redshift,
        zero_points_mag=parse_zero_points(zero_points) or {},
    )
    with shown.progress() as progress:
        images = skirt(
            source,
            output,
            reading=reading,
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest skirt", images, output)
