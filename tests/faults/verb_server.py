"""A process that runs every verb that makes an output at its smallest, each in a child forked from it.

So nothing is imported or compiled again, and a child may die at any moment. One JSON object a line is asked and answered:
``{"verb", "output", "how", "die_at", "below"}`` gives a child's number, ``{"wait": number}`` its exit code.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import numba
import numpy as np
from astropy.io import fits
from PIL import Image

from galsmith import simulate
from galsmith.compare import judge_tables
from galsmith.data import ingest
from galsmith.data.readers import to_store
from galsmith.data.store import open_store
from galsmith.errors import GalsmithError
from galsmith.features import extract, extraction
from galsmith.measure import MeasureSettings, measure
from galsmith.report import write, write_report
from galsmith.sampling import sample
from galsmith.training import remade_snapshot, train

FAULTY = 70  # exit code of a child that failed in an unforeseen way
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate"}
POWER = MeasureSettings(quantities=("power",))
FEW = {"replicates": 10, "splits": 5, "permutations": 10, "beyond": False}


class Extractor:
    """Features that cost nothing."""

    id, weights_sha256, n_features = "mean/none", "", 2

    def extract(self, pictures):
        rows = [[picture.mean(), picture.max()] for picture in pictures]
        return np.array(rows, dtype=np.float32).reshape(-1, 2)


def recipe(seed=0):
    """A model that trains in a blink."""
    model = {"family": "pca_diffusion", "n_components": 6, "width": 8, "depth": 1, "sampler_steps": 2}
    training = {"images": 96, "batch_size": 32, "sample_grids": 0, "checkpoint_seconds": 0.0, "seed": seed}
    return {"model": {**model, "warmup_images": 32}, "training": training}


def make_inputs(folder):
    """What the verbs read."""
    rng = np.random.default_rng(5)
    (folder / "pictures").mkdir(parents=True)
    (folder / "cut").mkdir()
    for number in range(5):
        pixels = rng.uniform(0, 255, size=(8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
        fits.writeto(folder / "cut" / f"{number}.fits", pixels.astype(np.float32))
    for name, seed, table in (("store", 1, "a"), ("other", 2, "b")):
        simulate.sersic(folder / name, n=60, seed=seed, recipe="sersic-32")
        measure(folder / name, folder / f"{table}.parquet", settings=POWER)
    train(recipe(), folder / "store", folder / "run")
    judge_tables(folder / "a.parquet", folder / "b.parquet", folder / "card.json", **FEW)


def verbs(folder):
    """Every verb that makes an output; another variant makes another content."""
    stores = {1: folder / "store", 2: folder / "other"}
    return {
        "simulate": lambda out, variant, **how: simulate.sersic(
            out, n=10, seed=variant, recipe="sersic-32", **how
        ),
        "ingest folder": lambda out, variant, **how: ingest.folder(
            folder / "pictures", out, seed=variant, **how
        ),
        "ingest fits": lambda out, variant, **how: ingest.fits(folder / "cut", out, seed=variant, **how),
        "ingest store": lambda out, variant, **how: ingest.store(folder / "store", out, seed=variant, **how),
        "train": lambda out, variant, **how: train(recipe(variant), folder / "store", out, **how),
        "snapshot": lambda out, variant, **how: remade_snapshot(folder / "run", out, half=True, **how),
        "sample store": lambda out, variant, **how: sample(folder / "run", out, n=6, seed=variant, **how),
        "sample fits": lambda out, variant, **how: sample(
            folder / "run", out, n=4, seed=variant, kind="fits", **how
        ),
        "measure": lambda out, variant, **how: measure(stores[variant], out, settings=POWER, limit=20, **how),
        "compare": lambda out, variant, **how: judge_tables(
            folder / "a.parquet", folder / "b.parquet", out, seed=variant, **FEW, **how
        ),
        "features": lambda out, variant, **how: extract(
            open_store(stores[variant]), out, extractor=Extractor(), workers=1, **how
        ),
        "report": lambda out, variant, **how: write_report(folder / "card.json", out, **how),
    }


class Watch:
    """Counts the changes of files below a folder; dies before one of them, or writes their number down."""

    def __init__(self, below, die_at):
        self.below, self.die_at, self.count = below, die_at, 0
        self.counter = -1 if die_at else os.open(f"{below}.count", os.O_RDWR | os.O_CREAT)
        self.flush = os.fsync
        os.fsync = self.fsync
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        """Take in an event of the interpreter."""
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (writes or event in CHANGES) and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.fsdecode(arguments[0]))
            if not path.is_absolute() or path.is_relative_to(self.below):
                self.changed()

    def fsync(self, descriptor):
        """Count a flush, then flush."""
        self.changed()
        self.flush(descriptor)

    def changed(self):
        """Count a change that is about to come."""
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.counter >= 0:
            os.pwrite(self.counter, str(self.count).encode(), 0)


def started(asked, known):
    """Start a child that ends with the exit code of the command line; its number."""
    child = os.fork()
    if child:
        return child
    code = FAULTY
    try:
        os.dup2(2, 1)
        if asked.get("below"):
            Watch(asked["below"], asked.get("die_at", 0))
        known[asked["verb"]](Path(asked["output"]), **asked["how"])
        code = 0
    except GalsmithError as error:
        code = error.exit_code
        sys.stderr.write(f"{error}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def exit_code(child):
    """Wait for a child; its exit code, or the number of the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve(folder):
    """Answer until the input ends."""
    numba.config.THREADING_LAYER = "workqueue"  # that of GNU's OpenMP ends any child
    make_inputs(folder)
    to_store.IMAGES_PER_CHUNK, extraction.IMAGES_PER_CHUNK = 4, 20
    write.write_figures = lambda folder, sets, together: None
    known = verbs(folder)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = exit_code(asked["wait"]) if "wait" in asked else started(asked, known)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
