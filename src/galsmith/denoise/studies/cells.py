"""The cells of a study: one training each, or a classical method; tested on all shifts, kept as one JSON file."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galsmith.data.store import open_store
from galsmith.denoise.accuracy import Pedestal, galaxy_errors, sky_pedestal
from galsmith.denoise.classical.wiener import measured_spectrum
from galsmith.denoise.denoisers import denoiser_named
from galsmith.denoise.fitting import fit
from galsmith.denoise.method import Denoiser
from galsmith.denoise.studies.settings import TRAINING_SETS, StudySettings
from galsmith.errors import GalsmithError, InputError, InterruptedRunError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import read_json, write_json
from galsmith.images import ImageSet
from galsmith.observe import Observation, Observed
from galsmith.seeds import random_stream
from galsmith.settings import typed_settings

CELL_FORMAT = "galsmith denoising cell"
BLANK_IMAGES = 50  # skies that tell the pedestal
DIGITS = 6  # of stored errors
OF_TRAINING = "training"  # in the place of a spectrum: that of the small real set


@dataclass(frozen=True, order=True)
class Group:
    """What is the same in cells that differ in their seeds alone: a network and what it is trained on, or a method.

    Attributes
    ----------
    denoiser : str
        Name of the network or of the method in the study.
    training_set : str
        Key of `TRAINING_SETS`; empty for a method.
    mixing : float
        Share of generated images.
    """

    denoiser: str
    training_set: str = ""
    mixing: float = 0.0

    @property
    def is_network(self) -> bool:
        """Whether it is trained."""
        return bool(self.training_set)

    @property
    def words(self) -> str:
        """What tables call it."""
        if not self.is_network:
            return self.denoiser
        kind = TRAINING_SETS[self.training_set]
        share = "" if kind.generated == "none" else f", alpha {self.mixing:g}"
        return f"{self.denoiser}: {kind.words}{share}"

    @property
    def twin(self) -> "Group":
        """The same without generated images."""
        return Group(self.denoiser, TRAINING_SETS[self.training_set].real_twin) if self.is_network else self


@dataclass(frozen=True, order=True)
class Cell:
    """One training and its tests; of a method the tests alone.

    Attributes
    ----------
    group : Group
        What is trained on what.
    seed : int
        Of the training.
    """

    group: Group
    seed: int = 0

    @property
    def name(self) -> str:
        """Name of its files."""
        if not self.group.is_network:
            return f"method.{self.group.denoiser}"
        return f"{self.group.denoiser}.{self.group.training_set}.a{self.group.mixing:g}.s{self.seed}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**vars(self.group), "seed": self.seed}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Cell":
        """Read what `to_dict` gave."""
        return cls(Group(value["denoiser"], value["training_set"], value["mixing"]), value["seed"])


def groups_of(settings: StudySettings) -> list[Group]:
    """All that is trained or applied, each once: a mixing of 0 is the set's twin without generated images."""
    found: dict[Group, None] = {}
    for network in settings.networks:
        for name in settings.sets_of(network):
            if TRAINING_SETS[name].generated == "none":
                found[Group(network, name)] = None
                continue
            for mixing in settings.mixings_of(network):
                group = Group(network, name, mixing)
                found[group if mixing > 0 else group.twin] = None
    return [*found, *(Group(name) for name in settings.methods)]


def cells_of(settings: StudySettings) -> list[Cell]:
    """All cells, those of the first seed first, so that a study says something early."""
    groups = groups_of(settings)
    return [
        Cell(group, seed)
        for seed in range(settings.factors.seeds)
        for group in groups
        if group.is_network or seed == 0
    ]


@dataclass(frozen=True)
class CellTask:
    """All that a process needs to train and test one cell.

    Attributes
    ----------
    cell : Cell
        Which.
    settings : StudySettings
        Of the study.
    data : Path
        Store of clean images.
    generated : Path or None
        Store of the images to mix in, where some are.
    folder : Path
        Of the study.
    training_hash, test_hash : str
        Of what decides the training, and the tests.
    device : str
        As torch knows it.
    """

    cell: Cell
    settings: StudySettings
    data: Path
    generated: Path | None
    folder: Path
    training_hash: str
    test_hash: str
    device: str = "cpu"

    @property
    def file(self) -> Path:
        """Where its result is kept."""
        return cell_file(self.folder, self.cell)

    @property
    def model(self) -> Path:
        """Where its denoiser is kept."""
        return model_folder(self.folder, self.cell)


def cell_file(folder: Path, cell: Cell) -> Path:
    """Name the result of a cell."""
    return folder / "cells" / f"{cell.name}.json"


def model_folder(folder: Path, cell: Cell) -> Path:
    """Name the denoiser of a cell."""
    return folder / "models" / cell.name


def failure_file(folder: Path, cell: Cell) -> Path:
    """Name what is kept of a cell that failed."""
    return folder / "failed" / f"{cell.name}.json"


@dataclass(frozen=True)
class CellResult:
    """What came of one cell.

    Attributes
    ----------
    cell : Cell
        Which.
    errors : mapping of shift to DataFrame
        A row a galaxy and band, as `galsmith.denoise.accuracy.galaxy_errors` gives them.
    pedestals : mapping of shift to Pedestal
        Level of blank skies.
    seconds : mapping of str to float
        Processor time of ``"training"``, of the call that finished it, and of ``"tests"``.
    training : mapping
        What the denoiser says of its training; empty for a method.
    training_hash, test_hash : str
        Of what decided it.
    """

    cell: Cell
    errors: Mapping[str, pd.DataFrame]
    pedestals: Mapping[str, Pedestal]
    seconds: Mapping[str, float]
    training: Mapping[str, Any]
    training_hash: str
    test_hash: str

    def write(self, path: Path) -> None:
        """Write one JSON file; what is not finite is null."""
        shifts = {
            shift: {"errors": _columns(table), "pedestal": _plain(asdict(self.pedestals[shift]))}
            for shift, table in self.errors.items()
        }
        said = {
            "format": CELL_FORMAT,
            "cell": self.cell.to_dict(),
            "training_hash": self.training_hash,
            "test_hash": self.test_hash,
            "processor_seconds": dict(self.seconds),
            "training": dict(self.training),
            "shifts": shifts,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, said)

    @classmethod
    def read(cls, path: Path) -> "CellResult":
        """Read what `write` wrote.

        Raises
        ------
        InputError
            If it is none.
        """
        said = read_json(path)
        try:
            if said["format"] != CELL_FORMAT:
                raise KeyError("format")
            shifts = said["shifts"]
            return cls(
                cell=Cell.from_dict(said["cell"]),
                errors={name: _table(one["errors"]) for name, one in shifts.items()},
                pedestals={name: _pedestal(one["pedestal"]) for name, one in shifts.items()},
                seconds=said["processor_seconds"],
                training=said["training"],
                training_hash=said["training_hash"],
                test_hash=said["test_hash"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: no result of a cell; remove it and repeat the study") from error


def run_cell(task: CellTask, progress: ProgressCallback = ignore_progress) -> str:
    """Train and test a cell, and keep its result; why it failed, or nothing.

    Raises
    ------
    InterruptedRunError
        If a stop was asked for; the training goes on from its checkpoint.
    """
    try:
        result = _result(task, progress)
    except InterruptedRunError:
        raise
    except (GalsmithError, ArithmeticError, ValueError, RuntimeError, LookupError, MemoryError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        failed = failure_file(task.folder, task.cell)
        failed.parent.mkdir(parents=True, exist_ok=True)
        write_json(failed, {"cell": task.cell.to_dict(), "reason": reason})
        return reason
    result.write(task.file)
    failure_file(task.folder, task.cell).unlink(missing_ok=True)
    return ""


def images_for_tests(data: Path, count: int) -> ImageSet:
    """Give the first images of the split ``"test"``."""
    images = open_store(data).in_split("test")
    return images.select(np.arange(min(count, len(images))))


def observations_of(
    images: ImageSet, observation: Observation, seed: int, rows: Sequence[int] | None = None
) -> Iterator[Observed]:
    """Observe the test images of a study: the same for all that is tested.

    Parameters
    ----------
    images : ImageSet
        As `images_for_tests` gives them.
    observation : Observation
        Of a shift.
    seed : int
        Of the test.
    rows : sequence of int, optional
        Which; all by default.
    """
    for row in range(len(images)) if rows is None else rows:
        chance = random_stream(seed, "denoise.study.test", row)
        yield observation.observe(images[row], chance, images.header)


def built_method(settings: StudySettings, name: str, data: Path) -> Denoiser:
    """Build a classical method of a study; a spectrum ``"training"`` is measured on the small real set."""
    choice = settings.methods[name]
    values = dict(choice.settings)
    if values.get("spectrum") == OF_TRAINING:
        real = open_store(data).in_split("train")
        values["spectrum"] = measured_spectrum(
            real[row] for row in range(min(settings.factors.n_small, len(real)))
        )
    method = denoiser_named(choice.denoiser)
    denoiser: Denoiser = method.build(typed_settings(method.settings, values, source=f"[method.{name}]"))
    return denoiser


def _result(task: CellTask, progress: ProgressCallback) -> CellResult:
    """Train and test."""
    started = time.process_time()
    denoiser, training = _denoiser(task, progress)
    trained = time.process_time()
    factors = task.settings.factors
    images = images_for_tests(task.data, factors.n_test)
    errors, pedestals = {}, {}
    for number, (shift, observation) in enumerate(task.settings.shifts.items()):
        progress(ProgressEvent(f"testing {task.cell.name}", number, len(task.settings.shifts), "shifts"))
        observed = list(observations_of(images, observation, factors.test_seed))
        denoised = [denoiser.denoise(one) for one in observed]
        errors[shift] = galaxy_errors(observed, denoised, fits_sersic=factors.fits_sersic)
        pedestals[shift] = sky_pedestal(denoiser, observed[:BLANK_IMAGES], seed=factors.test_seed)
    seconds = {"training": trained - started, "tests": time.process_time() - trained}
    rounded = {name: round(value, 2) for name, value in seconds.items()}
    return CellResult(task.cell, errors, pedestals, rounded, training, task.training_hash, task.test_hash)


def _denoiser(task: CellTask, progress: ProgressCallback) -> tuple[Denoiser, Mapping[str, Any]]:
    """Build or train what is tested."""
    group: Group = task.cell.group
    if not group.is_network:
        return built_method(task.settings, group.denoiser, task.data), {}
    recipe = task.settings.fit_recipe(
        group.denoiser, group.training_set, mixing=group.mixing, seed=task.cell.seed
    )
    denoiser = fit(
        recipe,
        task.data,
        task.model,
        generated=task.generated if group.mixing > 0 else None,
        device=task.device,
        progress=progress,
    )
    # the shifts are other PSFs and noise than those of training: that is what is tested
    return denoiser.forced(), denoiser.card["training"]


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Write a table column by column, with as many digits as matter."""
    return {name: [_rounded(value) for value in table[name].to_list()] for name in table.columns}


def _rounded(value: Any) -> Any:
    """Round a number; null where it is not finite."""
    if isinstance(value, int):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace what is not finite by null."""
    return {
        name: None if isinstance(one, float) and not math.isfinite(one) else one
        for name, one in values.items()
    }


def _table(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    """Read a table; null is NaN."""
    counts = ("galaxy", "band")
    return pd.DataFrame(
        {
            name: np.array(one, dtype=np.int64 if name in counts else np.float64)
            for name, one in columns.items()
        }
    )


def _pedestal(value: Mapping[str, Any]) -> Pedestal:
    """Read a pedestal; null is NaN."""
    level, error, in_sigma = (
        math.nan if value[name] is None else float(value[name])
        for name in ("level", "standard_error", "in_sigma")
    )
    return Pedestal(level, error, in_sigma, int(value["n_images"]))
