"""Wrong usage is told before anything heavy is imported, in every verb; and the library says no less."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from galsmith.cli.app import VERBS
from galsmith.cli.premises import (
    CUT_NAMES,
    FIGURE_ENDINGS,
    PAPER_NAMES,
    TABLE_ENDINGS,
    TRAIN_SETTINGS,
    path_of_set,
)
from galsmith.data.simulate import SIMULATORS, priors_named
from galsmith.errors import SettingsError
from galsmith.models.families import FAMILIES, family_named

HEAVY = ("numpy", "numba", "torch", "astropy", "pandas", "scipy", "pyarrow", "h5py", "matplotlib")
# words, exit code, what is said
WRONG = [
    ("demo -o there.txt", 2, "not a demo"),
    ("demo --minutes 0 -o new", 2, "a number above 0"),
    ("ingest folder gone -o new", 1, "gone: there is no such folder"),
    ("ingest folder there -o new --split 1/2", 2, "wanted three shares"),
    ("ingest fits gone -o new", 1, "gone: there is no such folder"),
    ("ingest fits there -o new --pixel-scale 0", 2, "--pixel-scale 0.0: wanted a positive angle"),
    ("ingest fits there -o new --zero-points g=x", 2, "--zero-points g=x: wanted a magnitude"),
    ("ingest skirt there -o new --crop-fraction 0.7", 2, "--crop-fraction 0.7: wanted 0 (no crop)"),
    ("ingest hats gone -o new", 1, "gone: there is no such folder of a HATS catalog"),
    ("ingest hats there -o new --pixel-scale -1", 2, "--pixel-scale -1.0: wanted a positive angle"),
    ("export hats gone -o new", 1, "gone: there is no such store"),
    ("export hats there -o new --rows-per-file 0", 2, "--rows-per-file 0: wanted 1 or more"),
    ("export hats there -o new --where x", 2, "--where 'x': wanted column=low..high"),
    ("ingest field g=missing -o new", 1, "g=missing: there is no such folder or file"),
    ("ingest field g=missing.fits r=missing.fits -o new", 1, "g=missing.fits: there is no such"),
    ("ingest fits there -o new --workers -1", 2, "--workers -1: wanted 1 or more"),
    ("ingest fits there -o new --crop 0", 2, "--crop 0: wanted 1 or more"),
    ("ingest store gone -o new", 1, "gone: there is no such store"),
    ("ingest arrays gone -o new", 1, "gone: there is no such"),
    ("ingest cosmology gone -o new", 1, "gone: there is no such folder"),
    ("ingest skirt gone -o new", 1, "gone: there is no such folder"),
    ("ingest cosmos gone -o new", 1, "gone: there is no such"),
    ("ingest field s3://b/x -o new --zero-points g=25", 1, "is no path"),
    ("simulate sersic -n 0 -o new", 2, "-n 0: wanted 1 or more"),
    ("simulate sersic -n 3 -o new --workers 0", 2, "--workers 0: wanted 1 or more"),
    ("simulate sersic -n 3 -o new --dask here", 2, "--dask here: wanted tcp://HOST:PORT of a Dask scheduler"),
    ("ingest fits there -o new --dask gone.toml", 1, "gone.toml: cannot be read"),
    ("measure there.txt -o new.parquet --workers 2 --dask tcp://a:1", 2, "leave one of them out"),
    ("denoise study study-small --data there -o new --dask here", 2, "--dask here: wanted"),
    ("simulate sky-mosaic there -o new --workers 0", 2, "--workers 0: wanted 1 or more"),
    ("simulate sersic -n 3 -o new --recipe sersik", 2, "did you mean 'sersic'"),
    ("simulate sky-mosaic gone -o new", 1, "there is no such folder or store of pictures"),
    ("simulate fields -n 3 -o new --recipe sersic-64", 2, "simulates Sérsic galaxies"),
    ("simulate fields -n 3 -o new --set side_pxi=1", 2, "did you mean 'side_pix'"),
    ("simulate sersic -n 3 -o new --set axis_ratoi=1", 2, "did you mean 'axis_ratio'"),
    ("simulate components -n 0 -o new", 2, "-n 0: wanted 1 or more"),
    ("observe gone -o new --preset lsst", 1, "gone: there is no such store"),
    ("observe there -o new --preset lsts", 2, "did you mean 'lsst'"),
    ("observe there -o new --recipe gone.toml", 1, "gone.toml: there is no such"),
    ("observe there -o new", 2, "no observation; wanted --preset, --recipe, or settings as --set"),
    ("train pca_difusion --data there -o new", 2, "did you mean 'pca_diffusion'"),
    ("train pca_diffusion --data there -o new --set training.imags=4", 2, "did you mean 'images'"),
    ("train pca_diffusion --data there -o new --set transform.softning=4", 2, "did you mean 'softening'"),
    ("train pca_diffusion --data there -o new --set model.widht=4", 2, "did you mean 'width'"),
    ("train stylegan2-64 --data there -o new --set model.chanel_base=64", 2, "did you mean 'channel_base'"),
    ("train stylegan --data there -o new --set model.game=chess", 2, "setting 'game'"),
    ("train alae --data there -o new --set model.latent_widht=64", 2, "did you mean 'latent_width'"),
    ("train pca_diffusion --data there -o new --set training.where=mag", 2, "setting 'where' is 'mag'"),
    ("ingest folder there -o new --where mag", 2, "--where 'mag': wanted column=low..high"),
    ("sample there -n 3 -o new --where mag=a..b", 2, "'a' is not a number"),
    ("look there.txt -o new.png --where mag=", 2, "--where 'mag='"),
    ("train diffusion --data there -o new --set model.scalar_width=x", 2, "setting 'scalar_width' is 'x'"),
    ("train pca_diffusion --data there -o new --set modle.width=4", 2, "unknown table or key 'modle'"),
    ("train pca_diffusion --data there -o new --set width", 2, "wanted key=value"),
    ("train pca_diffusion --data gone -o new", 1, "gone: there is no such store"),
    ("train pca_diffusion --data there -o new --minutes -1", 2, "--minutes -1.0: wanted a number above 0"),
    ("snapshot gone -o new --half", 1, "gone: not a run"),
    ("snapshot there -o new", 2, "nothing to change"),
    ("sample gone -n 3 -o new", 1, "gone: there is no such folder"),
    ("sample there -n 0 -o new", 2, "-n 0: wanted 1 or more"),
    ("sample --pretrained sersic-46 -n 3", 2, "did you mean 'sersic-64'"),
    ("measure gone -o new.parquet", 1, "gone: there is no such file, folder or store"),
    (
        "measure there.txt -o new.paket",
        2,
        "--output new.paket: wanted a name that ends in .parquet, .ecsv, .fits or .csv",
    ),
    (
        "measure there.txt --figure new.gif",
        2,
        "wanted a name that ends in .png, .pdf or .svg",
    ),
    ("measure there.txt -o new.parquet --gain 0", 2, "--gain 0.0: wanted a number above 0"),
    ("measure there.txt -o new.parquet --uncertainties 3", 2, "8 or more repetitions"),
    ("measure there.txt -o new.parquet --set thresold_sigma=3", 2, "did you mean 'threshold_sigma'"),
    ("measure there.txt -o new.parquet --set threshold_sigma", 2, "wanted key=value"),
    ("measure there.txt -o new.parquet --sky box --set sky=box", 2, "--sky says it too"),
    ("measure there.txt -o new.parquet --workers 0", 2, "--workers 0: wanted 1 or more"),
    ("measure there.txt -o new.parquet --label x", 2, "wanted whole numbers"),
    ("measure there.txt -o new.parquet --catalog gone.csv", 1, "gone.csv: there is no such file"),
    ("compare gone there.txt -o new.json", 1, "gone: there is no such file"),
    ("compare there.txt name=gone -o new.json", 1, "gone: there is no such file"),
    ("compare there.txt there.txt -o new.json --training gone", 1, "gone: there is no such file"),
    ("compare there.txt there.txt -o new.json --set sersik=none", 2, "did you mean 'sersic'"),
    ("compare there.txt there.txt -o new.json --paper holzschuh", 2, "wanted one of holzschuh2022-sersic"),
    ("compare there.txt there.txt -o new.json --cuts holz", 2, "wanted one of holzschuh2022-notebook"),
    ("look gone -o new.png", 1, "gone: there is no such file"),
    ("look there.txt -o new.gif", 2, "wanted a name that ends in .png, .pdf or .svg"),
    ("look there.txt -o new.png -n 0", 2, "-n 0: wanted 1 or more"),
    ("report gone -o new", 1, "gone: there is no such file"),
    ("score fit averag --data there -o new", 2, "did you mean 'average'"),
    ("score fit average --data gone -o new", 1, "gone: there is no such store"),
    ("score fit average --data there -o new --splits -1", 2, "--splits -1: wanted 0 or more"),
    ("score predict gone there -o new.csv", 1, "gone: there is no such scorer"),
    ("score judge there gone there -o new.json", 1, "gone: there is no such store"),
    ("score judge there there -o new.json", 2, "no generated set to judge"),
    ("score report gone -o new", 1, "gone: there is no such store"),
    ("score report there -o new --method wavelet", 2, "did you mean 'wavelets'"),
    ("score threshold there.txt --labeled 12", 2, "--labeled and --negatives, or --labels"),
    ("score threshold gone.csv --labeled 12 --negatives 2", 1, "gone.csv: there is no such file"),
    ("denoise fit filter_bnk --data there -o new", 2, "did you mean 'filter_bank'"),
    ("denoise fit filter_bank --data gone -o new", 1, "gone: there is no such store"),
    ("denoise fit filter_bank --data there -o new --images 0", 2, "--images 0: wanted 1 or more"),
    ("study classifier --data gone --generated there -o new", 1, "gone: there is no such store"),
    ("denoise study study-smal --data there -o new", 2, "did you mean 'study-small'"),
    ("denoise study study-small --data gone -o new", 1, "gone: there is no such store"),
    ("denoise study study-small --data there -o new --workers 0", 2, "--workers 0: wanted 1 or more"),
    ("denoise report gone -o new", 1, "gone: there is no such study"),
    ("denoise apply gone there -o new", 1, "gone: there is no such denoiser"),
    ("denoise apply weiner there -o new", 1, "weiner: there is no such denoiser (did you mean 'wiener'?)"),
    ("denoise apply wiener gone -o new", 1, "gone: there is no such file"),
    ("check-data gone", 1, "gone: there is no such store"),
    ("check-data there --minutes 0", 2, "--minutes 0.0: wanted a number above 0"),
    ("check-asked gone --training there", 1, "gone: there is no such"),
    ("info gone", 1, "gone: there is no such file or folder"),
]
PROGRAM = f"""
import contextlib, io, json, sys
from galsmith.cli import main
for words in json.load(sys.stdin):
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        code = main(words.split())
    print(json.dumps([code, error.getvalue(), [name for name in {HEAVY!r} if name in sys.modules]]))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Exit code, error and what is imported after each command; one process for all."""
    folder = tmp_path_factory.mktemp("usage")
    (folder / "there").mkdir()
    (folder / "there.txt").touch()
    commands = json.dumps([words for words, _, _ in WRONG])
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=commands,
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    assert sorted(path.name for path in folder.iterdir()) == ["there", "there.txt"]
    return dict(
        zip((words for words, _, _ in WRONG), map(json.loads, ended.stdout.splitlines()), strict=True)
    )


@pytest.mark.parametrize(("words", "code", "said"), WRONG, ids=[words for words, _, _ in WRONG])
def test_wrong_usage_is_told_before_anything_heavy_is_imported(told, words, code, said):
    came, error, imported = told[words]
    assert (came, imported) == (code, [])
    assert said in error
    assert error.count("\n") == 1


def test_every_verb_is_among_them():
    seen = {verb.name for verb in VERBS for words, _, _ in WRONG if words.startswith(f"{verb.name} ")}
    assert seen == {verb.name for verb in VERBS}


def test_what_is_imported_is_seen():
    program = PROGRAM.replace("from galsmith.cli import main", "import numpy; from galsmith.cli import main")
    ended = subprocess.run(
        [sys.executable, "-c", program], input='["info gone"]', capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout)[2] == ["numpy"]


def test_the_library_refuses_the_same_endings():
    from galsmith.measure.table_formats import checked_output
    from galsmith.report.figures.painting import figure_format

    for ending in TABLE_ENDINGS:
        checked_output(Path(f"x{ending}"))
    for ending in FIGURE_ENDINGS:
        figure_format(Path(f"x{ending}"), "output")
    with pytest.raises(SettingsError):
        checked_output(Path("x.png"))
    with pytest.raises(SettingsError):
        figure_format(Path("x.parquet"), "output")


def test_the_library_knows_the_same_names():
    from galsmith.compare import NAMED_CUTS, PAPERS
    from galsmith.data.transforms import TransformSettings

    assert tuple(PAPERS) == PAPER_NAMES
    assert tuple(NAMED_CUTS) == CUT_NAMES
    assert set(TransformSettings.model_fields) == TRAIN_SETTINGS["transform"]
    for name, simulator in SIMULATORS.items():
        assert set(priors_named(name, name)) == set(simulator.load(simulator.settings).model_fields)


def test_the_library_knows_the_same_settings_of_training_and_models():
    pytest.importorskip("torch")
    from galsmith.training import TrainingSettings

    assert set(TrainingSettings.model_fields) == TRAIN_SETTINGS["training"]
    for name, listing in FAMILIES.items():
        if listing.config:
            assert (
                listing.config
                == f"{family_named(name).config.__module__}:{family_named(name).config.__name__}"
            )


def test_sets_with_names_are_looked_for_by_their_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert path_of_set("ours=there") == "there"
    (tmp_path / "a=b").touch()
    assert path_of_set("a=b") == "a=b"
