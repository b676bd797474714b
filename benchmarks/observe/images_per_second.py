"""How many images a second of processor time are observed, by preset and law; four bands of 64 px.

python benchmarks/observe/images_per_second.py
"""

import time

import numpy as np

from galsmith.images import ImageHeader
from galsmith.observe import PRESETS, stated_observation
from galsmith.seeds import random_stream

BANDS = ("g", "r", "i", "z")
HEADER = ImageHeader(BANDS, "nJy", 0.1, zero_points_mag=dict.fromkeys(BANDS, 31.4))
IMAGES = 300


def rate(observation) -> float:
    """Images a second of processor time, the first left out: it draws the kernels."""
    clean = np.abs(random_stream(0, "clean").normal(size=(4, 64, 64))).astype(np.float32)
    observation.observe(clean, random_stream(0, "observe", 0), HEADER)
    start = time.process_time()
    for position in range(1, IMAGES + 1):
        observation.observe(clean, random_stream(0, "observe", position), HEADER)
    return IMAGES / (time.process_time() - start)


def main() -> None:
    """Print a line an observation."""
    stamp = np.exp(-(np.hypot(*np.mgrid[-4:5, -4:5]) ** 2) / 4)
    observations = {
        "holzschuh2022-none": PRESETS["holzschuh2022-none"],
        "holzschuh2022-both": PRESETS["holzschuh2022-both"],
        "lsst": PRESETS["lsst"],
        "Moffat, counted": stated_observation(
            recipe={
                "psf": {"kind": "moffat", "fwhm_pix": 4.0},
                "noise": {"kind": "poisson", "gain": 2.0},
                "sky": {"level": 5.0},
            }
        ),
        "correlated": stated_observation(
            recipe={"noise": {"kind": "correlated", "sigma": 1.0, "correlation_image": stamp}}
        ),
    }
    for name, observation in observations.items():
        print(f"{name:22s} {rate(observation):7.0f} images a second")


if __name__ == "__main__":
    main()
