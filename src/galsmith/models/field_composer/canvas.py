"""Fields composed of a sky and of sources, in whole gray levels; compiled.

Light of a source is a Moffat profile in elliptical radii, u^2 = x^2 / a^2 + y^2 / b^2, times a correction that is linear
between nodes of u and has five angular terms: what the sources of the training fields have in common that the profile has
not, and in what they differ. Light and the noise of the sky are added before both are cut to whole levels, so that faint
sources are dithered as they are in the training fields, and bright ones are saturated at 255.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
NODES: Values = np.array([0.0, 0.6, 1.2, 1.8, 2.4, 3.2, 4.2, 5.5, 7.5])
N_ANGULAR = 5  # 1, cos, sin, cos 2, sin 2 of the angle from the long side
N_STAMP_TERMS = len(NODES) * N_ANGULAR
SKY_TABLE = 4096
FAINTEST_LIGHT = 0.05
LARGEST_HALF_PIX = 40
_BRIGHTEST = 255.0
_STEP, _MIX_1, _MIX_2 = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_SHIFTS = tuple(np.uint64(number) for number in (30, 27, 31))
_ONE, _TWELVE, _LOW_BITS = np.uint64(1), np.uint64(12), np.uint64(SKY_TABLE - 1)


@numba.njit(cache=True, nogil=True, inline="always")
def _mixed(state: Any) -> Any:
    """Output of SplitMix64 (Steele, Lea & Flood 2014)."""
    # variant 13 of Stafford's mixers
    state = (state ^ (state >> _SHIFTS[0])) * _MIX_1
    state = (state ^ (state >> _SHIFTS[1])) * _MIX_2
    return state ^ (state >> _SHIFTS[2])


@numba.njit(cache=True, nogil=True)
def fill_from_table(canvas: Any, table: Any, seed: Any) -> None:
    """Fill a canvas [y, x] float32 with independent draws from a table [4096] of equally likely values.

    Four draws are 12 bits each of one number of SplitMix64.
    """
    flat = canvas.reshape(-1)
    state, number = np.uint64(seed), len(flat) // 4
    for place in range(number):
        state += _STEP
        bits = _mixed(state)
        # 48 of the 64 bits are used
        for part in range(4):
            flat[4 * place + part] = table[bits & _LOW_BITS]
            bits >>= _TWELVE
    state += _STEP
    bits = _mixed(state)
    for place in range(4 * number, len(flat)):
        flat[place] = table[bits & _LOW_BITS]
        bits >>= _TWELVE


@numba.njit(cache=True, nogil=True)
def fill_correlated(canvas: Any, white: Any, kernel: Any, table: Any) -> None:
    """Fill a canvas [y, x] float32 with values of a table at correlated normal numbers.

    `white` [y + 4, x + 4] holds independent normal numbers, and `kernel` [5, 5] has squares that sum to 1, so that what it
    makes of them is normal too; `table` [4096] goes from -4 to 4 in the normal number.
    """
    height, width = canvas.shape
    scale, top = len(table) / 8.0, len(table) - 1
    # a row at a time stays in the cache
    line = np.empty(width, np.float32)
    for y in range(height):
        line[:] = 0
        for v in range(5):
            for u in range(5):
                weight = np.float32(kernel[v, u])
                for x in range(width):
                    line[x] += weight * white[y + v, x + u]
        for x in range(width):
            place = int((line[x] + 4.0) * scale)
            canvas[y, x] = table[min(max(place, 0), top)]


@numba.njit(cache=True, nogil=True)
def stamp_terms(u: float, cos: float, sin: float, terms: Any) -> int:
    """Write the five angular terms of a place; gives the node below it (the last but one, at least)."""
    node = 0
    while node < len(NODES) - 2 and u >= NODES[node + 1]:
        node += 1
    terms[0], terms[1], terms[2] = 1.0, cos, sin
    terms[3], terms[4] = cos * cos - sin * sin, 2 * cos * sin
    return node


@numba.njit(cache=True, nogil=True)
def _correction(u: float, cos: float, sin: float, stamp: Any, terms: Any) -> float:
    """Interpolate the correction of a profile; beyond the last node it stays."""
    node = stamp_terms(u, cos, sin, terms)
    share = min(max((u - NODES[node]) / (NODES[node + 1] - NODES[node]), 0.0), 1.0)
    low, high = 0.0, 0.0
    for k in range(N_ANGULAR):
        low += stamp[node * N_ANGULAR + k] * terms[k]
        high += stamp[(node + 1) * N_ANGULAR + k] * terms[k]
    # at the center no angle is defined
    if node == 0:
        low = stamp[0]
    return max(low + share * (high - low), 0.0)


@numba.njit(cache=True, nogil=True)
def add_sources(canvas: Any, sources: Any, stamps: Any, exponent: float) -> None:
    """Add the light of sources to a canvas [y, x] float32.

    `sources` is [source, (x, y, flux, size, axis ratio, angle)], `stamps` [source, term] the corrections of each.
    """
    height, width = canvas.shape
    terms = np.empty(N_ANGULAR)
    for number in range(len(sources)):
        x0, y0, flux, size, ratio, angle = sources[number]
        # a Moffat profile of total flux 1 has this in its middle
        top = flux * (exponent - 1) / (2 * math.pi * exponent * size * size)
        if top <= FAINTEST_LIGHT:
            continue
        # where the profile has become too faint to matter
        reach = math.sqrt(2 * exponent * ((top / FAINTEST_LIGHT) ** (1 / exponent) - 1))
        long_side, short_side = size / math.sqrt(ratio), size * math.sqrt(ratio)
        half = min(reach * long_side, LARGEST_HALF_PIX)
        cos, sin = math.cos(angle), math.sin(angle)
        for y in range(max(int(y0 - half), 0), min(int(y0 + half) + 2, height)):
            for x in range(max(int(x0 - half), 0), min(int(x0 + half) + 2, width)):
                dx, dy = x - x0, y - y0
                along, across = (dx * cos + dy * sin) / long_side, (dy * cos - dx * sin) / short_side
                # squared elliptical radius, in widths of the core
                u2 = along * along + across * across
                if u2 > reach * reach:
                    continue
                u = math.sqrt(u2)
                light = top * math.exp(-exponent * math.log1p(u2 / (2 * exponent)))
                if u > 0:
                    light *= _correction(u, along / u, across / u, stamps[number], terms)
                else:
                    light *= max(stamps[number, 0], 0.0)
                canvas[y, x] += light


@numba.njit(cache=True, nogil=True)
def cut_to_levels(canvas: Any) -> None:
    """Cut a canvas to whole levels from 0 to 255, in place."""
    flat, brightest = canvas.reshape(-1), np.float32(_BRIGHTEST)
    for place in range(len(flat)):
        level = np.floor(flat[place])
        # no zero is negative, so that a store may keep bytes
        flat[place] = min(level, brightest) if level > 0 else np.float32(0)
