#!/usr/bin/env bash
# Study (b): 145 real galaxies of HST/ACS as noise-free truth; generated ones from a model that learned their training split.
#   HST=.../hst_f814w_201 WORK=runs/study-b benchmarks/denoise/study_b.sh
# Goes on where it stopped. CPU time: see benchmarks/denoise/README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
hst=$(cd "${HST:?the folder with bulge_f8 and disk_f8}" && pwd)
work=${WORK:-runs/study-b}
mkdir -p "$work" && cd "$work"
[ -d clean ] || python "$here/hst_truth.py" "$hst" -o clean --side 128
# the generator learns what the small set has and no more, else "generated" would be more real data in disguise, or the test's
[ -d small ] || python -c 'import numpy as np
from galsmith.data.store import open_store, write_store
write_store("small", open_store("clean").in_split("train").select(np.arange(60)))'
galsmith train pca_diffusion --data small -o run --images 100000 --set model.n_components=30
galsmith sample run -n 100 --seed 1 -o drawn
galsmith denoise study "$here/study_b.toml" --data clean --generated drawn -o study --workers "${WORKERS:-2}"
galsmith denoise report study -o page --overwrite
