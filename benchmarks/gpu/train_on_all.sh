#!/usr/bin/env bash
# [GPU] One training on 1, 2, 4, ... GPUs of this machine, for the same images: images a second, and losses side by side.
# Not run: no machine of several GPUs at hand.
#   DATA=galaxies OUT=scaling benchmarks/gpu/train_on_all.sh [recipe]
set -eu
recipe=${1:-diffusion-128} out=${OUT:-scaling} count=$(nvidia-smi --list-gpus | wc -l)
for ((n = 1; n <= count; n *= 2)); do
    torchrun --nproc-per-node "$n" -m galsmith train "$recipe" --data "${DATA:?store of galaxies}" -o "$out/on-$n" \
        --images "${IMAGES:-200000}" --device cuda --set training.sample_grids=1 --set training.batch_size="${BATCH:-256}"
done
python3 - "$out" <<'PROGRAM'
import sys
from pathlib import Path

from galsmith.training import read_log

print("GPUs  images/s  loss of the last line")
for run in sorted(Path(sys.argv[1]).glob("on-*"), key=lambda path: int(path.name[3:])):
    lines = read_log(run / "log.jsonl")
    first, last = lines[min(3, len(lines) - 1)], lines[-1]  # the first lines have the warming of kernels in them
    seconds = last["seconds"] - first["seconds"]
    speed = (last["images_seen"] - first["images_seen"]) / seconds if seconds else float("nan")
    print(f"{run.name[3:]:>4}  {speed:8.0f}  {last['loss']:.6g}")
PROGRAM
