"""Every verb that makes an output, at its smallest; another variant of a verb makes another content."""

import functools
import gzip

import h5py
import numpy as np
from astropy.io import fits
from PIL import Image
from scipy import ndimage

import galsmith.judging
from galsmith import denoise, score, simulate, study
from galsmith.cli.demo import plan, steps
from galsmith.cli.options import Shown
from galsmith.compare import Chance, judge_tables
from galsmith.data import ingest
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.options import SetOptions
from galsmith.data.readers import to_store
from galsmith.data.readers.options import FieldOptions
from galsmith.data.store import open_store
from galsmith.features import extract, extraction
from galsmith.judging import judge
from galsmith.measure import MeasureSettings, chunks, measure
from galsmith.observe import observe
from galsmith.report import look, write, write_report
from galsmith.report.calls import IN_PYTHON
from galsmith.report.galaxy.figure import write_galaxy_figure
from galsmith.sampling import sample
from galsmith.training import remade_snapshot, train

POWER = MeasureSettings(quantities=("power",))
MORPHOLOGY = MeasureSettings(sersic="none")
FEW = {"replicates": 10, "splits": 5, "permutations": 10}
QUICK = {**FEW, "beyond": False}
FIELD_SIDE = 240
write_figures = write.write_figures


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


def denoiser_recipe(seed=0):
    """A denoiser that trains in a blink."""
    training = {"images": 4, "seed": seed, "validations": 1, "validation_looks": 1}
    observation = {"psf": {"kind": "gaussian", "sigma_pix": 1.0}, "noise": {"kind": "gaussian", "sigma": 1.0}}
    model = {"denoiser": "paper_resnet", "width": 2, "blocks": 0}
    return {"model": model, "observation": observation, "training": training}


def denoising_study_recipe(variant=1):
    """A study of denoising with one network that trains in a blink, and a method."""
    made = denoiser_recipe()
    training = {name: made["training"][name] for name in ("validations", "validation_looks")}
    network = {"recipe": "holzschuh2022-resnet-small", "training": training}
    factors = {"networks": ["tiny"], "sets": ["real"], "shifts": ["plain"], "methods": ["wiener"]}
    counts = {"seeds": 1, "n_small": 10, "n_test": 10, "images": 4, "replicates": 100}
    return {
        "study": {**factors, **counts, "fits_sersic": False},
        "network": {"tiny": {**network, "model": {"width": 1 + variant, "blocks": 0}}},
        "shift": {"plain": made["observation"]},
    }


def make_images(folder):
    """Files of images in every layout that has a reader."""
    rng = np.random.default_rng(5)
    (folder / "snapnum_099" / "data").mkdir(parents=True)
    for name in ("pictures", "cut", "stamps", "field"):
        (folder / name).mkdir()
    arrays = rng.uniform(0, 255, size=(5, 8, 8)).astype(np.float32)
    for number, pixels in enumerate(arrays):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "pictures" / f"{number}.png")
        units = [fits.PrimaryHDU(pixels), fits.ImageHDU(1 / (1 + pixels), name="IVAR")]
        fits.HDUList(units).writeto(folder / "cut" / f"{number}.fits")
        file = folder / "stamps" / f"{100 + number}.0_150.{number}_2.0_processed.fits"
        fits.writeto(file, pixels)
        with gzip.open(f"{file}.gz", "wb") as packed:
            packed.write(file.read_bytes())
        file.unlink()
        planes = rng.gamma(2.0, 1.0, (4, 80, 80)).astype(np.float32)
        fits.writeto(folder / "snapnum_099" / "data" / f"broadband_{number}.fits", planes)
    (folder / "snapnum_099" / "subfind_ids.txt").write_text("0\n1\n2\n3\n4\n")
    for band in "gi":
        with h5py.File(folder / "snapnum_099" / f"morphs_{band}.hdf5", "w") as file:
            file["gini"] = np.arange(5.0)
    with h5py.File(folder / "set.h5", "w") as file:
        file["images"] = arrays
    points = np.zeros((FIELD_SIDE, FIELD_SIDE))
    points[40::53, 40::53] = 1e5
    image = ndimage.gaussian_filter(points, 4) + rng.normal(0, 1, points.shape)
    fits.writeto(folder / "field" / "r.fits", image.astype(np.float32))


def make_inputs(folder, patch=setattr):
    """Write what the verbs read, and let `patch` make chunks small and a demo short."""
    make_images(folder)
    for name, seed, table, run in (("store", 1, "a", "run1"), ("other", 2, "b", "run2")):
        simulate.sersic(folder / name, n=60, seed=seed, recipe="sersic-32")
        measure(folder / name, folder / f"{table}.parquet", settings=POWER)
        train(recipe(seed), folder / "store", folder / run)
    fits.writeto(folder / "star.fits", np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]))
    simulate.fields(folder / "fields", n=24, recipe="fields-250")
    simulate.fields(folder / "fewer", n=12, recipe="fields-250")
    thirds = SetOptions(split=(0.3, 0.3, 0.4))
    simulate.sersic(folder / "thirds", n=60, seed=3, recipe="sersic-32", options=thirds)
    score.fit("average", folder / "fields", folder / "scorer", splits=3)
    for variant in (1, 2):
        denoise.study(denoising_study_recipe(variant), folder / "thirds", folder / f"study{variant}")
    for seed in (1, 2):
        tables = folder / "a.parquet", folder / "b.parquet"
        judge_tables(*tables, folder / f"card{seed}.json", seed=seed, **QUICK)
    patch(to_store, "IMAGES_PER_CHUNK", 4)
    patch(extraction, "IMAGES_PER_CHUNK", 20)
    patch(chunks, "GALAXIES_PER_CHUNK", {"galsmith": 8, "statmorph": 2})
    patch(write, "write_figures", write_figures)
    # measures a number of galaxies that does not depend on the machine
    for name in ("N_TRAINING", "N_REFERENCE", "N_GENERATED", "N_MEASURED_AT_LEAST"):
        patch(plan, name, 60)
    patch(plan, "N_TIMED_PER_WORKER", 4)
    patch(plan, "SIMULATION_RECIPE", "sersic-32")
    patch(plan, "TRAINING_RECIPE", recipe())
    patch(galsmith.judging, "judge", functools.partial(judge, **FEW))


def _demo(out, variant, *, overwrite=False):
    minutes = 0.005 * variant
    return steps.run_demo(
        out, minutes=minutes, spelling=IN_PYTHON, device="cpu", overwrite=overwrite, shown=Shown(quiet=True)
    )


def _report(card, out, *, with_figures, **how):
    write.write_figures = write_figures if with_figures else lambda folder, sets, together: folder.mkdir()
    return write_report(card, out, **how)


def _judge(folder, out, variant, **how):
    """Judge a store, which is measured beside the card."""
    return judge(
        folder / "store", folder / "b.parquet", out, seed=variant, measure_settings=POWER, **QUICK, **how
    )


def _figure(out, variant, **how):
    y, x = np.indices((64, 64))
    galaxy = variant * 100 * np.exp(-np.hypot(x - 32, y - 32) / 6) + np.random.default_rng(1).normal(
        0, 1, x.shape
    )
    return write_galaxy_figure(galaxy, out, settings=MORPHOLOGY, **how)


def verbs(folder):
    """Every verb that makes an output: its name, the output's name, and a function that makes it."""
    stores, runs = {1: folder / "store", 2: folder / "other"}, {1: folder / "run1", 2: folder / "run2"}

    def ingested(kind, source, **options):
        return "made", lambda out, variant, **how: ingest.ingest(
            kind, folder / source, out, seed=variant, **options, **how
        )

    def measured(name, *, images=stores, **options):
        return name, lambda out, variant, **how: measure(
            images[variant], out, **{"settings": POWER, "limit": 20} | options, **how
        )

    def files(variant):
        return open_galaxies(
            FileRequest(tuple(str(folder / "cut" / f"{n}.fits") for n in range(3 + variant)))
        )

    field = FieldOptions(zero_points_mag={"r": 25.0}, stars="keep")
    return {
        "simulate": (
            "made",
            lambda out, variant, **how: simulate.sersic(out, n=10, seed=variant, recipe="sersic-32", **how),
        ),
        "simulate fields": (
            "made",
            lambda out, variant, **how: simulate.fields(out, n=4, seed=variant, recipe="fields-250", **how),
        ),
        "simulate components": (
            "made",
            lambda out, variant, **how: simulate.components(out, n=4, seed=variant, **how),
        ),
        "ingest folder": ingested("folder", "pictures"),
        "ingest fits": ingested("fits", "cut"),
        "ingest arrays": ingested("arrays", "set.h5"),
        # a seed deals nothing where splits are kept
        "ingest store": ingested("store", "store", options=SetOptions(split=(0.5, 0.5, 0.0))),
        "ingest cosmos": ingested("cosmos", "stamps"),
        "ingest skirt": ingested("skirt", "snapnum_099"),
        "ingest field": ingested("field", "field", reading=field),
        "train": ("made", lambda out, variant, **how: train(recipe(variant), folder / "store", out, **how)),
        "snapshot": (
            "made",
            lambda out, variant, **how: remade_snapshot(runs[variant], out, half=True, **how),
        ),
        "sample store": (
            "made",
            lambda out, variant, **how: sample(runs[variant], out, n=6, seed=variant, **how),
        ),
        "sample fits": (
            "made",
            lambda out, variant, **how: sample(runs[variant], out, n=4, seed=variant, kind="fits", **how),
        ),
        "observe": (
            "made",
            lambda out, variant, **how: observe(
                folder / "store", out, overrides=("psf.fwhm_pix=3", "noise.sigma=2"), seed=variant, **how
            ),
        ),
        "measure": measured("table.parquet"),
        "measure ecsv": measured("table.ecsv"),
        "measure fits": measured("table.fits"),
        "measure csv": measured("table.csv"),
        "measure files": (
            "table.parquet",
            lambda out, variant, **how: measure(files(variant), out, settings=POWER, **how),
        ),
        "measure morphology": measured("table.parquet", settings=MORPHOLOGY),
        "measure statmorph": measured(
            "table.parquet", settings=MORPHOLOGY, limit=4, engine="statmorph", workers=2
        ),
        "figure png": ("galaxy.png", _figure),
        "figure pdf": ("galaxy.pdf", _figure),
        "figure svg": ("galaxy.svg", _figure),
        "look": ("sheet.png", lambda out, variant, **how: look(stores[variant], out, n=4, **how)),
        "compare": (
            "card.json",
            lambda out, variant, **how: judge_tables(
                folder / "a.parquet", folder / "b.parquet", out, seed=variant, **QUICK, **how
            ),
        ),
        "judge": ("card.json", lambda out, variant, **how: _judge(folder, out, variant, **how)),
        "features": (
            "features.h5",
            lambda out, variant, **how: extract(
                open_store(stores[variant]), out, extractor=Extractor(), workers=1, **how
            ),
        ),
        "denoise fit": (
            "made",
            lambda out, variant, **how: denoise.fit(
                denoiser_recipe(variant), open_store(stores[variant]), out, **how
            ),
        ),
        "denoise apply": (
            "made",
            lambda out, variant, **how: denoise.apply(
                "tikhonov", open_store(stores[variant]), out, psf=folder / "star.fits", **how
            ),
        ),
        "denoise files": (
            "made",
            lambda out, variant, **how: denoise.apply(
                "tikhonov",
                FileRequest((str(folder / "cut" / f"{variant}.fits"),), psf=str(folder / "star.fits")),
                out,
                **how,
            ),
        ),
        "score fit": (
            "made",
            lambda out, variant, **how: score.fit(
                "average", folder / "fields", out, splits=3, seed=variant, **how
            ),
        ),
        # a submission says no more than that it is one: it is made again, and replaced, by all that predict
        "score predict": (
            "submission.csv",
            lambda out, variant, **how: score.predict(
                folder / "scorer", folder / ("fields" if variant == 1 else "fewer"), out, **how
            ),
        ),
        "score judge": (
            "judged.json",
            lambda out, variant, **how: score.judge(
                folder / "scorer",
                folder / "fields",
                [("same", folder / "fields")],
                out,
                chance=Chance(seed=variant, replicates=4, splits=4, permutations=4),
                **how,
            ),
        ),
        "study": (
            "made",
            lambda out, variant, **how: study.study(
                "regressor",
                folder / "thirds",
                folder / "store",
                out,
                seeds=1,
                seed=variant,
                overrides=("label=magnitude",),
                **how,
            ),
        ),
        "denoise study": (
            "made",
            lambda out, variant, **how: denoise.study(
                denoising_study_recipe(variant), folder / "thirds", out, **how
            ),
        ),
        "denoise report": (
            "made",
            lambda out, variant, **how: denoise.report(folder / f"study{variant}", out, **how),
        ),
        "score report": (
            "made",
            lambda out, variant, **how: score.report(
                folder / "fields", out, methods=["average"], splits=3, seed=variant, **how
            ),
        ),
        "report": (
            "made",
            lambda out, variant, **how: _report(
                folder / f"card{variant}.json", out, with_figures=False, **how
            ),
        ),
        "report figures": (
            "made",
            lambda out, variant, **how: _report(
                folder / f"card{variant}.json", out, with_figures=True, **how
            ),
        ),
        "demo": ("made", _demo),
    }
