"""Numbers of an instrument: one for all bands, or one a band by its name."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from galsmith.errors import SettingsError
from galsmith.settings import near_miss

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
ByBand = Positive | dict[str, Positive]
LevelByBand = NonNegative | dict[str, NonNegative]
MagnitudeByBand = float | dict[str, float]


def in_bands(
    value: float | Mapping[str, float], bands: Sequence[str], *, argument: str
) -> NDArray[np.float64]:
    """Give a number for each band, in the order of the images.

    Parameters
    ----------
    value : float or mapping of band to float
        One for all, or one a band.
    bands : sequence of str
        Bands of the images.
    argument : str
        The setting, for the message.

    Returns
    -------
    ndarray [band], float64

    Raises
    ------
    SettingsError
        If a band has none.
    """
    if not isinstance(value, Mapping):
        return np.full(len(bands), float(value))
    missing = [band for band in bands if band not in value]
    if missing:
        raise SettingsError(
            f"there is none for the band {missing[0]!r}{near_miss(missing[0], list(value))}",
            argument=argument,
            came=", ".join(value),
            wanted=f"one for each of {', '.join(bands)}, or a single number for all",
        )
    return np.array([value[band] for band in bands], dtype=np.float64)
