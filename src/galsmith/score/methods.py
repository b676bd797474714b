"""The methods that predict galaxyness, `METHODS`: the paper's five, ours, and other people's; loaded when used."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from galsmith.errors import SettingsError
from galsmith.settings import check_name, record_at

if TYPE_CHECKING:
    from galsmith.score.method import Method


@dataclass(frozen=True)
class Listing:
    """What is said of a method before it is loaded.

    Attributes
    ----------
    words : str
        One line for whoever must choose.
    record : Method or str
        The method, or where it is: ``"module:NAME"``.
    paper_mae : float or None
        Mean absolute error on the real fields, as the paper's Table 1 has it.
    """

    words: str
    record: "Method | str"
    paper_mae: float | None = None


METHODS: dict[str, Listing] = {
    "average": Listing("the mean of the training scores", "galsmith.score.average:METHOD", 0.885),
    "cnn": Listing("the paper's plain convolutional network", "galsmith.score.cnn:METHOD", 0.772),
    "wavelets": Listing(
        "boosted trees on Coiflet energies, the paper's features", "galsmith.score.wavelets:METHOD", 0.289
    ),
    "critic": Listing(
        "a Wasserstein GAN's critic, fine-tuned in two stages; hours, or a GPU",
        "galsmith.score.critic:METHOD",
        0.126,
    ),
    "ensemble": Listing("the mean of five such critics", "galsmith.score.ensemble:METHOD", 0.104),
    "spectrum": Listing(
        "power in rings of frequency and the histogram, by kernel ridge and boosted trees: ours, in seconds",
        "galsmith.score.spectrum:METHOD",
    ),
}


def register_scorer(method: "Method", *, words: str) -> None:
    """Add a method of one's own, for this process.

    Parameters
    ----------
    method : Method
        The record.
    words : str
        One line for whoever must choose.

    Raises
    ------
    SettingsError
        If there is a method of that name already.
    """
    if method.name in METHODS:
        raise SettingsError(
            "METHODS has it already", argument="method.name", came=method.name, wanted="a new name"
        )
    METHODS[method.name] = Listing(words, method)


def check_method(name: str) -> None:
    """Refuse a name that no method has; `SettingsError` names the near miss."""
    check_name(name, METHODS, kind="method", argument="method")


def method_named(name: str) -> "Method":
    """Load a method.

    Raises
    ------
    SettingsError
        If there is none of that name (the near miss is named).
    """
    check_method(name)
    record = METHODS[name].record
    found: Method = record_at(record) if isinstance(record, str) else record
    return found
