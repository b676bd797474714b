#!/usr/bin/env bash
# The paper's Sérsic set (50,000 images of 256 px) learned by pca_diffusion-256, and 10,000 drawn galaxies against 10,000 fresh ones.
#   benchmarks/train/sersic_256.sh [FOLDER [IMAGES_SEEN [SEED]]]
# One thread a process; the budget is images seen, so that other work beside it costs no training: 30 million are about two hours of
# one core (4,850 images a CPU second), which is an hour of two. Any step may be stopped: the same command goes on where it was.
set -eu
folder=${1:-runs/sersic-256}
images=${2:-30000000}
seed=${3:-0}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
mkdir -p "$folder"
step() { # says what it runs, and its processor time (user + sys)
    echo "+ $*"
    time "$@"
}
step galsmith simulate sersic -n 50000 -o "$folder/training" --seed 101 --split 1/0/0
step galsmith simulate sersic -n 10000 -o "$folder/fresh" --seed 102 --split 0/0/1
step galsmith train pca_diffusion-256 --data "$folder/training" -o "$folder/run-$seed" --images "$images" --seed "$seed"
step galsmith sample "$folder/run-$seed" -n 10000 -o "$folder/drawn-$seed" --seed 103
step galsmith measure "$folder/fresh" -o "$folder/fresh.parquet" --workers 1
step galsmith measure "$folder/drawn-$seed" -o "$folder/drawn-$seed.parquet" --workers 1
step galsmith compare "$folder/fresh.parquet" "pca_diffusion=$folder/drawn-$seed.parquet" -o "$folder/comparison-$seed.json" \
    --paper holzschuh2022-sersic
