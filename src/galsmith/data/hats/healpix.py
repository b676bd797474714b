"""HEALPix pixels in the nested scheme (Gorski et al. 2005, ApJ 622, 759), as HATS numbers places on the sky."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

INDEX_ORDER = 29  # of `_healpix_29`: the finest whose numbers fit into 63 bits
N_BASE = 12
# sqrt(3 (1 - |z|)) loses digits where |z| is near 1; from here on it is taken from the cosine of the declination
POLAR_Z = 0.99
# masks and shifts that put a 0 between any two bits of a 32-bit number
SPREADING = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def nested_pixels(ra_deg: ArrayLike, dec_deg: ArrayLike, order: int = INDEX_ORDER) -> NDArray[np.int64]:
    """Give the numbers of the pixels that hold places on the sky.

    Parameters
    ----------
    ra_deg, dec_deg : array_like [place], float64
        In degrees; declinations from -90 to 90.
    order : int
        Of the pixels: each base pixel has 4^order of them.

    Returns
    -------
    ndarray [place], int64
        In the nested scheme, so that a number shifted right by two bits is that of one order less.
    """
    turns = np.mod(np.asarray(ra_deg, dtype=np.float64), 360.0) / 90.0
    turns = np.where(turns >= 4.0, 0.0, turns)
    declination = np.radians(np.asarray(dec_deg, dtype=np.float64))
    z, cosine = np.sin(declination), np.cos(declination)
    equatorial = _equatorial(turns, z, order)
    polar = _polar(turns, z, cosine, order)
    face, x, y = (np.where(np.abs(z) <= 2.0 / 3.0, *pair) for pair in zip(equatorial, polar, strict=True))
    return np.asarray((face << (2 * order)) + _spread(x) + (_spread(y) << 1), dtype=np.int64)


def coarser(pixels: NDArray[np.int64], order: int, *, of_order: int = INDEX_ORDER) -> NDArray[np.int64]:
    """Give the pixels of a lower order that pixels of `of_order` lie in."""
    return pixels >> (2 * (of_order - order))


def scattered(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spread places evenly over the sky, on the spiral of the golden angle: right ascensions and declinations in degrees.

    The band of sky between two places that follow one another has the same area everywhere (Gonzalez 2010, Math. Geosci.
    42, 49).
    """
    numbers = np.arange(n, dtype=np.float64)
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    return 360.0 * np.mod(numbers / golden, 1.0), np.degrees(
        np.arcsin(1.0 - (2.0 * numbers + 1.0) / max(n, 1))
    )


def _equatorial(
    turns: NDArray[np.float64], z: NDArray[np.float64], order: int
) -> tuple[NDArray[np.int64], ...]:
    """Face, x and y where |z| <= 2/3 (their eqs. 4, 5 and sec. 5): lines of equal index rise and fall at 45 degrees."""
    side = 1 << order
    along, across = side * (0.5 + turns), side * 0.75 * z
    falling, rising = np.floor(along - across).astype(np.int64), np.floor(along + across).astype(np.int64)
    of_falling, of_rising = falling >> order, rising >> order
    below = np.where(of_falling < of_rising, of_falling, of_rising + 8)
    face = np.where(of_falling == of_rising, of_falling | 4, below)
    return face, rising & (side - 1), side - (falling & (side - 1)) - 1


def _polar(
    turns: NDArray[np.float64], z: NDArray[np.float64], cosine: NDArray[np.float64], order: int
) -> tuple[NDArray[np.int64], ...]:
    """Face, x and y where |z| > 2/3: rings shrink toward the pole."""
    side = 1 << order
    quarter = np.minimum(turns.astype(np.int64), 3)
    part, height = turns - quarter, np.abs(z)
    near = cosine / np.sqrt((1.0 + height) / 3.0)
    radius = side * np.where(height < POLAR_Z, np.sqrt(3.0 * (1.0 - height)), near)
    rising = np.minimum((part * radius).astype(np.int64), side - 1)
    falling = np.minimum(((1.0 - part) * radius).astype(np.int64), side - 1)
    is_north = z >= 0
    face = np.where(is_north, quarter, quarter + 8)
    return (
        face,
        np.where(is_north, side - falling - 1, rising),
        np.where(is_north, side - rising - 1, falling),
    )


def _spread(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Put a 0 before each bit of numbers below 2^32."""
    found = numbers
    for shift, mask in SPREADING:
        found = (found | (found << shift)) & mask
    return found
