"""The whole path through the command line: every verb, every artifact, and each again where it is done."""

import json

import numpy as np
import pytest
from astropy.table import QTable

from galsmith.cli import main
from galsmith.data.store import open_store

SMALL_MODEL = ("model.width=32", "model.depth=1", "model.n_components=16", "training.sample_grids=1")


def run(*words):
    """Run one command that shows nothing; give its exit code."""
    return main([*(str(word) for word in words), "--quiet"])


def train(data, output, *more):
    settings = [word for setting in SMALL_MODEL for word in ("--set", setting)]
    return run(
        "train",
        "pca_diffusion",
        "--data",
        data,
        "-o",
        output,
        "--images",
        1024,
        "--device",
        "cpu",
        *settings,
        *more,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything that the verbs make, from 64 galaxies."""
    place = tmp_path_factory.mktemp("path")
    codes = [
        run("simulate", "sersic", "-n", 64, "--recipe", "sersic-32", "--seed", 1, "-o", place / "galaxies"),
        train(place / "galaxies", place / "run"),
        run("sample", place / "run", "-n", 16, "--seed", 1, "--device", "cpu", "-o", place / "generated"),
        run("measure", place / "galaxies", "--limit", 12, "--workers", 1, "-o", place / "galaxies.parquet"),
        run("measure", place / "generated", "--limit", 12, "--workers", 1, "-o", place / "generated.parquet"),
        run(
            "compare",
            place / "galaxies.parquet",
            place / "generated.parquet",
            "-o",
            place / "comparison.json",
        ),
        run("report", place / "comparison.json", "-o", place / "report"),
    ]
    assert codes == [0] * 7
    return place


def test_drawn_galaxies_have_the_format_of_the_source(folder):
    source, drawn = open_store(folder / "galaxies"), open_store(folder / "generated")
    assert (drawn.header.bands, drawn.header.flux_unit) == (source.header.bands, source.header.flux_unit)
    assert drawn.header.pixel_scale_arcsec == source.header.pixel_scale_arcsec
    assert drawn.stacked().shape == (16, 1, 32, 32)
    assert np.isfinite(drawn.stacked()).all()


def test_each_artifact_names_its_parent_by_hash(folder):
    source, drawn = open_store(folder / "galaxies"), open_store(folder / "generated")
    page = json.loads((folder / "run" / "snapshot" / "snapshot.json").read_text())
    table = QTable.read(folder / "generated.parquet")
    comparison = json.loads((folder / "comparison.json").read_text())
    assert page["card"]["provenance"]["parents"][0]["content_hash"] == source.content_hash
    assert table.meta["provenance"]["parents"][0]["content_hash"] == drawn.content_hash
    judged = comparison["judgments"][0]["comparison"]["generated"]
    assert judged["content_hash"] == table.meta["content_hash"]


def test_the_page_is_one_file_that_asks_for_nothing(folder):
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert 'src="http' not in page
    assert 'href="http' not in page.replace('href="https://', 'link="')
    assert "data:image/png;base64," in page or "<svg" in page


@pytest.mark.parametrize(
    ("thing", "kind"),
    [
        ("galaxies", "store"),
        ("run", "run"),
        ("run/snapshot", "snapshot"),
        ("generated", "store"),
        ("generated.parquet", "table of measurements"),
        ("comparison.json", "comparison"),
        ("report", "report"),
    ],
)
def test_info_describes_each_artifact(folder, thing, kind, capsys):
    assert main(["info", str(folder / thing), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["kind"] == kind
    assert main(["info", str(folder / thing)]) == 0
    assert kind in capsys.readouterr().out


def test_json_states_what_was_made(folder, tmp_path, capsys):
    words = [
        "sample",
        folder / "run",
        "-n",
        "4",
        "--seed",
        "1",
        "-o",
        tmp_path / "four",
        "--device",
        "cpu",
        "--json",
    ]
    assert main([str(word) for word in words]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["verb"] == "sample"
    assert line["output"] == str(tmp_path / "four")
    assert line["content_hash"] == open_store(tmp_path / "four").content_hash
    assert line["numbers"]["n_images"] == 4


def test_the_first_of_few_are_the_first_of_many(folder, tmp_path):
    assert (
        run("sample", folder / "run", "-n", 3, "--seed", 1, "--device", "cpu", "-o", tmp_path / "three") == 0
    )
    few, many = open_store(tmp_path / "three"), open_store(folder / "generated")
    np.testing.assert_array_equal(few.stacked(), many.select([0, 1, 2]).stacked())


def test_a_finished_run_has_nothing_left_to_do(folder):
    before = (folder / "run" / "snapshot" / "snapshot.safetensors").read_bytes()
    assert train(folder / "galaxies", folder / "run") == 0
    assert (folder / "run" / "snapshot" / "snapshot.safetensors").read_bytes() == before


def test_stores_are_compared_by_measuring_them_first(folder, tmp_path):
    words = ["compare", folder / "galaxies", folder / "generated", "-o", tmp_path / "c.json", "--workers", 1]
    assert run(*words, "--limit", 10) == 0
    assert len(list((tmp_path / "c.measurements").glob("*.parquet"))) == 2


OTHERS = {
    "simulate": "simulate sersic -n 4 -o {}/galaxies",
    "sample": "sample {}/run -n 4 --device cpu -o {}/generated",
    "measure": "measure {}/galaxies --limit 11 -o {}/galaxies.parquet",
    "compare": "compare {}/galaxies.parquet {}/generated.parquet --seed 1 -o {}/comparison.json",
    "report": "report {}/other.json -o {}/report",
}
SAME = {
    "simulate": "simulate sersic -n 64 --recipe sersic-32 --seed 1 -o {}/galaxies",
    "sample": "sample {}/run -n 16 --seed 1 --device cpu -o {}/generated",
    "measure": "measure {}/galaxies --limit 12 --workers 2 -o {}/galaxies.parquet",
    "compare": "compare {}/galaxies.parquet {}/generated.parquet -o {}/comparison.json",
    "report": "report {}/comparison.json -o {}/report",
}


@pytest.mark.parametrize("verb", OTHERS)
def test_what_other_settings_made_is_not_replaced(folder, verb, capsys):
    page = json.loads((folder / "comparison.json").read_text())
    del page["checksum"]  # edited by hand
    (folder / "other.json").write_text(json.dumps(page))
    assert main(OTHERS[verb].replace("{}", str(folder)).split()) == 2
    assert "already exists" in capsys.readouterr().err


@pytest.mark.parametrize("verb", SAME)
def test_what_the_same_command_made_is_there_already(folder, verb, capsys):
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(SAME[verb].replace("{}", str(folder)).split()) == 0
    assert "is already there, made by the same settings" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == files


def test_a_run_of_other_settings_is_refused(folder, capsys):
    assert train(folder / "galaxies", folder / "run", "--set", "training.batch_size=32") == 2
    assert "training.batch_size was" in capsys.readouterr().err


def test_a_run_on_other_data_is_refused(folder, capsys):
    assert train(folder / "generated", folder / "run") == 2
    assert "the data were" in capsys.readouterr().err
