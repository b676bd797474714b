"""Streams of random numbers as a function of (seed, purpose, position), never of a global state.

The same three values give the same stream in every process, on every machine and in any order, so
image k of a set depends on (seed, k) alone and a resumed run draws what an undisturbed one would.
"""

import hashlib

import numpy as np

MAXIMUM_SEED = 2**63 - 1


def derive_seed(seed: int, purpose: str, *position: int) -> int:
    """Integer seed for one purpose at one position.

    Parameters
    ----------
    seed : int
        The user's seed, any integer.
    purpose : str
        What the numbers are for, such as ``"train.noise"``; other purposes give independent streams.
    *position : int
        Where in the run: images seen, an image's index, an epoch.

    Returns
    -------
    int
        Uniform in [0, 2**63 - 1]; the first 63 bits of the SHA-256 of the arguments.
    """
    text = ":".join([str(int(seed)), purpose, *(str(int(value)) for value in position)])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "little") & MAXIMUM_SEED


def random_stream(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """NumPy generator for one purpose at one position; see `derive_seed` for the arguments."""
    return np.random.Generator(np.random.Philox(derive_seed(seed, purpose, *position)))
