"""Zero points as a user gives them: one for all bands, one for each in their order, or by name."""

from collections.abc import Mapping, Sequence

import numpy as np

from galsmith.errors import SettingsError

GivenZeroPoints = Mapping[str, float] | Sequence[float]


def zero_points_by_band(given: GivenZeroPoints, bands: Sequence[str]) -> dict[str, float]:
    """Give every band its zero point.

    Parameters
    ----------
    given : mapping of band to float, or sequence of float
        AB magnitudes of one flux unit; a sequence of one is of all bands. A mapping may leave bands out.
    bands : sequence of str
        Filter names.

    Raises
    ------
    SettingsError
        If there are more or fewer than bands, one is of no band, or one is not finite.
    """
    if isinstance(given, Mapping):
        unknown = [band for band in given if band not in bands]
        if unknown:
            raise SettingsError(
                f"--zero-points {unknown[0]}=...: no such band; the bands are {','.join(bands)}"
            )
        values = {band: float(given[band]) for band in bands if band in given}
    elif len(given) in (1, len(bands)):
        values = dict(zip(bands, [*given] * (len(bands) if len(given) == 1 else 1), strict=True))
    else:
        raise SettingsError(
            f"--zero-points: names {len(given)} values for the {len(bands)} bands {','.join(bands)}; give one, one a band, "
            f"or write {bands[0]}=25.0"
        )
    for band, value in values.items():
        if not np.isfinite(value):
            raise SettingsError(f"--zero-points {band}={value}: wanted a magnitude")
    return values
