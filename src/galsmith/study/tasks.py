"""`TASKS`: the downstream tasks that come with galsmith, and other people's; loaded when used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from galsmith.errors import SettingsError
from galsmith.settings import Settings, apply_overrides, check_name, record_at, typed_settings

if TYPE_CHECKING:
    from galsmith.study.task import Task


@dataclass(frozen=True)
class Listing:
    """What is said of a task before it is loaded.

    Attributes
    ----------
    words : str
        One line for whoever must choose.
    record : type or str
        A settings record that is a `Task`, or where it is: ``"module:NAME"``.
    """

    words: str
    record: type[Settings] | str


TASKS: dict[str, Listing] = {
    "classifier": Listing(
        "early or late type, from a column of types (T of EFIGI)", "galsmith.study.classifier:Classifier"
    ),
    "denoiser": Listing(
        "the scene before PSF and noise, from images alone", "galsmith.study.denoiser:Denoising"
    ),
    "regressor": Listing("any column of numbers, such as r_half_pix", "galsmith.study.regressor:Regressor"),
}


def register_task(name: str, record: type[Settings], *, words: str) -> None:
    """Add a task of one's own, for this process.

    Parameters
    ----------
    name : str
        Of the task.
    record : type
        A settings record that has all that a `galsmith.study.Task` has.
    words : str
        One line for whoever must choose.

    Raises
    ------
    SettingsError
        If there is a task of that name already.
    """
    if name in TASKS:
        raise SettingsError("TASKS has it already", argument="name", came=name, wanted="a new name")
    TASKS[name] = Listing(words, record)


def check_task(name: str) -> None:
    """Refuse a name that no task has; `SettingsError` names the near miss."""
    check_name(name, TASKS, kind="task", argument="task")


def task_named(name: str, overrides: Sequence[str] = ()) -> "Task":
    """Build a task from its settings.

    Raises
    ------
    SettingsError
        If there is none of that name (the near miss is named), or a setting is wrong.
    """
    check_task(name)
    record = TASKS[name].record
    if isinstance(record, str):
        record = record_at(record)
    task: Task = typed_settings(record, apply_overrides({}, overrides), source=f"task {name}")
    return task
