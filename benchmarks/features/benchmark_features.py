"""Features and their distances: images a second, the Fréchet and the kernel distance of two sets, memory.

    python benchmarks/features/benchmark_features.py
    python benchmarks/features/benchmark_features.py --threads 2 --size 64 --count 5000 --whole

The first times both networks on a few hundred images. The second is the whole way: features of two sets of `--count`
images, then everything that `compare_features` finds, beside the time of each part and the largest memory.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from galsmith.compare.features.comparison import compare_features
from galsmith.compare.features.frechet import frechet_distance
from galsmith.compare.features.kernel import kernel_distance
from galsmith.features import extract
from galsmith.features.extractors import inception_extractor
from galsmith.features.inception import Inception
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays

Result = TypeVar("Result")


def timed(name: str, work: Callable[[], Result], images: int | None = None) -> Result:
    """Do it, and say how long it took."""
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    rate = f", {images / wall:.1f} images/s" if images else ""
    print(f"{name}: {wall:.1f} s ({cpu:.1f} s of CPU){rate}")
    return result


def blobs(count: int, size: int, seed: int) -> ImageSet:
    """Round galaxies with noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    widths = rng.uniform(2, size / 8, count)
    images = [
        (50 * np.exp(-0.5 * (x**2 + y**2) / width**2) + rng.normal(size=x.shape)).astype(np.float32)
        for width in widths
    ]
    return image_set_from_arrays(images, ImageHeader(("r",), "nJy"))


def networks(size: int, threads: int) -> None:
    """Time both networks; the weights do not matter for that."""
    images = blobs(512, size, 0)
    standard = inception_extractor(Inception(), weights_sha256="0" * 64, device="cpu")
    extract(images.select(np.arange(64)), workers=threads)
    for batch_size in (1, 4, 16, 64):
        timed(
            f"efficientnet-lite0, {batch_size} at a time",
            lambda batch_size=batch_size: extract(images, batch_size=batch_size, workers=threads),
            len(images),
        )
    few = images.select(np.arange(64))
    timed("inception", lambda: extract(few, extractor=standard, workers=threads), len(few))


def whole(count: int, size: int, threads: int) -> None:
    """Time the way from two sets to the comparison."""
    sets = [blobs(count, size, seed) for seed in (1, 2)]
    start = time.perf_counter()
    first, second = (timed("features", lambda s=s: extract(s, workers=threads), count) for s in sets)
    timed("Fréchet distance alone", lambda: frechet_distance(first.values, second.values))
    print(f"two sets to their Fréchet distance: {time.perf_counter() - start:.0f} s")
    timed("kernel distance alone", lambda: kernel_distance(first.values, second.values))
    found = timed(
        "comparison without classifiers", lambda: compare_features(first, second, classifiers=False)
    )
    timed("comparison", lambda: compare_features(first, second))
    print(f"{found.label} {found.frechet.value:.4f}, floor {found.frechet.floor:.4f}")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--whole", action="store_true")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    if settings.whole:
        whole(settings.count, settings.size, settings.threads)
    else:
        networks(settings.size, settings.threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"largest memory: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
