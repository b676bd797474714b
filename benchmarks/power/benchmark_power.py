"""Power spectra a CPU second: this package beside the authors' per-image way and beside powerbox, in one run.

    OMP_NUM_THREADS=1 python benchmarks/power/benchmark_power.py

The authors' way (Holzschuh et al. 2022) is scipy.fftpack.fft2 and a radial profile by np.bincount, written here from
its description. powerbox is left out where it is not installed.
"""

import time
from collections.abc import Callable

import numpy as np
from scipy import fftpack

from galsmith.measure import log_power

N_IMAGES, SIDE_PIX, TURNS = 64, 256, 5


def radial_profile(image: np.ndarray) -> np.ndarray:
    """Mean amplitude over rings of integer radius, image by image."""
    side = image.shape[0]
    amplitudes = np.abs(fftpack.fftshift(fftpack.fft2(image))) / side**2
    y, x = np.indices(amplitudes.shape)
    radius = np.sqrt((x - side // 2) ** 2 + (y - side // 2) ** 2).astype(int)
    return np.bincount(radius.ravel(), amplitudes.ravel()) / np.bincount(radius.ravel())


def cpu_ms(work: Callable[[], object], n_images: int) -> float:
    """Median CPU milliseconds an image."""
    work()
    times = []
    for _ in range(TURNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * float(np.median(times)) / n_images


def main() -> None:
    images = np.random.default_rng(0).normal(1.0, 1.0, (N_IMAGES, SIDE_PIX, SIDE_PIX))
    single = images.astype(np.float32)
    rings = np.array([np.log10(radial_profile(image)[:15]) for image in images])
    print(
        f"largest difference from the authors' rings: {np.abs(log_power(single, binning='rings') - rings).max():.1e} dex"
    )
    base = cpu_ms(lambda: [radial_profile(image) for image in images], N_IMAGES)
    rows = [("authors' way, image by image", base)]
    rows += [
        (
            f"galsmith, {binning}, {precision}",
            cpu_ms(lambda b=binning, p=precision: log_power(single, binning=b, precision=p), N_IMAGES),
        )
        for binning in ("wavelength", "rings")
        for precision in ("float32", "float64")
    ]
    try:
        from powerbox import get_power
    except ImportError:
        print("powerbox is not installed: pip install powerbox")
    else:
        few = images[:8]
        rows.append(
            (
                "powerbox.get_power",
                cpu_ms(lambda: [get_power(image, boxlength=1.0, bins=15) for image in few], len(few)),
            )
        )
    print(
        f"| {N_IMAGES} images of {SIDE_PIX} px, one thread | CPU ms an image | times the authors' way |\n|---|---|---|"
    )
    for name, milliseconds in rows:
        print(f"| {name} | {milliseconds:.3f} | {base / milliseconds:.1f} |")


if __name__ == "__main__":
    main()
