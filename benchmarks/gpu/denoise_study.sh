#!/usr/bin/env bash
# [GPU] The study of Holzschuh et al. (2022) at full scale: 165 cells, 50,000 looks each, five seeds, six shares of generated images.
# Not run: no GPU at hand. One process a device; cells are done one after the other, and the same command goes on.
#   CLEAN=clean GENERATED=drawn OUT=study benchmarks/gpu/denoise_study.sh
set -eu
galsmith denoise study holzschuh2022-study --data "${CLEAN:?store of clean images}" --generated "${GENERATED:?store}" \
    -o "${OUT:-study}" --workers 1 --device cuda
galsmith denoise report "${OUT:-study}" -o "${OUT:-study}-page" --overwrite
