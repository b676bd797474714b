"""The task of taking PSF and noise off: a short fit of a denoiser, tested on observations that all fits have in common."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from galsmith.counts import counted
from galsmith.denoise.fitting import fit
from galsmith.denoise.method import Denoiser
from galsmith.denoise.network import typical_variance
from galsmith.denoise.settings import FitSettings, read_fit_settings, read_plain_recipe
from galsmith.errors import InputError, InterruptedRunError, SettingsError
from galsmith.images import ImageSet, image_set_from_arrays
from galsmith.seeds import random_stream
from galsmith.settings import Settings
from galsmith.study.task import Floats

TEST_SEED = 0
LEAST_IMAGES = 2  # one of them is looked at for the widths that a denoiser states, and not learned from
THIRDS = (1 / 3, 2 / 3)
TABLES = ("model", "observation", "range", "training")


class Denoising(Settings):
    """A denoiser, fitted on so many looks at clean images whatever their number, with the weights of the last one.

    Attributes
    ----------
    recipe : str
        A shipped recipe of a denoiser by name, or a TOML file.
    images : int
        Looks that each fit takes.
    model, observation, range, training : mapping
        Settings that replace those of the recipe, one by one.
    """

    title: ClassVar[str] = "the scene before PSF and noise"
    loss: ClassVar[str] = "mean squared error of a pixel in variances of the noise"
    recipe: str = "holzschuh2022-resnet-small"
    images: int = Field(default=2000, ge=1)
    model: dict[str, Any] = Field(default_factory=dict)
    observation: dict[str, Any] = Field(default_factory=dict)
    range: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)

    def described(self) -> Mapping[str, Any]:
        """Give the settings of a fit, but for its seed."""
        return {"task": "denoiser", "fit": self._settings().to_dict()}

    def check(self, images: ImageSet, name: str) -> None:
        """Refuse a recipe without noise, images that it cannot observe, and too few; no label is needed."""
        observation = self._settings().observation
        if observation.noise is None:
            raise SettingsError(
                "errors are told in variances of the noise", argument="observation.noise", wanted="a law"
            )
        if len(images) < LEAST_IMAGES:
            raise InputError(f"{name}: has {counted(len(images), 'images')}; wanted {LEAST_IMAGES} or more")
        try:
            observation.scene(images[0], images.header)
        except SettingsError as error:
            raise InputError(f"{name}: cannot be observed: {error}") from error

    def groups(self, images: ImageSet) -> NDArray[np.str_]:
        """Name the third of the test images' fluxes."""
        fluxes = np.array([image.sum(dtype=np.float64) for image in images.pixels.read(_rows(images))])
        return np.array(["faint third", "middle third", "bright third"])[
            np.digitize(fluxes, np.quantile(fluxes, THIRDS))
        ]

    def fit(self, images: ImageSet, seed: int) -> Denoiser:
        """Train with a seed; the denoiser refuses no observation."""
        order = random_stream(seed, "study.denoiser").permutation(len(images))
        catalog = images.catalog[order]
        # no weights are chosen: else copies of a training image would help to choose them
        catalog["split"] = np.array(["validation", *["train"] * (len(images) - 1)])
        shuffled = image_set_from_arrays(images.pixels.read(order), images.header, catalog=catalog)
        with TemporaryDirectory() as folder:
            try:
                found = fit(self._recipe(), shuffled, Path(folder) / "denoiser", seed=seed)
            except InterruptedRunError as error:
                raise InterruptedRunError(
                    "stopped while a denoiser was fitted; fits that are done are kept, repeat the command to go on"
                ) from error
        return found.forced()

    def score(self, model: Denoiser, test: ImageSet) -> Floats:
        """Squared error of each image, mean over pixels and bands, in variances of the noise: 1 is what noise alone has."""
        observation = self._settings().observation
        losses = []
        for row in _rows(test):
            [clean] = test.pixels.read([int(row)])
            chance = random_stream(TEST_SEED, "study.denoiser.test", int(row))
            observed = observation.observe(clean, chance, test.header)
            error = model.denoise(observed).image - np.asarray(observed.truth, dtype=np.float64)
            variance = typical_variance(observed.ivar).astype(np.float64)[:, np.newaxis, np.newaxis]
            losses.append(float(np.mean((error**2 / variance)[observed.ivar > 0])))
        return np.array(losses)

    def _recipe(self) -> dict[str, dict[str, Any]]:
        """Put what replaces settings of the recipe into it."""
        plain = read_plain_recipe(self.recipe)
        values = {name: {**plain.get(name, {}), **getattr(self, name)} for name in TABLES}
        values["training"].pop("minutes", None)
        values["training"] |= {"images": self.images, "validations": 1}
        return values

    def _settings(self) -> FitSettings:
        """Read the recipe, which refuses what is wrong in it."""
        return read_fit_settings(self._recipe())


def _rows(images: ImageSet) -> NDArray[np.int64]:
    """All rows."""
    return np.arange(len(images))
