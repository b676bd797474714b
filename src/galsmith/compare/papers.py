"""How sets are compared: the choices of papers by name, with what they found, and those of one comparison."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from galsmith.compare.card import PublishedColumn
from galsmith.compare.cuts import Cut, Cuts, resolve_cuts
from galsmith.compare.normalization import Normalization, resolve_normalization
from galsmith.compare.resampling import Chance
from galsmith.errors import SettingsError
from galsmith.settings import near_miss


@dataclass(frozen=True)
class Paper:
    """One paper's choices for one data set.

    Attributes
    ----------
    name : str
        Such as ``"holzschuh2022-cosmos"``; empty for this package's own choices.
    description : str
        One sentence with its source.
    measure : mapping
        Settings of `galsmith.measure.MeasureSettings`.
    observe : mapping
        Settings of `galsmith.observe.Observation`: what was done to images before they were measured; empty for nothing.
    cuts : mapping, str or None
        As `judge_tables` takes them.
    normalization : str or mapping of group to str
        As `judge_tables` takes it.
    binning : {"wavelength", "rings"}
        Which power modes enter the means.
    groups : mapping of property to group
        Which properties are counted in another group than they are declared in.
    data : str
        The paper's data set whose numbers stand beside; empty for none.
    """

    name: str
    description: str
    measure: Mapping[str, Any] = field(default_factory=dict)
    observe: Mapping[str, Any] = field(default_factory=dict)
    cuts: Cuts | str | None = None
    normalization: Normalization = "reference-zscore"
    binning: str = "wavelength"
    groups: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    @property
    def published(self) -> tuple[PublishedColumn, ...]:
        """What the paper found for this data set."""
        return tuple(column for column in _holzschuh2022() if column.data == self.data)


NOTHING: Mapping[str, Any] = MappingProxyType({})
# The rows of Table 2 are z-scores of the reference for morphology, raw dex for power and raw magnitudes for colors.
_HOLZSCHUH2022_NORMALIZATION = {
    "morphology": "reference-zscore",
    "color": "none",
    "power_rings": "none",
    "power_wavelength": "none",
}
# Table 2 counts the bulge statistic among the colors; sets of one band have no such rows, and no mean of them.
_HOLZSCHUH2022_GROUPS = {"bulge_statistic": "color"}
_HOLZSCHUH2022 = "Holzschuh et al. (2022), sections 4.1 to 4.3, as their published evaluation code has it"


# Their evaluation code convolves images of SKIRT with a Gaussian of FWHM 3 px that it cuts to 3 x 3 pixels, and adds noise
# of sigma 1/15 electrons per second, before it measures them.
_SKIRT_OBSERVED: Mapping[str, Any] = {
    "psf": {"kind": "gaussian", "fwhm_pix": 3.0, "values": "points", "radius_pix": 1},
    "noise": {"kind": "gaussian", "sigma": 1 / 15},
}


def _holzschuh2022_paper(data: str, *, observe: Mapping[str, Any] = NOTHING, **measure: Any) -> Paper:
    """Make the paper's choices for one of its data sets."""
    name = f"holzschuh2022-{data.lower().replace('é', 'e')}"
    return Paper(
        name,
        f"{_HOLZSCHUH2022}: the {data} set.",
        # the paper's statmorph takes the law at pixel centers
        measure={"segmentation": "paper", "sersic": "parity", **measure},
        observe=observe,
        normalization=_HOLZSCHUH2022_NORMALIZATION,
        binning="rings",
        groups=_HOLZSCHUH2022_GROUPS,
        data=data,
    )


BINNINGS = ("wavelength", "rings")
OWN = Paper("", "This package's own choices.")
PAPERS: dict[str, Paper] = {
    paper.name: paper
    for paper in (
        _holzschuh2022_paper("Sérsic", gain=1.0),
        _holzschuh2022_paper("COSMOS", gain=1.0),
        # The text's gain; the authors' code has 750. Fits take the kernel that the images were convolved with.
        _holzschuh2022_paper(
            "SKIRT",
            observe=_SKIRT_OBSERVED,
            gain=1200.0,
            ignore=("noise",),
            colors=("g-i",),
            color_apertures="each",
        ),
    )
}


def paper_named(name: str | None) -> Paper:
    """Find a paper's choices.

    Raises
    ------
    SettingsError
        If there is none of that name; the near miss is named.
    """
    if name is None or not name:
        return OWN
    if name not in PAPERS:
        raise SettingsError(
            f"its choices are not known{near_miss(name, list(PAPERS))}",
            argument="paper",
            came=name,
            wanted=f"one of {', '.join(PAPERS)}",
        )
    return PAPERS[name]


@dataclass(frozen=True)
class Choices:
    """How sets are compared, checked as far as it can be before one is read; `choices_of` makes it.

    Attributes
    ----------
    paper : Paper
        Whose choices are followed where nothing else was chosen.
    chance : Chance
        Seed, draws, confidence.
    normalization : str or mapping of group to str
        What differences are divided by.
    cuts : tuple of Cut
        Which galaxies are left out.
    binning : str
        Which power modes enter the means.
    beyond : bool
        Whether all properties together are judged.
    power : bool
        Whether known faults are put into the reference, to measure what would have been seen.
    reference_part : str
        Which part of the reference is compared with, in words; empty where there was nothing to choose.
    observed : mapping of name to list of str
        What was done to each set to bring it under one observation, in words; empty where nothing was.
    """

    paper: Paper
    chance: Chance
    normalization: Normalization
    cuts: tuple[Cut, ...]
    binning: str
    beyond: bool
    power: bool = False
    reference_part: str = ""
    observed: Mapping[str, Sequence[str]] = field(default_factory=dict)


def choices_of(
    paper: str | None,
    chance: Chance,
    *,
    binning: str | None = None,
    beyond: bool = True,
    power: bool = False,
    normalization: Normalization | None = None,
    cuts: Cuts | str | None = None,
) -> Choices:
    """Check how sets shall be compared; arguments and errors as `judge_tables` has them."""
    followed = paper_named(paper)
    chosen = followed.normalization if normalization is None else normalization
    # Which groups there are is known once tables are read; what a group may be told is known now.
    resolve_normalization(chosen, [])
    if binning not in (None, *BINNINGS):
        raise SettingsError(
            "there is no such binning of power",
            argument="binning",
            came=binning,
            wanted=f"one of {', '.join(BINNINGS)}",
        )
    return Choices(
        followed,
        chance,
        chosen,
        resolve_cuts(followed.cuts if cuts is None else cuts),
        followed.binning if binning is None else binning,
        beyond,
        power,
    )


@lru_cache(maxsize=1)
def _holzschuh2022() -> tuple[PublishedColumn, ...]:
    """Read Tables 2 and C1 of the paper."""
    text = (resources.files("galsmith.compare") / "published" / "holzschuh2022.toml").read_text("utf-8")
    return tuple(PublishedColumn(**column) for column in tomllib.loads(text)["column"])
