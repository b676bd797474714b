"""``galsmith measure`` on image files: options, faults, outcome."""

import json
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galsmith.cli import main
from galsmith.measure.table_formats import read_table
from galsmith.seeds import random_stream


@pytest.fixture
def cutouts(tmp_path):
    """Two galaxies of 64 px, each with its map in the next HDU."""
    y, x = np.mgrid[:64, :64]
    for k, name in enumerate(("a", "b")):
        noise = random_stream(9, "tests.measure_command", k).normal(0, 0.3, (64, 64))
        image = 100 * np.exp(-np.hypot((x - 31.5) / 1.3, y - 31.5) / (3 + k)) + noise
        labels = (np.hypot(x - 31.5, y - 31.5) < 15).astype(np.int16)
        units = [fits.PrimaryHDU(image.astype(np.float32)), fits.ImageHDU(labels, name="SEG")]
        (tmp_path / "in").mkdir(exist_ok=True)
        fits.HDUList(units).writeto(tmp_path / "in" / f"{name}.fits")
    return tmp_path / "in"


def test_one_file_is_measured_without_pandas_and_with_the_collector_on(cutouts, tmp_path):
    words = ["measure", str(cutouts / "a.fits"), "-o", str(tmp_path / "t.parquet"), "--sersic", "none"]
    code = (
        f"import gc, sys; sys.argv = ['galsmith', *{words!r}]; from galsmith.cli import main; code = main(); "
        "print(code, 'pandas' in sys.modules, 'pyarrow' in sys.modules, gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False True True", done.stderr


@pytest.fixture
def cutouts_here(cutouts, monkeypatch):
    """The same, in the working directory."""
    monkeypatch.chdir(cutouts)
    return cutouts


def run(capsys, *words):
    code = main(["measure", *(str(word) for word in words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits", ".csv"])
def test_a_folder_of_cutouts_becomes_a_table_of_any_format(cutouts, tmp_path, capsys, suffix):
    table = tmp_path / f"table{suffix}"
    code, out, err = run(capsys, cutouts, "-o", table, "--sersic", "none", "--json")
    assert code == 0, err
    said = json.loads(out.splitlines()[-1])
    assert (said["output"], said["numbers"]["n_galaxies"]) == (str(table), 2)
    back = Table.read(table, format="ascii.csv") if suffix == ".csv" else read_table(table)
    assert list(back["object_id"]) == ["a", "b"]
    assert np.all(np.asarray(back["r_half_pix"]) > 3)
    assert ("CSV keeps neither units" in err) == (suffix == ".csv")


def test_named_options_are_the_settings_of_the_table(cutouts, tmp_path, capsys):
    words = [
        "--segmentation",
        "survey",
        "--sky",
        "annulus",
        "--sersic",
        "none",
        "--gain",
        "2.5",
        "--workers",
        1,
    ]
    code, _, err = run(capsys, cutouts / "a.fits", "-o", tmp_path / "t.parquet", *words)
    assert code == 0, err
    settings = read_table(tmp_path / "t.parquet").meta["provenance"]["settings"]
    assert [settings[key] for key in ("segmentation", "sky", "sersic", "gain")] == [
        "survey",
        "annulus",
        "none",
        2.5,
    ]
    assert settings["quantities"] == ["morphology", "power", "details"]  # as of a store


def test_cutouts_around_positions_take_the_central_source(cutouts, tmp_path, capsys):
    (tmp_path / "c.csv").write_text("id,x,y\none,31.5,31.5\n")
    words = ["--catalog", tmp_path / "c.csv", "--cutout", 48, "--sersic", "none"]
    code, _, err = run(capsys, cutouts / "a.fits", *words, "-o", tmp_path / "t.parquet")
    assert code == 0, err
    table = read_table(tmp_path / "t.parquet")
    assert table.meta["provenance"]["settings"]["segmentation"] == "survey"
    assert table["center_x_pix"][0].value == pytest.approx(31.5, abs=0.2)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a.fits"], 2, "nothing to write: name the table with -o"),
        (["a.fits", "-o", "t.txt"], 2, "wanted a name that ends in .parquet, .ecsv, .fits or .csv"),
        (["c.fits", "-o", "t.parquet"], 1, "c.fits: there is no such file, folder or store (did you mean"),
        (["a.fits", "-o", "t.parquet", "--index", "1"], 2, "give --figure PATH.png as well"),
        (["a.fits", "-o", "t.parquet", "--label", "one"], 2, "wanted whole numbers, such as 3 or 3,7,12"),
        (
            ["a.fits", "-o", "t.parquet", "--hdu", "SCI"],
            1,
            "has no HDU SCI; images are in 0 (PRIMARY), 1 (SEG)",
        ),
        (["a.fits", "-o", "t.parquet", "--segmap", "[1]", "--label", "7"], 1, "has no label 7; it has 1"),
        (["a.fits", "-o", "t.parquet", "--sky", "box", "--set", "sky=box"], 2, "give one of them"),
        (["a.fits", "b.fits", "-o", "t.parquet", "--segmap", "a.fits[1]"], 1, "one file for 2 images"),
        (["a.fits", "-o", "t.parquet", "--workers", "0"], 2, "--workers 0: wanted 1 or more"),
        (["a.fits", "-o", "t.parquet", "--sersic", "exact"], 2, "Choose from"),
        (["a.fits", "--figure", "g.jpg"], 2, "--figure g.jpg: wanted a name that ends in .png, .pdf or .svg"),
        (
            ["a.fits", "--figure", "g.png", "--index", "5"],
            2,
            "--index 5: there is 1 galaxy; wanted 0 to 0",
        ),
        (["a.fits", "--figure", "g.png", "--id", "aa"], 2, "there is no such galaxy (did you mean 'a'?)"),
    ],
)
def test_each_fault_is_one_line_and_leaves_nothing(cutouts_here, capsys, words, code, said):
    ended, _, error = run(capsys, *words)
    assert said in error
    assert ended == code
    assert len([line for line in error.splitlines() if line.startswith("galsmith: ")]) == 1
    assert sorted(path.name for path in cutouts_here.iterdir()) == ["a.fits", "b.fits"]


def test_options_of_files_are_refused_for_a_store(cutouts, tmp_path, capsys):
    assert main(["ingest", "fits", str(cutouts), "-o", str(tmp_path / "store"), "--quiet"]) == 0
    code, _, error = run(capsys, tmp_path / "store", "-o", tmp_path / "t.parquet", "--segmap", "[1]")
    assert (code, "--segmap [1]: belongs to image files" in error, "ignore" in error) == (2, True, False)
    _, _, error = run(capsys, tmp_path / "store", "-o", tmp_path / "t.parquet", "--sigma", "none")
    assert """is left out with --set 'ignore=["noise"]'""" in error


@pytest.mark.parametrize("source", ["store", "files"])
def test_a_figure_of_one_galaxy(cutouts, tmp_path, capsys, source):
    given = cutouts / "b.fits"
    words = ["--segmap", "[1]"]
    if source == "store":
        assert main(["ingest", "fits", str(cutouts), "-o", str(tmp_path / "store"), "--quiet"]) == 0
        given, words = tmp_path / "store", ["--id", "b"]
    code, out, err = run(capsys, given, *words, "--figure", tmp_path / "g.png", "--sersic", "none")
    assert code == 0, err
    assert "drew galaxy" in out
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run(capsys, given, *words, "--figure", tmp_path / "g.png", "--sersic", "none")
    assert (code, "g.png: is already there" in err) == (0, True)
    code, _, err = run(capsys, given, *words, "--figure", tmp_path / "g.png")
    assert (code, "already exists" in err) == (2, True)
    both = ["--figure", tmp_path / "g.png", "--overwrite", "-o", tmp_path / "t.parquet", "--sersic", "none"]
    code, out, err = run(capsys, given, *words, *both)
    assert [line.split()[0] for line in out.splitlines()] == ["drew", "measure:", "next:"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["measure", "nofile.fits", "-o", "t.parquet"],
            "nofile.fits: there is no such file, folder or store",
        ),
        (["measure", "nofile.fits"], "nothing to write"),
        (["measure", "nofile.fits", "--nonsense"], "Unknown option: --nonsense"),
    ],
)
def test_what_needs_no_reading_is_refused_before_anything_that_reads_is_imported(tmp_path, words, said):
    program = f"import sys; from galsmith.cli import main; main({words}); print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said in ended.stderr
    imported = set(ended.stdout.split())
    assert "cyclopts" in imported
    assert imported.isdisjoint({"astropy.table", "numba", "pyarrow", "scipy", "torch"})


def test_a_flag_that_counts_says_which_option_changes_it(tmp_path, capsys):
    """A sky that was not taken off: the summary and the figure name the option, and the option mends it."""
    y, x = np.mgrid[:64, :64]
    noise = random_stream(10, "tests.measure_command").normal(0, 0.3, (64, 64))
    image = 40.0 + 100 * np.exp(-np.hypot(x - 31.5, y - 31.5) / 4) + noise
    fits.PrimaryHDU(image.astype(np.float32)).writeto(tmp_path / "a.fits")
    words = [tmp_path / "a.fits", "--sersic", "none", "-o"]
    code, out, err = run(capsys, *words, tmp_path / "t.parquet")
    assert code == 0, err
    assert "not_background_subtracted (1): the sky's mean is farther" in out
    assert "--set subtract_background=true" in out
    code, out, err = run(capsys, *words, tmp_path / "u.parquet", "--set", "subtract_background=true")
    assert code == 0, err
    assert "not_background_subtracted" not in out


def test_every_way_out_names_options_that_there_are():
    from galsmith.cli.flags import ARGUMENT, in_flags
    from galsmith.measure import FLAGS

    ways = [flag.way_out for flag in FLAGS.values() if flag.way_out]
    assert len(ways) > 25
    for way in ways:
        assert "`" not in in_flags(way, "measure"), way
        assert in_flags(way, "measure").count("--") == len(ARGUMENT.findall(way)), way
