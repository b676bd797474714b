"""Telling pieces that deblending broke off a large galaxy from galaxies of their own."""

import numpy as np

from galsmith.data.readers.field.detection import Detections

SHRED = "a piece of a brighter galaxy"
LARGEST_SHARE_OF_FLUX = 0.25
LARGEST_SHARE_OF_BRIGHTNESS = 0.3


def find_shreds(sources: Detections) -> dict[int, str]:
    """Tell which sources are pieces of others.

    A piece is a source that touches a brighter one, has at most a fourth of its flux, and inside its half-light
    radius less than 0.3 times the mean surface brightness that the brighter one has inside its own: an arm, or the
    outskirts. A small companion of its own is brighter there.

    Returns
    -------
    dict of int to str
        The reason, by source.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        brightness = sources.flux / 2 / (np.pi * sources.r_half_pix**2)
    shreds: dict[int, str] = {}
    parents, members = np.unique(sources.parent, return_inverse=True)
    for parent in np.flatnonzero(np.bincount(members, minlength=len(parents)) > 1):
        rows = np.flatnonzero(members == parent)
        brightest = rows[np.argmax(sources.flux[rows])]
        is_piece = sources.flux[rows] <= LARGEST_SHARE_OF_FLUX * sources.flux[brightest]
        is_piece &= brightness[rows] < LARGEST_SHARE_OF_BRIGHTNESS * brightness[brightest]
        shreds.update({int(row): SHRED for row in rows[is_piece]})
    return shreds
