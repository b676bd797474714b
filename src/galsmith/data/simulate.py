"""Simulating galaxies and fields with known truth, and mosaics of pictures: ``galsmith.simulate.sersic``, ``fields``..."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from galsmith.data.fields import FieldSettings, SimulatedFields, SkyMosaics
from galsmith.data.fields import compile_renderer as compile_fields
from galsmith.data.options import SetOptions
from galsmith.data.readers.to_store import write_source
from galsmith.data.sersic import SersicSettings, SersicSource, compile_renderer
from galsmith.data.store.layout import STORE
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import check_output
from galsmith.images import ImageSet
from galsmith.settings import apply_overrides, priors_named, recipe_file, typed_settings


def sersic(
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    recipe: str | Path | Mapping[str, Any] = "sersic",
    overrides: Sequence[str] = (),
    options: SetOptions | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Simulate Sérsic galaxies, each pixel the integral of the law over its area, and write them as a store.

    Galaxy k depends on `seed` and k alone: the first ten of a thousand are the ten of a run with ``n=10``.
    An interrupted run goes on when it is called again, and gives the same store.

    Parameters
    ----------
    output : str or Path
        The folder to become the store.
    n : int
        How many galaxies.
    seed : int
        Any integer.
    recipe : str, Path or mapping
        ``"sersic"`` (the galaxies paper: 256 px of 0.04 arcsec, magnitude 22), ``"sersic-64"`` and
        ``"sersic-32"`` (the same field on fewer pixels, magnitudes 20 to 24), ``"sersic-demo"`` (``sersic-64``
        with centered galaxies), a TOML file, or its values.
    overrides : sequence of str
        Such as ``("magnitude.low=20", "magnitude.high=24")``, or ``"sersic_index=4"`` for a fixed value.
    options : SetOptions, optional
        Crop, resize, condition and split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told the stages ``compiling`` and ``simulating``.

    Returns
    -------
    ImageSet
        Pixels in electron / s; the catalog has every true parameter with its unit, the galaxy's ``seed`` and
        ``frame_flux_fraction``, the share of the total flux that lies in the frame as rendered.

    Raises
    ------
    SettingsError
        If the recipe, an override or `n` is wrong.
    OutputExistsError
        If the output is there already.

    Examples
    --------
    >>> from galsmith import simulate
    >>> galaxies = simulate.sersic("store", n=1000, seed=1, recipe="sersic-64")  # doctest: +SKIP
    """
    if n < 1:
        raise SettingsError(f"-n {n}: wanted 1 galaxy or more")
    check_output(output, STORE, inputs=[recipe_file(recipe)], overwrite=overwrite)
    values = recipe if isinstance(recipe, Mapping) else priors_named(recipe)
    source_name = "recipe" if isinstance(recipe, Mapping) else f"recipe {recipe}"
    settings = typed_settings(SersicSettings, apply_overrides(values, overrides), source=source_name)
    progress(ProgressEvent("compiling", 0, 1, "kernels"))
    compile_renderer()
    progress(ProgressEvent("compiling", 1, 1, "kernels"))
    return write_source(
        SersicSource(settings, n=n, seed=seed),
        Path(output),
        verb="simulate sersic",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )


def fields(
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    recipe: str | Path | Mapping[str, Any] = "fields",
    overrides: Sequence[str] = (),
    negatives: str | Path | None = None,
    options: SetOptions | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Simulate fields of hundreds of sources, each with a galaxyness score, and write them as a store.

    They stand in for the cosmology fields of Blatter et al. (2020), which are not to be had;
    docs/how-to/cosmology-fields.md says the law. Field k depends on `seed` and k alone. An interrupted run goes on when
    it is called again.

    Parameters
    ----------
    output : str or Path
        The folder to become the store.
    n : int
        How many fields.
    seed : int
        Any integer.
    recipe : str, Path or mapping
        ``"fields"`` (1000 px), ``"fields-500"``, ``"fields-250"``, a TOML file, or its values.
    overrides : sequence of str
        Such as ``("count.mean=60", "non_cosmology_share=0.0")``.
    negatives : str or Path, optional
        A folder or store of pictures, from which the photographs among what is no field are cut; overlapping discs stand
        for them when left out.
    options : SetOptions, optional
        Crop, resize, condition and split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told the stages ``compiling``, ``drawing`` and ``simulating``.

    Returns
    -------
    ImageSet
        One band of whole gray levels from 0 to 255, whose header says that it shows fields. The catalog has ``score``
        (0 to 8), ``label`` (1 for a clean field, else 0), ``part`` (``"simulated"``), ``kind``, the number of sources, the
        parameters of each field's own law and the quantities that its score is made of.
        `galsmith.data.store.read_sources` gives the sources.

    Raises
    ------
    SettingsError
        If the recipe, an override or `n` is wrong.
    InputError
        If the pictures cannot be used.
    OutputExistsError
        If the output is there already.

    Examples
    --------
    >>> from galsmith import simulate
    >>> images = simulate.fields("fields", n=1000, seed=1, recipe="fields-250")  # doctest: +SKIP
    """
    if n < 1:
        raise SettingsError(f"-n {n}: wanted 1 field or more")
    check_output(output, STORE, inputs=[recipe_file(recipe), negatives], overwrite=overwrite)
    values = recipe if isinstance(recipe, Mapping) else priors_named(recipe, "fields")
    source_name = "recipe" if isinstance(recipe, Mapping) else f"recipe {recipe}"
    settings = typed_settings(FieldSettings, apply_overrides(values, overrides), source=source_name)
    progress(ProgressEvent("compiling", 0, 1, "kernels"))
    compile_fields()
    progress(ProgressEvent("compiling", 1, 1, "kernels"))
    return write_source(
        SimulatedFields(settings, n=n, seed=seed, negatives=negatives, progress=progress),
        Path(output),
        verb="simulate fields",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )


def sky_mosaic(
    pictures: str | Path,
    output: str | Path,
    *,
    n: int = 1,
    side_pix: int = 4000,
    seed: int = 0,
    options: SetOptions | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Join pictures to large gray mosaics, of which training takes fresh crops (``training.crop_pix``).

    Mosaic k depends on the pictures, on `seed` and on k alone.

    Parameters
    ----------
    pictures : str or Path
        A folder of PNG or JPEG pictures, or a store in ``"display"`` units.
    output : str or Path
        The folder to become the store.
    n : int
        How many mosaics.
    side_pix : int
        Height and width of each.
    seed : int
        Any integer.
    options : SetOptions, optional
        As `sersic` has them; all mosaics are of the split ``"train"`` when left out.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    ImageSet
        One band of gray levels, whose header says that it shows fields.

    Raises
    ------
    SettingsError
        If `n` is below 1, or a mosaic would be smaller than a picture.
    InputError
        If the pictures cannot be used.
    OutputExistsError
        If the output is there already.
    """
    if n < 1:
        raise SettingsError(f"-n {n}: wanted 1 mosaic or more")
    check_output(output, STORE, inputs=[pictures], overwrite=overwrite)
    return write_source(
        SkyMosaics(pictures, n=n, side_pix=side_pix, seed=seed, progress=progress),
        Path(output),
        verb="simulate sky-mosaic",
        seed=seed,
        options=SetOptions(split=(1.0, 0.0, 0.0)) if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )
