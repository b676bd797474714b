"""`DenoiserRun`: one training of a denoiser in the making, and how it is kept on disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from galsmith.denoise.looks import Looks
from galsmith.denoise.material import CleanImages, LookBatches, LookOrder, Material
from galsmith.denoise.model import (
    PAGE_FILE,
    WEIGHTS_FILE,
    Stated,
    Temperature,
    TrainedDenoiser,
    coverage_of,
    fitted_temperature,
    write_denoiser,
)
from galsmith.denoise.network import NetworkModule
from galsmith.denoise.settings import FREE_TO_CHANGE, FitSettings
from galsmith.denoise.trainer import NetworkTrainer, Validation, ValidationLooks, averaged, is_out_of_patience
from galsmith.errors import DivergedError, InterruptedRunError
from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.models.protocols import Precision
from galsmith.provenance import Provenance, hash_json
from galsmith.training.averages.power_function import PowerFunctionEma
from galsmith.training.budget import RunState
from galsmith.training.checkpoint import Checkpoint, save_checkpoint
from galsmith.training.listeners import LiveProgress, TrainingLog
from galsmith.training.loop import InterruptNote, StepReport, interrupts_noted, run_loop

LOG_FILE, CHECKPOINT_FILE = "log.jsonl", "checkpoint/checkpoint.pt"


@dataclass
class DenoiserRun:
    """One training in the making.

    Attributes
    ----------
    folder : Path
        Where it is kept.
    settings : FitSettings
        How it was started.
    tables : mapping
        Content of ``settings.toml``.
    material : Material
        Clean images.
    device : torch.device
        Where steps are taken.
    network : DenoisingNetwork
        What is trained.
    trainer : NetworkTrainer
        Takes the steps.
    averages : tuple of PowerFunctionEma
        The average of weights, or nothing.
    state : RunState
        How far it is.
    chosen : mapping or None
        The weights that did best so far.
    """

    folder: Path
    settings: FitSettings
    tables: Mapping[str, Mapping[str, Any]]
    material: Material
    device: torch.device
    network: NetworkModule
    trainer: NetworkTrainer
    averages: tuple[PowerFunctionEma, ...]
    state: RunState
    chosen: Mapping[str, Any] | None = None
    _kept_at: float = 0.0

    @classmethod
    def start(
        cls,
        folder: Path,
        settings: FitSettings,
        tables: Mapping[str, Mapping[str, Any]],
        material: Material,
        *,
        device: torch.device,
        precision: Precision,
        checkpoint: Checkpoint | None,
    ) -> "DenoiserRun":
        """Build the network with first weights, or with those of a checkpoint."""
        network = settings.method.build(settings.model, len(material.real.header.bands))
        network.start(settings.training.seed)
        network.to(device)
        network.precision = precision
        if settings.training.channels_last:
            network.to(memory_format=torch.channels_last)
        trainer = NetworkTrainer(network, settings.training)
        found = cls(
            folder,
            settings,
            tables,
            material,
            device,
            network,
            trainer,
            averaged(network, settings.training),
            RunState(),
        )
        if checkpoint is not None:
            found.go_on_from(checkpoint)
        return found

    @property
    def looks(self) -> ValidationLooks:
        """What the weights are chosen by."""
        training = self.settings.training
        return ValidationLooks(
            self.material.validation, self._looks, training.validation_looks, training.seed
        )

    @property
    def _looks(self) -> Looks:
        """How clean images are looked at."""
        return Looks(self.settings.observation, self.settings.range, self.material.real.header)

    @property
    def is_out_of_patience(self) -> bool:
        """Whether nothing better came for too long."""
        return is_out_of_patience(self.state, self.settings.training)

    @property
    def is_complete(self) -> bool:
        """Whether training is over and the denoiser is there."""
        is_over = self.settings.budget.is_spent(self.state) or self.is_out_of_patience
        return is_over and all((self.folder / name).is_file() for name in (WEIGHTS_FILE, PAGE_FILE))

    def run(self, progress: ProgressCallback) -> None:
        """Train, and keep what was made however it ends.

        Raises
        ------
        DivergedError
            If the loss was not finite ten times in a row.
        InterruptedRunError
            If a stop was asked for; the state is kept.
        """
        progress(ProgressEvent("preparing", 0, len(self.material.real), "images"))
        log = TrainingLog(
            self.folder / LOG_FILE,
            images_seen=self.state.images_seen,
            log_seconds=self.settings.training.log_seconds,
            device=self.device,
        )
        try:
            with interrupts_noted() as note:
                is_finished = self._loop(log, note, progress)
        except DivergedError as error:
            raise DivergedError(
                f"{self.folder}: {error}; lower training.learning_rate by `overrides`, into another `output`"
            ) from error
        finally:
            log.close()
        self.save()
        if not is_finished:
            raise InterruptedRunError(
                f"{self.folder}: stopped at {self.state.images_seen:,} images seen; all is kept, repeat the command to "
                "go on"
            )
        self.write(progress)

    def _loop(self, log: TrainingLog, note: InterruptNote, progress: ProgressCallback) -> bool:
        """Take steps until the budget is spent, nothing better comes, or a stop is asked for, which gives False."""
        training, budget = self.settings.training, self.settings.budget
        validation = Validation(
            self.looks,
            self.kept_network,
            state=self.state,
            training=training,
            log=log,
            note=note,
            device=self.device,
            chosen=self.chosen,
        )

        def keep(report: StepReport) -> None:
            self.chosen = validation.chosen
            if report.is_good and report.seconds - self._kept_at >= training.checkpoint_seconds:
                self.save()
                self._kept_at = report.seconds

        live = LiveProgress(progress, budget=budget, device=self.device, watched=validation)
        is_spent = run_loop(
            self.trainer,
            self._batches(),
            averages=self.averages,
            state=self.state,
            budget=budget,
            seed=training.seed,
            batch_size=training.batch_size,
            listeners=[log, live, validation, keep],
            note=note,
        )
        return is_spent or self.is_out_of_patience

    def _batches(self) -> LookBatches:
        """Give what steps are taken on."""
        training, material = self.settings.training, self.material
        order = LookOrder(
            training.seed, training.batch_size, training.mixing, training.crop_pix, training.buckets
        )
        clean = CleanImages(material.real, material.generated)
        return LookBatches(clean, self._looks, order, device=self.device)

    def kept_network(self) -> NetworkModule:
        """Give the network that is validated and kept: the average where there is one."""
        return self.averages[0].average if self.averages else self.network

    def save(self) -> None:
        """Write the checkpoint."""
        checkpoint = Checkpoint(
            trainer=self.trainer.state_dict(),
            ema=self.averages[0].state_dict() if self.averages else {},
            transform={},
            state=self.state,
            settings_hash=hash_json(decisive(self.tables)),
            data_hash=self.material.real.content_hash,
            chosen=self.chosen,
        )
        save_checkpoint(self.folder / CHECKPOINT_FILE, checkpoint)

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take weights, averages and state from a checkpoint."""
        self.trainer.load_state_dict(checkpoint.trainer)
        for average in self.averages:
            average.load_state_dict(checkpoint.ema)
        self.state, self.chosen = checkpoint.state, checkpoint.chosen
        self._kept_at = self.state.seconds

    def write(self, progress: ProgressCallback) -> None:
        """Write the denoiser: the best weights, what they cover, and the temperature of their uncertainties."""
        progress(ProgressEvent("calibrating", 0, self.looks.count, "images"))
        network = self.settings.method.build(self.settings.model, len(self.material.real.header.bands))
        weights = self.kept_network().state_dict() if self.chosen is None else self.chosen
        network.load_state_dict(dict(weights))
        network.to(self.device).eval()
        header = self.material.real.header
        coverage = coverage_of(
            replace(self.looks, looks=self._looks.with_fixed_noise()).observations(),
            noise_factor=None if network.is_equivariant else self.settings.range.noise_factor,
            psf_fwhm_pix=self.settings.range.psf_fwhm_pix,
            flux_unit=header.flux_unit,
            law_hash=self.settings.law_hash,
        )
        stated = list(_stated(network, self.looks, self.device))
        denoiser = TrainedDenoiser(
            name=self.settings.denoiser,
            network=network,
            bands=header.bands,
            coverage=coverage,
            temperature=fitted_temperature(stated) if stated else Temperature(),
            card=self._card(),
        )
        write_denoiser(self.folder, denoiser)

    def _card(self) -> dict[str, Any]:
        """Say what the denoiser is and what made it."""
        material, choice = self.material, self.state.choice
        parents = [material.real.as_parent("clean images")]
        if material.generated is not None:
            parents.append(material.generated.as_parent("generated images"))
        return {
            **material.real.header.to_dict(),
            "recipe": {
                name: dict(self.tables[name]) for name in ("model", "observation", "range", "training", "run")
            },
            "training": {
                "images_seen": self.state.images_seen,
                "seconds": round(self.state.seconds, 3),
                "chosen_at_images": None if choice is None else choice.images_seen,
                "validation_loss": None if choice is None else choice.distance,
                "n_training_images": len(material.real),
                "bad_steps": self.state.bad_steps,
            },
            "provenance": Provenance(
                verb="denoise fit",
                settings=self.settings.to_dict(),
                seed=self.settings.training.seed,
                parents=tuple(parents),
            ).to_dict(),
        }


@torch.no_grad()
def _stated(network: NetworkModule, looks: ValidationLooks, device: torch.device) -> Iterator[Stated]:
    """Give what the network says of the validation looks; nothing where it states no uncertainty."""
    for batch in looks.batches(device):
        restored = network.restored(batch)
        if restored.sigma is None:
            return
        counts = batch.weight > 0
        yield Stated(*(one[counts].cpu().numpy() for one in (restored.image, restored.sigma, batch.truth)))


def decisive(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Leave out what may change when a run goes on, and where things lie."""
    left_out = {"training": FREE_TO_CHANGE, "run": {"device", "galsmith_version"}}
    return {
        name: {
            key: one
            for key, one in values.items()
            if key not in left_out.get(name, ()) and not key.endswith("path")
        }
        for name, values in tables.items()
    }
