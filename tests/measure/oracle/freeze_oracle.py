"""Freeze what statmorph says of the oracle's galaxies, numbers only, one Parquet file a set.

    python tests/measure/oracle/freeze_oracle.py --data ../shared/data --work runs/oracle

asks statmorph 0.7.2 (photutils 3.0.0) about the first 40 galaxies of each set, then about the rest; what
was answered stays in the work folder, so it can be stopped and repeated. The files lie beside this script.
"""

import argparse
import itertools
import json
import math
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import statmorph
from numpy.typing import NDArray
from oracle_sets import HEX_DIGITS, ORACLE_SETS, OracleGalaxy, fingerprint
from photutils.segmentation import detect_sources, detect_threshold
from scipy.ndimage import uniform_filter
from statmorph.statmorph import _doublesersic_quantity_names, _quantity_names

HERE = Path(__file__).parent
FIRST = 40
THRESHOLD_SIGMA, MINIMUM_PIXELS, SMOOTHING_PIX = 1.5, 5, 10
# Double Sérsic fits cost seconds each, and few repeat to the last digits.
DOUBLE_SERSIC = {"noisy_sersic": 2, "cosmos": 2, "hst": 12, "profit": 2, "reference": 1}
TEXTS = ("name", "image_sha256", "segmentation_sha256", "gini_map_sha256", "mid_map_sha256")
TEXTS += ("shape_map_sha256", "mask_sha256", "status")


def paper_segmentation(image: NDArray[np.float64]) -> NDArray[np.int32] | None:
    """Segment as the galaxies paper did, by photutils and SciPy; None where nothing is found."""
    sources = detect_sources(image, detect_threshold(image, THRESHOLD_SIGMA), MINIMUM_PIXELS)
    if sources is None:
        return None
    largest = sources.labels[np.argmax(sources.areas)]
    outline = uniform_filter(np.float64(sources.data == largest), size=SMOOTHING_PIX) > 0.5
    return outline.astype(np.int32)


def answer(galaxy: OracleGalaxy, *, double_sersic: bool) -> dict[str, Any]:
    """Ask statmorph about one galaxy."""
    started = time.process_time()
    labels = paper_segmentation(galaxy.image) if galaxy.labels is None else galaxy.labels
    row: dict[str, Any] = {"name": galaxy.name, "image_sha256": fingerprint(galaxy.image)}
    row["status"] = "measured"
    if labels is None or not labels.any():
        return row | {"status": "no_source" if labels is None else "source_below_smoothing"}
    row["segmentation_sha256"] = fingerprint(labels)
    row["segmentation_pixels"] = float(np.count_nonzero(labels == galaxy.label))
    source = statmorph.SourceMorphology(
        galaxy.image,
        labels,
        galaxy.label,
        mask=galaxy.mask,
        weightmap=galaxy.sigma_map,
        gain=galaxy.gain,
        psf=galaxy.psf,
        include_doublesersic=double_sersic,
    )
    names = _quantity_names + (_doublesersic_quantity_names if double_sersic else [])
    row |= {name: float(source[name]) for name in names}
    row |= {"flag": float(source.flag), "flag_sersic": float(source.flag_sersic)}
    if double_sersic:
        row["flag_doublesersic"] = float(source.flag_doublesersic)
    if source.flag != 4:
        row |= _maps(source)
    row["cpu_s"] = time.process_time() - started
    return row


def _maps(source: Any) -> dict[str, Any]:
    """Fingerprints of statmorph's maps, and where its sky box lies."""
    row: dict[str, Any] = {}
    maps = {
        "gini_map": source._segmap_gini,
        "mid_map": source._segmap_mid,
        "shape_map": source._segmap_shape_asym,
        "mask": source._mask_stamp,
    }
    for name, pixels in maps.items():
        flat = np.asarray(pixels, dtype=bool)
        row[f"{name}_sha256"] = fingerprint(flat)
        row[f"{name}_pixels"] = float(np.count_nonzero(flat))
    box = source._slice_skybox
    if box[0].start is not None and box[0].stop - box[0].start > 0:
        row |= {"sky_box_x": float(box[1].start), "sky_box_y": float(box[0].start)}
        row["sky_box_side"] = float(box[0].stop - box[0].start)
    return row


def ask_all(set_name: str, *, data: Path, work: Path, limit: int | None) -> None:
    """Ask about the galaxies of a set that have no answer yet."""
    file = work / f"{set_name}.jsonl"
    answered = (
        {json.loads(line)["name"] for line in file.read_text().splitlines()} if file.exists() else set()
    )
    galaxies = itertools.islice(ORACLE_SETS[set_name](data), limit)
    for position, galaxy in enumerate(galaxies):
        if galaxy.name in answered:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                row = answer(galaxy, double_sersic=position < DOUBLE_SERSIC.get(set_name, 0))
            except Exception as error:
                row = {"name": galaxy.name, "status": f"{type(error).__name__}: {error}"}
        with file.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
        sys.stdout.write(f"{set_name} {position} {row['status']} {row.get('cpu_s', math.nan):.2f} s\n")
        sys.stdout.flush()


def write_table(set_name: str, *, work: Path) -> None:
    """Write all answers of a set as its Parquet file."""
    lines = (work / f"{set_name}.jsonl").read_text().splitlines()
    rows = sorted((json.loads(line) for line in lines), key=lambda row: str(row["name"]))
    for row in rows:
        row.pop("cpu_s", None)
    names = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    columns = {
        name: pa.array([row.get(name) for row in rows], pa.string() if name in TEXTS else pa.float64())
        for name in names
    }
    origin = {
        "set": ORACLE_SETS[set_name].__doc__ or "",
        "command": "python tests/measure/oracle/freeze_oracle.py",
        "segmentation": f"detect_threshold nsigma {THRESHOLD_SIGMA}, detect_sources {MINIMUM_PIXELS} px, largest "
        f"area, uniform_filter {SMOOTHING_PIX} px > 0.5, unless a map comes with the galaxy",
        "sha256": f"first {HEX_DIGITS} hexadecimal digits, of image float64, segmentation int32, maps uint8",
        "invalid": "statmorph's -99 as it came; null where there is nothing",
    }
    versions = ("statmorph", "photutils", "numpy", "scipy", "scikit-image", "astropy")
    origin |= {name: metadata.version(name) for name in versions}
    table = pa.table(columns).replace_schema_metadata({"origin": json.dumps(origin)})
    pq.write_table(table, HERE / f"{set_name}.parquet", compression="zstd", use_dictionary=False)


def main() -> None:
    """Freeze the sets that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", default=list(ORACLE_SETS), help="all when none is named")
    parser.add_argument("--data", type=Path, required=True, help="folder of real galaxies")
    parser.add_argument("--work", type=Path, required=True, help="folder for the answers so far")
    parser.add_argument("--write-only", action="store_true", help="write the tables of what was answered")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for limit in () if arguments.write_only else (FIRST, None):
        for set_name in arguments.sets:
            ask_all(set_name, data=arguments.data, work=arguments.work, limit=limit)
    for set_name in arguments.sets:
        write_table(set_name, work=arguments.work)


if __name__ == "__main__":
    main()
