"""Which image sides the families that halve and double them can take."""

import math

from galsmith.errors import SettingsError

SMALLEST_SIDE_PIX, LARGEST_SIDE_PIX = 16, 256


def refuse_other_sides(size_pix: int, *, family: str) -> None:
    """Refuse sides that are not a power of two from 16 to 256 px.

    Raises
    ------
    SettingsError
        With the nearest side to resize to.
    """
    wanted = [2**power for power in range(4, 9)]
    if size_pix in wanted:
        return
    nearest = min(max(2 ** round(math.log2(size_pix)), SMALLEST_SIDE_PIX), LARGEST_SIDE_PIX)
    raise SettingsError(
        f"images of {size_pix} px: {family} needs 16, 32, 64, 128 or 256 px; set transform.size_pix={nearest}, "
        f"or ingest with --resize {nearest}"
    )
