"""Who races, on what, for how long and where everything lies."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from galsmith.errors import SettingsError
from galsmith.files import write_json
from galsmith.settings import near_miss, recipe_names

CONTESTANTS: dict[str, Mapping[str, str]] = {
    "pca_diffusion": {"sersic": "pca_diffusion-64", "efigi": "pca_diffusion-pictures"},
    "diffusion": {"sersic": "diffusion-64", "efigi": "diffusion-64"},
    "flow": {"sersic": "flow-64", "efigi": "flow-64"},
    "relay_diffusion": {"sersic": "relay_diffusion-64", "efigi": "relay_diffusion-pictures"},
    "vae": {"sersic": "vae-64", "efigi": "vae-64"},
    "alae": {"sersic": "alae-64", "efigi": "alae-64"},
    "stylegan": {"sersic": "stylegan-64", "efigi": "stylegan-64"},
    "stylegan2": {"sersic": "stylegan2-64", "efigi": "stylegan2-64"},
}
DATA = ("sersic", "efigi")
SIZE_PIX = 64

# What the estimate at the start rests on; measured on two cores of an AMD EPYC, only roughly right elsewhere.
DRAWING_S_PER_GALAXY = {"diffusion": 0.25, "flow": 0.25}
DRAWING_S_OTHERWISE = 0.005
MEASURING_S_PER_GALAXY = {"sersic": 0.008, "efigi": 0.016}
JUDGING_S_PER_SET = {"sersic": 25.0, "efigi": 60.0}
FEATURES_S_PER_IMAGE = 0.045


@dataclass(frozen=True)
class Plan:
    """What decides the numbers of a race; the same for all who take part.

    Attributes
    ----------
    data : str
        ``"sersic"`` or ``"efigi"``.
    minutes : float
        Wall-clock budget of every training.
    threads : int
        Of every training.
    n_drawn, n_measured : int
        Galaxies that every family draws, and how many of each set are measured.
    n_training, n_reference : int
        Images to learn from, and held-out ones to be compared with.
    features : str
        A feature extractor, or empty.
    n_features : int
        Images of each set that it sees.
    precision : str
        Of the networks' trunks.
    seed : int
        Of training and drawing.
    """

    data: str
    minutes: float
    threads: int
    n_drawn: int
    n_measured: int
    n_training: int
    n_reference: int
    features: str
    n_features: int
    precision: str
    seed: int


@dataclass(frozen=True)
class RaceFolder:
    """Names of a race's files."""

    path: Path

    @property
    def plan_file(self) -> Path:
        """What was planned, so that a repeated command cannot mix two races."""
        return self.path / "plan.json"

    @property
    def log_file(self) -> Path:
        """One line a step."""
        return self.path / "race.log"

    @property
    def lock_file(self) -> Path:
        """Held by the race and its trainings."""
        return self.path / "race.lock"

    @property
    def starts_file(self) -> Path:
        """Circumstances of every start, one JSON object a line."""
        return self.path / "starts.jsonl"

    @property
    def training_store(self) -> Path:
        """Images to learn from."""
        return self.path / "training"

    @property
    def reference_store(self) -> Path:
        """Held-out images."""
        return self.path / "reference"

    @property
    def reference_table(self) -> Path:
        """Their measurements."""
        return self.path / "reference.parquet"

    @property
    def card_file(self) -> Path:
        """The report card of all families."""
        return self.path / "card.json"

    @property
    def report_folder(self) -> Path:
        """The page with its figures and tables."""
        return self.path / "report"

    @property
    def table_file(self) -> Path:
        """The race's table; ``.md`` stands beside it."""
        return self.path / "table.ecsv"

    def family(self, name: str) -> "FamilyFolder":
        """Where one family's files lie."""
        return FamilyFolder(self.path / "families" / name)


@dataclass(frozen=True)
class FamilyFolder:
    """Names of one family's files."""

    path: Path

    @property
    def run(self) -> Path:
        """The run of `galsmith train`."""
        return self.path / "run"

    @property
    def output_file(self) -> Path:
        """What the training printed."""
        return self.path / "training.txt"

    @property
    def cpu_file(self) -> Path:
        """Processor seconds on the way, one JSON object a line."""
        return self.path / "cpu.jsonl"

    @property
    def training_file(self) -> Path:
        """What came out of training; there only when it ended."""
        return self.path / "training.json"

    @property
    def drawn_store(self) -> Path:
        """Drawn galaxies."""
        return self.path / "drawn"

    @property
    def speed_file(self) -> Path:
        """Galaxies drawn a second."""
        return self.path / "drawing.json"

    @property
    def table(self) -> Path:
        """Measurements of drawn galaxies."""
        return self.path / "drawn.parquet"


def chosen_recipes(names: list[str] | None, data: str, replaced: Mapping[str, str]) -> dict[str, str]:
    """Give the recipe of every family that races; families without a shipped recipe are left out unless asked for.

    Raises
    ------
    SettingsError
        If a family is unknown, or was asked for and its recipe is not there.
    """
    shipped = recipe_names()
    unknown = [name for name in [*(names or ()), *replaced] if name not in CONTESTANTS]
    if unknown:
        raise SettingsError(
            f"--families {unknown[0]}{near_miss(unknown[0], list(CONTESTANTS))}: wanted some of {', '.join(CONTESTANTS)}"
        )
    wanted = {name: replaced.get(name, CONTESTANTS[name][data]) for name in names or CONTESTANTS}
    missing = {
        name for name, recipe in wanted.items() if not recipe.endswith(".toml") and recipe not in shipped
    }
    if missing and names:
        name = sorted(missing)[0]
        raise SettingsError(
            f"--families {name}: there is no recipe {wanted[name]!r}; name one with --recipe {name}=FILE"
        )
    return {name: recipe for name, recipe in wanted.items() if name not in missing}


def claim_folder(folder: RaceFolder, plan: Plan) -> None:
    """Write the plan down, or refuse to go on with a race of another plan.

    Raises
    ------
    SettingsError
        If the folder holds another race; the message names what differs.
    """
    now = asdict(plan)
    if folder.plan_file.exists():
        before = json.loads(folder.plan_file.read_text(encoding="utf-8"))
        changed = [
            f"{key} was {before.get(key)}, now {value}"
            for key, value in now.items()
            if before.get(key) != value
        ]
        if changed:
            raise SettingsError(f"{folder.path}: holds another race: {'; '.join(changed)}; choose another -o")
        return
    folder.path.mkdir(parents=True, exist_ok=True)
    write_json(folder.plan_file, now)


def estimated_minutes(plan: Plan, families: list[str], *, side_by_side: int, cores: int) -> dict[str, float]:
    """Say about how long the race takes if nothing is done yet, in minutes by step."""
    drawing = sum(DRAWING_S_PER_GALAXY.get(name, DRAWING_S_OTHERWISE) for name in families)
    measured = plan.n_measured * (len(families) + 1) * MEASURING_S_PER_GALAXY[plan.data] / cores
    seen = plan.n_features * (len(families) + 1) if plan.features else 0
    judged = JUDGING_S_PER_SET[plan.data] * len(families) + FEATURES_S_PER_IMAGE * seen
    return {
        "training": math.ceil(len(families) / side_by_side) * (plan.minutes + 0.3),
        "drawing": plan.n_drawn * drawing / 60,
        "measuring": measured / 60,
        "judging": judged / 60,
    }
