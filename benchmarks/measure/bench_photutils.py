"""CPU seconds a galaxy of what both photutils 3.1 and galsmith measure, on the same images, each in its own environment.

    python benchmarks/measure/bench_photutils.py --images runs/measure/images.npz --data ../shared/data --photutils PYTHON

PYTHON has photutils 3.1 and scipy (Python 3.12), and not galsmith; this script runs itself there, set by set in turns. In
common are: finding the largest source, its centroid,
ellipticity and orientation, Gini, and radii that hold 20, 50 and 80 % of its light, photutils' within Kron's aperture and
galsmith's within 1.5 Petrosian radii, which it has to find first. photutils measures stamp by stamp, and all stamps of a
set as one mosaic, which is what its batch kernels are made for: its second column is the catalog alone, the sources known.
"""

import argparse
import json
import os
import statistics
import subprocess
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
    parser.add_argument("--photutils", type=Path, help="the other Python; prints ratios too")
    parser.add_argument("--only", help="one set")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.core})
    if not arguments.images.exists():
        write_images(arguments.images, data=arguments.data, n=arguments.galaxies)
    if arguments.photutils:
        print_ratios(arguments)
        return
    measure = by_galsmith if arguments.data else by_photutils
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sets = images_of(arguments.images)
        wanted = [arguments.only] if arguments.only else list(sets)
        found = {name: measure(sets[name]) for name in wanted}
    program = "galsmith" if arguments.data else "photutils"
    print(json.dumps({program: metadata.version(program), "numpy": np.__version__, "ms": found}))


def images_of(file: Path) -> dict[str, list[Any]]:
    """Read the images of every set."""
    sets: dict[str, list[Any]] = {}
    with np.load(file) as stored:
        for key in stored.files:
            sets.setdefault(key.split("/")[0], []).append(stored[key])
    return sets


def print_ratios(arguments: argparse.Namespace) -> None:
    """Measure set by set, there and here, and print CPU milliseconds a galaxy and their ratios."""
    print(f"{'ms':20} {'galsmith':>9} {'stamps':>9} {'mosaic':>9} {'ratio':>7} {'ratio':>7}")
    summary = {}
    for name, images in images_of(arguments.images).items():
        command = [str(arguments.photutils), __file__, "--images", str(arguments.images), "--only", name]
        command += ["--core", str(arguments.core)]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs = json.loads(ended.stdout.splitlines()[-1])["ms"][name]
        ours = by_galsmith(images)["common"]
        alone, mosaic = theirs["stamp by stamp"], theirs["mosaic"]
        print(
            f"{name:20} {ours:9.2f} {alone:9.2f} {mosaic:9.2f} {alone / ours:7.1f} {mosaic / ours:7.1f}",
            flush=True,
        )
        summary[name] = {"galsmith": ours, **theirs}
    print(json.dumps({"ms": summary, "load": os.getloadavg()[0]}))


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
