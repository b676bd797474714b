"""Whether the Gini map and the MID map show the same galaxy."""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import MAPS_DIFFER, MAPS_EMPTY

LEAST_OVERLAP = 0.25


@compiled
def note_overlap(gini_map: NDArray[np.bool_], region: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> None:
    """Compare the Gini map with the MID map: MAPS_EMPTY, or MAPS_DIFFER where under a quarter of the larger is shared.

    Parameters
    ----------
    gini_map, region : ndarray [y, x], bool
        The two maps.
    noticed : ndarray [flag], uint8
        Set.
    """
    n_gini = n_mid = n_both = 0
    for y in range(region.shape[0]):
        for x in range(region.shape[1]):
            n_gini += gini_map[y, x]
            n_mid += region[y, x]
            n_both += gini_map[y, x] and region[y, x]
    larger = max(n_gini, n_mid)
    if larger == 0:
        noticed[MAPS_EMPTY] = 1
    elif n_both / larger < LEAST_OVERLAP:
        noticed[MAPS_DIFFER] = 1
