"""``galsmith ingest cosmos``, ``skirt`` and ``field``: sets that others published, and survey images."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import KEEP_ALL, SHOWN_ALL, Output, Overwrite, Seed, SetFlags, Shown
from galsmith.cli.outcome import Outcome

COSMOS_EXAMPLE = "galsmith ingest cosmos cosmos_galaxy_postage_stamps -o galaxies --crop 256"


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
