"""The demo's plan: how many galaxies, how long each step, and where everything lies."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from galsmith.errors import OutputExistsError

if TYPE_CHECKING:
    from galsmith.files import Kind

# Ten minutes on two cores: 4 to train, 4 to measure, the rest for everything else.
N_TRAINING, N_REFERENCE, N_GENERATED = 2000, 2000, 2000
TRAIN_MINUTES = 4.0
MEASURE_SECONDS = 200.0
N_TIMED_PER_WORKER = 256  # two chunks each: the first warms up (and compiles), the second is timed
N_MEASURED_AT_LEAST = 50

# The reference has a seed of its own: the model is judged against galaxies that it has never seen.
TRAINING_SEED, REFERENCE_SEED, MODEL_SEED, SAMPLING_SEED = 1, 2, 3, 4
SIMULATION_RECIPE, TRAINING_RECIPE = "sersic-demo", "demo"
PLAN_FILE, FORMAT_NAME = "plan.json", "galsmith demo"
# What lies in the folder of a demo: stores to learn from, to judge by, and drawn; the run; measurements of the few
# galaxies that tell how long one takes, and of both sets; the card; the page.
TRAINING_SET, REFERENCE_SET, GENERATED_SET, RUN_FOLDER = "galaxies", "reference", "generated", "run"
TIMING, REFERENCE_TABLE, GENERATED_TABLE = "timing.parquet", "reference.parquet", "generated.parquet"
CARD_FILE, EVIDENCE_FILE, REPORT_FOLDER = "comparison.json", "comparison.evidence.csv", "report"


def plan_for(folder: Path, *, minutes: float) -> dict[str, Any]:
    """Write the plan of a demo, or go on with one of the same plan; refuse anything else.

    Returns
    -------
    dict
        The plan as it is written: ``minutes``, and ``n_measured`` once it is known.

    Raises
    ------
    OutputExistsError
        If the folder holds something else, or a demo of another plan.
    """
    from galsmith.files import is_empty_tree, read_json, write_json

    plan = first_plan(minutes)
    file = folder / PLAN_FILE
    if file.exists():
        found = read_json(file)
        if {key: found.get(key) for key in plan} != plan:
            raise OutputExistsError(
                f"holds a demo of another plan ({found.get('minutes')} minutes of training, now {minutes})",
                argument="output",
                came=folder,
                way_out="repeat its own command, choose another `output`, or replace it with `overwrite`",
            )
        return found
    if folder.exists() and not is_empty_tree(folder):
        way_out = "choose another `output`"
        raise OutputExistsError(
            "holds something that is not a demo", argument="output", came=folder, way_out=way_out
        )
    write_json(file, plan)
    return plan


def demo_kind() -> "Kind":
    """Say how a demo is known again: by its plan, and by what each room says of what it made there."""
    from galsmith.compare.evidence.table import EVIDENCE
    from galsmith.compare.files import CARD
    from galsmith.data.store.layout import STORE
    from galsmith.files import Kind, said_in_json
    from galsmith.measure.table import TABLE
    from galsmith.report.write import REPORT
    from galsmith.training.folder import RUN

    stores = dict.fromkeys((TRAINING_SET, REFERENCE_SET, GENERATED_SET), STORE)
    return Kind(
        "demo",
        said_in_json(FORMAT_NAME, lambda page: ""),
        PLAN_FILE,
        (PLAN_FILE, "*.partial/*"),
        {
            **stores,
            RUN_FOLDER: RUN,
            REPORT_FOLDER: REPORT,
            "*.parquet": TABLE,
            CARD_FILE: CARD,
            EVIDENCE_FILE: EVIDENCE,
        },
    )


def first_plan(minutes: float) -> dict[str, Any]:
    """Return what is known before anything is timed."""
    return {
        "format": FORMAT_NAME,
        "minutes": minutes,
        "n_training": N_TRAINING,
        "n_reference": N_REFERENCE,
        "n_generated": N_GENERATED,
    }


def remember(folder: Path, plan: dict[str, Any]) -> None:
    """Write the plan down, so that a repeated demo does the same."""
    from galsmith.files import write_json

    write_json(folder / PLAN_FILE, plan)


def number_to_measure(galaxies_per_second: float) -> int:
    """How many galaxies of each set can be measured within the time set aside for it."""
    fitting = int(galaxies_per_second * MEASURE_SECONDS / 2)
    return min(max(fitting, N_MEASURED_AT_LEAST), N_REFERENCE, N_GENERATED)
