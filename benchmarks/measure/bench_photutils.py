"""CPU seconds a galaxy of what both photutils 3.1 and galsmith measure, on the same images, each in its own environment.

    python benchmarks/measure/bench_photutils.py --images runs/measure/images.npz --data ../shared/data   # writes, measures
    PYTHON benchmarks/measure/bench_photutils.py --images runs/measure/images.npz

PYTHON has photutils 3.1 and scipy (Python 3.12), and not galsmith. In common are: finding the largest source, its centroid,
ellipticity and orientation, Gini, and radii that hold 20, 50 and 80 % of its light, photutils' within Kron's aperture and
galsmith's within 1.5 Petrosian radii, which it has to find first. photutils measures stamp by stamp, and all stamps of a
set as one mosaic, which is what its batch kernels are made for: its second column is the catalog alone, the sources known.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5
THRESHOLD_SIGMA, MINIMUM_PIXELS = 1.5, 5
FRACTIONS = (0.2, 0.5, 0.8)
COMMON_STAGES = (
    "segmentation",
    "cutting the stamp",
    "moments",
    "circular Petrosian",
    "light radii",
    "Gini map",
    "Gini and M20",
)


def main() -> None:
    """Write the images where they are not there, and measure them with what this environment has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of real galaxies, to write the images")
    parser.add_argument("--galaxies", type=int, default=12, help="images of each set")
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.core})
    if not arguments.images.exists():
        write_images(arguments.images, data=arguments.data, n=arguments.galaxies)
    measure = by_galsmith if arguments.data else by_photutils
    with np.load(arguments.images) as stored, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sets: dict[str, list[Any]] = {}
        for key in stored.files:
            sets.setdefault(key.split("/")[0], []).append(stored[key])
        found = {name: measure(images) for name, images in sets.items()}
    program = "galsmith" if arguments.data else "photutils"
    print(json.dumps({program: metadata.version(program), "numpy": np.__version__, "ms": found}))


def write_images(file: Path, *, data: Path, n: int) -> None:
    """Write the first images of every set of the benchmark."""
    from bench_images import BENCH_SETS, first_images

    images = {
        f"{name}/{k:03d}": image.pixels
        for name in BENCH_SETS
        for k, image in enumerate(first_images(name, data=data, n=n))
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, **images)


def best_ms(work: Callable[[], Any]) -> float:
    """CPU milliseconds of a piece of work, the best of a few."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return 1e3 * best


def by_galsmith(images: list[Any]) -> dict[str, float]:
    """Medians of the common steps, and of everything but the Sérsic fit."""
    from bench_images import BenchImage
    from bench_stages import stage_seconds

    from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input

    options = Options(Segmenting("paper"), gain=1.0, sersic="none")
    stages = [row for row in (stage_seconds(BenchImage(image, gain=1.0)) for image in images) if row]
    common = [1e3 * sum(row[name] for name in COMMON_STAGES) for row in stages]
    whole = [
        best_ms(lambda image=image: measure_galaxy_input(GalaxyInput(image), options)) for image in images
    ]
    return {"common": statistics.median(common), "all but the fit": statistics.median(whole)}


def by_photutils(images: list[Any]) -> dict[str, float]:
    """Median of stamps measured one by one, and the time a galaxy of a mosaic of all of them."""
    labels = [segmented(image) for image in images]
    shown = [(image, found) for image, found in zip(images, labels, strict=True) if found is not None]
    alone = [best_ms(lambda image=image: catalog(image, segmented(image))) for image, _ in shown]
    mosaic, sources = joined(shown)
    return {
        "stamp by stamp": statistics.median(alone),
        "mosaic": best_ms(lambda: catalog(mosaic, sources)) / len(shown),
    }


def segmented(image: Any) -> Any:
    """Find the largest source."""
    from photutils.segmentation import SegmentationImage, detect_sources, detect_threshold

    sources = detect_sources(image, detect_threshold(image, n_sigma=THRESHOLD_SIGMA), MINIMUM_PIXELS)
    if sources is None:
        return None
    largest = sources.labels[np.argmax(sources.areas)]
    return SegmentationImage((sources.data == largest).astype(np.int32))


def catalog(image: Any, sources: Any) -> list[Any]:
    """Measure what both have."""
    from photutils.segmentation import SourceCatalog

    found = SourceCatalog(image, sources)
    names = ("x_centroid", "y_centroid", "ellipticity", "elongation", "orientation", "gini", "kron_flux")
    return [*(getattr(found, name) for name in names), *(found.flux_radius(part) for part in FRACTIONS)]


def joined(shown: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Put stamps beside each other, each source with a label of its own."""
    from photutils.segmentation import SegmentationImage

    side = max(max(image.shape) for image, _ in shown)
    columns = int(np.ceil(np.sqrt(len(shown))))
    mosaic = np.zeros((side * columns, side * columns))
    labels = np.zeros(mosaic.shape, dtype=np.int32)
    for k, (image, sources) in enumerate(shown):
        there = tuple(
            slice(side * at, side * at + n) for at, n in zip(divmod(k, columns), image.shape, strict=True)
        )
        mosaic[there], labels[there] = image, (k + 1) * (sources.data > 0)
    return mosaic, SegmentationImage(labels)


if __name__ == "__main__":
    main()
