"""The verb `observe`: a store of clean images and an observation in, a store of observed images out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from galsmith.data.options import SetOptions
from galsmith.data.readers.to_store import write_source
from galsmith.data.store import open_store
from galsmith.data.store.layout import STORE
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output, place_of
from galsmith.images import ImageSet
from galsmith.observe.observation import Observation
from galsmith.observe.presets import stated_observation
from galsmith.observe.source import ObservedSource


def observe(
    store: str | Path,
    output: str | Path,
    *,
    preset: str | None = None,
    recipe: str | Path | Mapping[str, Any] | Observation | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Observe the clean images of a store, and write them as another.

    The noise of image k depends on `seed` and k alone. An interrupted run goes on when it is called again.

    Parameters
    ----------
    store : str or Path
        The clean images.
    output : str or Path
        The folder to become the store.
    preset : str, optional
        An instrument or a paper's observation by name; see `galsmith.observe.PRESETS`.
    recipe : str, Path, mapping or Observation, optional
        Or a TOML file with a table ``[observation]``, its values, or the observation itself.
    overrides : sequence of str
        Changes, or all of it, such as ``("psf.fwhm_pix=3", "noise.sigma=2")``.
    seed : int
        Any integer.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how many images are done.

    Returns
    -------
    ImageSet
        In the unit of the clean images; the catalog is theirs, with lengths and places in observed pixels, and splits stay.
        Beside each image lie its inverse variance, its point spread function (with the clean image's own, where that is
        known) and its mask, as `galsmith.data.store.read_companions` gives them. The clean store is its parent.

    Raises
    ------
    SettingsError
        If the observation is unknown, or does not fit the images.
    InputError
        If the store or a file of the observation cannot be used.
    OutputExistsError
        If the output is there already.

    Examples
    --------
    >>> from galsmith import observe
    >>> observe.observe("galaxies", "observed", preset="hsc-wide", seed=1)  # doctest: +SKIP
    """
    observation = (
        recipe
        if isinstance(recipe, Observation)
        else stated_observation(preset=preset, recipe=recipe, overrides=overrides)
    )
    file = Path(recipe) if isinstance(recipe, str | Path) else None
    check_output(output, STORE, inputs=[store, file], overwrite=overwrite)
    return write_source(
        ObservedSource(open_store(store), observation, seed=seed),
        place_of(output),
        verb="observe",
        seed=seed,
        options=SetOptions(),
        overwrite=overwrite,
        progress=progress,
    )
