"""No verb harms what it reads, whatever it is told to overwrite; the command line and Python alike."""

import numpy as np
import pytest
from astropy.io import fits
from trees import hashes

from galsmith import simulate
from galsmith.cli import main
from galsmith.data import ingest
from galsmith.errors import SettingsError
from galsmith.measure import measure
from galsmith.training import remade_snapshot, train

COMMANDS = [
    "simulate sersic -n 4 -o thesis --overwrite",
    "simulate sersic -n 4 --recipe recipe.toml -o recipe.toml --overwrite",
    "ingest fits cut -o cut --overwrite",
    "ingest fits cut -o . --overwrite",
    "ingest fits cut -o cut/deep/set",
    "ingest fits linked -o cut --overwrite",
    "ingest folder cut -o CUT/../cut --overwrite",
    "ingest folder pictures --labels labels.csv -o labels.csv --overwrite",
    "ingest arrays set.h5:/images -o set.h5 --overwrite",
    "ingest store P/s -o P/s --overwrite",
    "ingest store P/s --properties labels.csv -o labels.csv --overwrite",
    "ingest cosmos cut -o cut --overwrite",
    "ingest skirt cut -o cut --overwrite",
    "ingest field cut -o cut --overwrite",
    "train demo --data P/s -o P --overwrite",
    "train demo --data P/s -o P/s --overwrite",
    "train demo --data P/s -o P/s/run",
    "train recipe.toml --images 64 --data P/s -o recipe.toml --overwrite",
    "train demo --data P/s --init-from run -o run --overwrite",
    "sample run -n 2 -o run --overwrite",
    "sample run -n 2 -o run/drawn",
    "snapshot run --half -o run --overwrite",
    "snapshot run --half -o run/small",
    "measure cut/one.fits -o cut/one.fits --overwrite",
    "measure hard.fits -o cut/one.fits --overwrite",
    "measure P/s -o P/s/catalog.parquet --overwrite",
    "measure cut -o cut/table.parquet",
    "measure cut/*.fits -o cut/one.fits --overwrite",
    "measure cut/one.fits --catalog labels.csv -o labels.csv --overwrite",
    "measure cut/one.fits --segmap map.fits -o map.fits --overwrite",
    "measure cut/one.fits --psf map.fits -o map.fits --overwrite",
    "measure cut/one.fits --figure cut/one.fits --overwrite",
    "compare a.parquet b.parquet -o a.parquet --overwrite",
    "compare a.parquet NAME=b.parquet -o b.parquet --overwrite",
    "compare a.parquet b.parquet --training P/s -o P/s/card.json",
    "compare P/s b.parquet -o P/s/card.json",
    "look P/s -o P/s/sheet.png",
    "look cut/one.fits -o cut/one.fits/sheet.png",
    "report card.json -o card.json --overwrite",
    "report card.json -o . --overwrite",
    "demo -o thesis --overwrite",
]


# A folder may bear the name of a recipe; `galsmith demo -o demo` trains the recipe demo in it.
NAMES_OF_RECIPES = [
    "simulate sersic -n 4 --recipe sersic-64 -o sersic-64/set",
    "train demo --images 64 --data P/s -o demo/run",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "store"
    simulate.sersic(place, n=4, seed=1, recipe="sersic-32")
    return place


@pytest.fixture
def place(tmp_path, monkeypatch, store):
    """A folder of inputs of every kind."""
    for name in ("thesis", "cut", "pictures", "linked", "run/snapshot", "P"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    pixels = np.arange(64.0, dtype=np.float32).reshape(8, 8)
    for name in ("cut/one.fits", "cut/two.fits", "map.fits"):
        fits.writeto(tmp_path / name, pixels)
    (tmp_path / "hard.fits").hardlink_to(tmp_path / "cut" / "one.fits")
    (tmp_path / "linked" / "one.fits").symlink_to(tmp_path / "cut" / "one.fits")
    (tmp_path / "run" / "settings.toml").write_text("# Settings of one training run\n")
    (tmp_path / "run" / "snapshot" / "snapshot.safetensors").write_text("weights")
    (tmp_path / "card.json").write_text('{"format": "galsmith-comparison"}')
    for name in ("labels.csv", "set.h5", "a.parquet", "b.parquet"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "recipe.toml").write_text('[model]\nfamily = "pca_diffusion"\n')
    (tmp_path / "P" / "s").symlink_to(store)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_harm_is_refused_and_nothing_touched(command, place, store, capsys):
    before = hashes(place), hashes(store)
    assert main(command.split()) == 2
    assert (hashes(place), hashes(store)) == before
    message = capsys.readouterr().err
    # refused as an input, or before that because no such file could be meant
    assert any(said in message for said in ("input", "made by galsmith", "wanted priors", "wanted a name"))


@pytest.mark.parametrize("command", NAMES_OF_RECIPES)
def test_the_name_of_a_recipe_is_no_folder(command, place):
    output = place / command.rpartition(" ")[2]
    output.parent.mkdir()
    assert main([*command.split(), "--quiet"]) == 0
    assert output.is_dir()


CALLS = {
    "ingest": lambda place: ingest.fits(place / "cut", place / "cut", overwrite=True),
    "ingest store": lambda place: ingest.store(place / "P" / "s", place / "P" / "s", overwrite=True),
    "train": lambda place: train("demo", place / "P" / "s", place / "P", overwrite=True),
    "snapshot": lambda place: remade_snapshot(place / "run", place / "run", half=True, overwrite=True),
    "measure": lambda place: measure(
        place / "P" / "s", place / "P" / "s" / "catalog.parquet", overwrite=True
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_python_refuses_just_the_same(name, place, store):
    before = hashes(place), hashes(store)
    with pytest.raises(SettingsError, match="which would be harmed"):
        CALLS[name](place)
    assert (hashes(place), hashes(store)) == before
