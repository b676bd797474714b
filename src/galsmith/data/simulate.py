"""Simulating galaxies and fields with known truth, and mosaics of pictures: ``galsmith.simulate.sersic``, ``fields``...

`SIMULATORS` is the table of all that simulate from a recipe; the command line is made from it. A simulator is one folder
with its law and a `Source`, one entry and one door here, and its page. Nothing is imported before it is called, so that
help is quick.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.settings import (
    Settings,
    apply_overrides,
    near_miss,
    read_recipe,
    recipe_file,
    recipe_names,
    typed_settings,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from galsmith.data.options import SetOptions
    from galsmith.data.readers.source import Source
    from galsmith.images import ImageSet

Recipe = str | Path | Mapping[str, Any]


@dataclass(frozen=True)
class Simulator:
    """One kind of images that are made from a recipe, a seed and a number.

    Attributes
    ----------
    name : str
        The word after ``simulate``, and the recipe that has every setting that there is.
    makes : str
        What the images are called in words, such as ``"Sérsic galaxies"``.
    one : str
        What one is called: ``"galaxy"`` or ``"field"``.
    summary : str
        The first line of the command's help.
    mark : str
        A setting that its recipes have and those of no other simulator.
    module, settings, source : str
        The room in which it is built, and there the names of the record of a recipe and of the `Source`; the room has
        ``compile_renderer`` as well.
    example : str
        A working command line.
    negatives : str or None
        What the flag ``negatives`` is for, where it takes pictures.
    """

    name: str
    makes: str
    one: str
    summary: str
    mark: str
    module: str
    settings: str
    source: str
    example: str
    negatives: str | None = None

    @property
    def images(self) -> str:
        """What the images are called in general."""
        return {"galaxy": "galaxies", "field": "fields"}[self.one]

    def load(self, name: str) -> Any:
        """Import something of its room."""
        return getattr(import_module(self.module), name)


SIMULATORS = {
    simulator.name: simulator
    for simulator in (
        Simulator(
            name="sersic",
            makes="Sérsic galaxies",
            one="galaxy",
            summary="Simulate galaxies with Sérsic profiles into a store; an interrupted run goes on when repeated.",
            mark="sersic_index",
            module="galsmith.data.sersic",
            settings="SersicSettings",
            source="SersicSource",
            example="galsmith simulate sersic -n 2000 -o galaxies --recipe sersic-64 --seed 1",
        ),
        Simulator(
            name="fields",
            makes="fields",
            one="field",
            summary="Simulate fields of many sources, with galaxyness scores, into a store; an interrupted run goes on "
            "when repeated.",
            mark="clustering",
            module="galsmith.data.fields",
            settings="FieldSettings",
            source="SimulatedFields",
            example="galsmith simulate fields -n 2000 -o fields --recipe fields-250 --seed 1",
            negatives="Folder or store of pictures to cut photographs from, which are no fields.",
        ),
        Simulator(
            name="components",
            makes="galaxies of components",
            one="galaxy",
            summary="Simulate galaxies of bulge, disk, bar, arms, clumps and dust in four bands into a store; an "
            "interrupted run goes on when repeated.",
            mark="bulge",
            module="galsmith.data.components",
            settings="ComponentSettings",
            source="ComponentGalaxies",
            example="galsmith simulate components -n 2000 -o galaxies --seed 1",
        ),
    )
}


def prior_names(kind: str) -> list[str]:
    """Names of the shipped recipes of one simulator."""
    return [name for name in recipe_names() if _simulator_of(read_recipe(name)) == kind]


def priors_named(recipe: str | Path, kind: str) -> Mapping[str, Any]:
    """Read priors from a file or a shipped recipe.

    Parameters
    ----------
    recipe : str or Path
        A name, or the path of a TOML file.
    kind : str
        Of `SIMULATORS`.

    Raises
    ------
    SettingsError
        If there are none of that name (the near miss is named), or the recipe trains a model or simulates other images.
    """
    name, known, makes = str(recipe), prior_names(kind), SIMULATORS[kind].makes
    if recipe_file(recipe) is None and name not in known:
        is_what = (
            _made_by(read_recipe(name)) if name in recipe_names() else f"not found{near_miss(name, known)}"
        )
        raise SettingsError(
            is_what,
            argument="recipe",
            came=name,
            wanted=f"priors: {', '.join(known)}, or the path of a .toml file",
        )
    values = read_recipe(recipe)
    if "model" in values or _simulator_of(values) not in (kind, None):
        raise SettingsError(_made_by(values), argument="recipe", came=name, wanted=f"priors of {makes}")
    return values


def _simulator_of(values: Mapping[str, Any]) -> str | None:
    """Name the simulator whose mark a recipe bears."""
    return next((name for name, simulator in SIMULATORS.items() if simulator.mark in values), None)


def _made_by(values: Mapping[str, Any]) -> str:
    """Say what a recipe does."""
    kind = _simulator_of(values)
    return "trains a model" if kind is None or "model" in values else f"simulates {SIMULATORS[kind].makes}"


def simulate(
    kind: str,
    output: str | Path,
    *,
    n: int,
    first: int = 0,
    seed: int = 0,
    recipe: Recipe | None = None,
    overrides: Sequence[str] = (),
    negatives: str | Path | None = None,
    options: "SetOptions | None" = None,
    overwrite: bool = False,
    workers: int = 1,
    executor: "Executor | None" = None,
    progress: ProgressCallback = ignore_progress,
) -> "ImageSet":
    """Simulate images of any kind and write them as a store; `sersic`, `fields` and so on say what each makes.

    Image k depends on `seed` and k alone. An interrupted run goes on when it is called again, and gives the same store.

    Parameters
    ----------
    kind : str
        Of `SIMULATORS`.
    output : str or Path
        The folder to become the store.
    n : int
        How many images.
    first : int
        The number of the first one, where parts of one set are made; `galsmith.ingest.store` joins them.
    seed : int
        Any integer.
    recipe : str, Path or mapping
        A shipped recipe by name, a TOML file, or its values; the kind's own when left out.
    overrides : sequence of str
        Such as ``("magnitude.low=20",)``.
    negatives : str or Path, optional
        Pictures, for a kind that takes some.
    options : SetOptions, optional
        Crop, resize, condition and split.
    overwrite : bool
        Replace what is there.
    workers : int
        Local processes; the store does not depend on their number.
    executor : concurrent.futures.Executor, optional
        Used in place of them, such as that of a Dask client.
    progress : callable
        Told the stages ``compiling`` and ``simulating``.

    Raises
    ------
    SettingsError
        If there is no such kind, or the recipe, an override or `n` is wrong.
    InputError
        If pictures cannot be used.
    OutputExistsError
        If the output is there already.
    """
    if kind not in SIMULATORS:
        raise SettingsError(
            f"no such simulator{near_miss(kind, list(SIMULATORS))}",
            argument="kind",
            came=kind,
            wanted=f"one of {', '.join(SIMULATORS)}",
        )
    simulator = SIMULATORS[kind]
    if negatives is not None and simulator.negatives is None:
        raise SettingsError(argument="negatives", came=negatives, wanted=f"none, as {kind} takes no pictures")
    chosen = kind if recipe is None else recipe

    def make() -> "Source":
        from galsmith.data.readers.part import checked_first, part_of

        values = chosen if isinstance(chosen, Mapping) else priors_named(chosen, kind)
        named = "recipe" if isinstance(chosen, Mapping) else f"recipe {chosen}"
        record: type[Settings] = simulator.load(simulator.settings)
        settings = typed_settings(record, apply_overrides(values, overrides), source=named)
        progress(ProgressEvent("compiling", 0, 1, "kernels"))
        simulator.load("compile_renderer")()
        progress(ProgressEvent("compiling", 1, 1, "kernels"))
        pictures = {} if simulator.negatives is None else {"negatives": negatives, "progress": progress}
        source: Source = simulator.load(simulator.source)(
            settings, n=checked_first(first) + n, seed=seed, **pictures
        )
        return part_of(source, first)

    return _written(
        make,
        output,
        verb=f"simulate {kind}",
        counted=(n, simulator.one),
        inputs=(recipe_file(chosen), negatives),
        seed=seed,
        options=options,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def _written(
    make: "Callable[[], Source]",
    output: str | Path,
    *,
    verb: str,
    counted: tuple[int, str],
    inputs: Sequence[str | Path | None],
    seed: int,
    options: "SetOptions | None",
    overwrite: bool,
    workers: int,
    executor: "Executor | None",
    progress: ProgressCallback,
) -> "ImageSet":
    """Check what was asked for, make a source, and write it; each simulator's own part is `make`."""
    from galsmith.data.options import SetOptions
    from galsmith.data.readers.to_store import write_source
    from galsmith.data.store.layout import STORE
    from galsmith.files import check_output, place_of

    n, one = counted
    if n < 1:
        raise SettingsError(f"-n {n}: wanted 1 {one} or more")
    check_output(output, STORE, inputs=list(inputs), overwrite=overwrite)
    return write_source(
        make(),
        place_of(output),
        verb=verb,
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def sersic(
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    recipe: Recipe = "sersic",
    overrides: Sequence[str] = (),
    options: "SetOptions | None" = None,
    overwrite: bool = False,
    workers: int = 1,
    executor: "Executor | None" = None,
    progress: ProgressCallback = ignore_progress,
) -> "ImageSet":
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
    overwrite, workers, executor
        As `simulate` has them.
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
    return simulate(
        "sersic",
        output,
        n=n,
        seed=seed,
        recipe=recipe,
        overrides=overrides,
        options=options,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def fields(
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    recipe: Recipe = "fields",
    overrides: Sequence[str] = (),
    negatives: str | Path | None = None,
    options: "SetOptions | None" = None,
    overwrite: bool = False,
    workers: int = 1,
    executor: "Executor | None" = None,
    progress: ProgressCallback = ignore_progress,
) -> "ImageSet":
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
    overwrite, workers, executor
        As `simulate` has them.
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
    return simulate(
        "fields",
        output,
        n=n,
        seed=seed,
        recipe=recipe,
        overrides=overrides,
        negatives=negatives,
        options=options,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def components(
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    recipe: Recipe = "components",
    overrides: Sequence[str] = (),
    options: "SetOptions | None" = None,
    overwrite: bool = False,
    workers: int = 1,
    executor: "Executor | None" = None,
    progress: ProgressCallback = ignore_progress,
) -> "ImageSet":
    """Simulate noise-free galaxies of several components in several bands, and write them as a store.

    Bulge and disk, bars, logarithmic arms or clumps, dust, and gradients of color; images differ in size.
    docs/how-to/simulate-components.md says the law. Galaxy k depends on `seed` and k alone. An interrupted run goes on when
    it is called again.

    Parameters
    ----------
    output : str or Path
        The folder to become the store.
    n : int
        How many galaxies.
    seed : int
        Any integer.
    recipe : str, Path or mapping
        ``"components"`` (g, r, i, z; 32 to 96 px), a TOML file, or its values.
    overrides : sequence of str
        Such as ``("frame.low_pix=64", "frame.high_pix=64")``, or ``"dust.optical_depth.median=0.1"``.
    options : SetOptions, optional
        Crop, resize, condition and split.
    overwrite, workers, executor
        As `simulate` has them.
    progress : callable
        Told the stages ``compiling`` and ``simulating``.

    Returns
    -------
    ImageSet
        Pixels [band, y, x] in electron / s; the catalog has the truth: ``kind``, flux a band of the whole and of each
        component (``flux_g``, ``bulge_flux_g``..., without dust, to infinity), what lies in the frame (``frame_flux_g``),
        ``r_half_pix``, the shape of each component, arms, clumps and dust.

    Raises
    ------
    SettingsError
        If the recipe, an override or `n` is wrong.
    OutputExistsError
        If the output is there already.

    Examples
    --------
    >>> from galsmith import simulate
    >>> galaxies = simulate.components("store", n=1000, seed=1)  # doctest: +SKIP
    """
    return simulate(
        "components",
        output,
        n=n,
        seed=seed,
        recipe=recipe,
        overrides=overrides,
        options=options,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def sky_mosaic(
    pictures: str | Path,
    output: str | Path,
    *,
    n: int = 1,
    side_pix: int = 4000,
    seed: int = 0,
    options: "SetOptions | None" = None,
    overwrite: bool = False,
    workers: int = 1,
    executor: "Executor | None" = None,
    progress: ProgressCallback = ignore_progress,
) -> "ImageSet":
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
    overwrite, workers, executor
        As `simulate` has them.
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
    from galsmith.data.fields import SkyMosaics
    from galsmith.data.options import SetOptions

    return _written(
        lambda: SkyMosaics(pictures, n=n, side_pix=side_pix, seed=seed, progress=progress),
        output,
        verb="simulate sky-mosaic",
        counted=(n, "mosaic"),
        inputs=(pictures,),
        seed=seed,
        options=SetOptions(split=(1.0, 0.0, 0.0)) if options is None else options,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )
