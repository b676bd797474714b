"""Survey images with many galaxies, which are detected and cut out."""

from collections.abc import Sequence
from pathlib import Path

from galsmith.data.options import SetOptions
from galsmith.data.readers import write_source
from galsmith.data.readers.field import FieldOptions, FieldSource
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output
from galsmith.images import ImageSet


def field(
    source: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    reading: FieldOptions | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store of the galaxies in one or more aligned survey images.

    Sources are detected in one band, stars are left out (`galsmith.data.readers.field.stars.find_stars` has the
    rule), and what is left is cut out of all bands, in squares as large as each galaxy asks for.

    Parameters
    ----------
    source : str, Path or sequence of them
        A folder with a FITS file a band, several files, or one file that holds an image or a cube.
    output : str or Path
        The folder to become the store.
    reading : FieldOptions, optional
        Bands, zero points, how sources are found, told from stars and cut out.
    options : SetOptions, optional
        Crop, resize, leave out, split, after that.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    ImageSet
        In nJy, or in the files' own unit where `reading` names one; sizes differ. The catalog has positions, and
        what was measured to find the galaxies; its metadata count what was left out, by reason.

    Raises
    ------
    InputError
        If files are missing or not aligned, cannot be read, or nothing is detected.
    SettingsError
        If an option does not fit the files, a zero point is missing, or photutils is not installed.
    OutputExistsError
        If the output is there already.
    """
    places = [Path(source)] if isinstance(source, str | Path) else [Path(place) for place in source]
    check_output(output, inputs=places, overwrite=overwrite)
    return write_source(
        FieldSource(places, options=FieldOptions() if reading is None else reading, progress=progress),
        Path(output),
        verb="ingest field",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )
