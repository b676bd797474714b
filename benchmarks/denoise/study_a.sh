#!/usr/bin/env bash
# Study (a): galaxies of several components in four bands; generated ones from a model that learned the small set.
#   WORK=runs/study-a benchmarks/denoise/study_a.sh
# Goes on where it stopped. CPU time: see benchmarks/denoise/README.md.
set -eu
work=${WORK:-runs/study-a}
mkdir -p "$work" && cd "$work"
galsmith simulate components -n 2500 -o clean --seed 15 --split 0.8/0.1/0.1 --set frame.low_pix=64 --set frame.high_pix=64
# the generator learns what the small set has and no more, else "generated" would be more real data in disguise, or the test's
[ -d small ] || python -c 'import numpy as np
from galsmith.data.store import open_store, write_store
write_store("small", open_store("clean").in_split("train").select(np.arange(500)))'
galsmith train pca_diffusion-64 --data small -o run --images 200000
galsmith sample run -n 500 --seed 1 -o drawn
galsmith denoise study study-small --data clean --generated drawn -o study --workers "${WORKERS:-2}"
galsmith denoise report study -o page --overwrite
