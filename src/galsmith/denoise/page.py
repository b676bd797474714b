"""Pages of denoisers and of studies of them; read without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from galsmith.files.pages import OpenPage, Page, checked_page
from galsmith.provenance import Provenance


class CoveragePage(Page):
    """What a denoiser is for."""

    psf_width_pix: tuple[float, float]
    noise_sigma: tuple[float, float] | None
    flux_unit: str
    law_hash: str


class TrainingPage(OpenPage):
    """How far its training came; what is read of it."""

    images_seen: int
    n_training_images: int
    validation_loss: float | None
    chosen_at_images: int | None


class CardPage(OpenPage):
    """What it learned from."""

    training: TrainingPage
    provenance: Provenance


class DenoiserPage(Page):
    """All of it."""

    format: str
    format_version: int
    denoiser: str
    settings: dict[str, Any]
    bands: tuple[str, ...]
    coverage: CoveragePage
    temperature: dict[str, Any]
    card: CardPage
    tensors_sha256: str


class FactorsPage(OpenPage):
    """What a study crosses; what is read of it."""

    networks: tuple[str, ...]
    methods: tuple[str, ...]
    shifts: tuple[str, ...]
    n_test: int


class StudySettingsPage(OpenPage):
    """Settings of a study, which are checked again as a recipe is."""

    study: FactorsPage


class StudyPage(OpenPage):
    """The page of a study of denoising, ``study.json``."""

    format: str
    data_hash: str
    clean_hash: str
    generated_hash: str | None
    data: str
    generated: str | None
    header: dict[str, Any]
    n_train: int
    settings: StudySettingsPage
    cells: tuple[str, ...]
    provenance: Provenance


def check_study_page(page: Mapping[str, Any], path: Path) -> None:
    """Raise `InputError`, which names the file and the key, for a page of a study that cannot be used."""
    checked_page(StudyPage, page, path, way_out="make it again with galsmith denoise study")


def check_denoiser_page(page: Mapping[str, Any], path: Path) -> None:
    """Raise `InputError`, which names the file and the key, for a page that cannot be used."""
    checked_page(DenoiserPage, page, path, way_out="fit the denoiser again or copy it again")
