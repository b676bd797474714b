"""How many fields of 1000 px `field_composer` composes in a second of processor time, and on how many cores."""

import argparse
import json
import time
from pathlib import Path

import torch

from galsmith.models.snapshot import find_snapshot, load_snapshot


def main() -> None:
    """Compose fields of a run, once to compile and once to count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run of galsmith train field_composer")
    parser.add_argument("--fields", type=int, default=200)
    parser.add_argument("--side", type=int, default=1000, help="in pixels")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = load_snapshot(find_snapshot(arguments.run)).generator
    shape = (arguments.side, arguments.side)
    generator.compose(range(16), shape)
    clock, processor = time.perf_counter(), time.process_time()
    fields = [
        field
        for start in range(0, arguments.fields, 16)
        for field in generator.compose(range(start, min(start + 16, arguments.fields)), shape)
    ]
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    print(
        json.dumps(
            {
                "fields_per_s": round(len(fields) / clock, 1),
                "cpu_ms_per_field": round(1e3 * processor / len(fields), 2),
                "threads": arguments.threads,
                "side_pix": arguments.side,
                "sources_per_field": round(sum(len(field.sources) for field in fields) / len(fields), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
