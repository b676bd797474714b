"""Sets that somebody else saved, as pictures, FITS or arrays, through measure, compare and report."""

import json

import h5py
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galsmith.cli import main
from galsmith.compare import read_card
from galsmith.data.store import open_store
from galsmith.measure.table_formats import read_table

QUICK = ("--workers", "1", "--quiet")


def drawn(seed, sharpness=1.0):
    """Sixty round galaxies of 32 pixels as pictures, [galaxy, y, x, 3] uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32] - 15.5
    ratio, size = rng.uniform(0.4, 1, (60, 1, 1)), rng.uniform(2.5, 5, (60, 1, 1)) / sharpness
    light = 200 * np.exp(-np.hypot(x, y / ratio) / size)
    noisy = light[..., np.newaxis] * (0.8, 1.0, 0.7) + rng.normal(20, 4, (60, 32, 32, 3))
    return noisy.clip(0, 255).round().astype(np.uint8)


def save(images, place):
    """Save as the name says: a folder of PNG or of FITS files, or an array of a file."""
    if place.suffix == ".h5":
        with h5py.File(place, "w") as file:
            file.create_dataset(
                "images", data=images[:, ::-1], chunks=(min(16, len(images)), 32, 32, 3), compression="gzip"
            )
    elif place.suffix == ".npz":
        np.savez_compressed(place, images=images[:, ::-1])
    else:
        place.mkdir()
        for number, image in enumerate(images):
            if "fits" in place.name:
                cube = np.moveaxis(image[::-1], -1, 0).astype(">f4")
                header = fits.Header({"BAND1": "red", "BAND2": "green", "BAND3": "blue", "BUNIT": "display"})
                fits.PrimaryHDU(cube, header).writeto(place / f"g{number:02d}.fits")
            else:
                Image.fromarray(image).save(place / f"g{number:02d}.png")
    return place


@pytest.fixture
def measured(tmp_path):
    """Save a set in some form and measure it."""

    def measure(images, form, *options):
        place, table = save(images, tmp_path / form), tmp_path / f"{form}.parquet"
        assert main(["measure", str(place), "-o", str(table), *QUICK, *options]) == 0
        return table

    return measure


def test_the_form_that_a_set_was_saved_in_does_not_change_its_numbers(measured):
    images = drawn(0)[:8]
    tables = [read_table(measured(images, form)) for form in ("a_png", "a.h5", "a.npz")]
    tables.append(read_table(measured(images, "a_fits", "--band", "green")))
    for other in tables[1:]:
        assert (other.meta["band"], other.meta["flux_unit"]) == ("green", "display")
        for name in tables[0].colnames:
            if name not in ("object_id", "file"):
                np.testing.assert_array_equal(
                    np.asarray(other[name]), np.asarray(tables[0][name]), err_msg=name
                )


@pytest.mark.parametrize("form", ["theirs_png", "theirs.h5", "theirs.npz"])
def test_two_commands_judge_a_set_against_a_table_of_another_form(measured, tmp_path, form, capsys):
    real, theirs = measured(drawn(0), "real_png"), measured(drawn(1, 1.6), form)
    assert main(["compare", str(real), str(theirs), "-o", str(tmp_path / "card.json"), "--quiet"]) == 0
    comparison = read_card(tmp_path / "card.json").judgment().comparison
    assert any(item.p_family < 0.05 for item in comparison.counted)
    assert "not compared" not in capsys.readouterr().err


@pytest.mark.slow
def test_sets_of_different_bands_are_refused_and_other_bands_do_no_harm(measured, tmp_path, capsys):
    card = str(tmp_path / "card.json")
    green = measured(drawn(0), "green_png")
    red = measured(drawn(1), "red.h5", "--band", "red")
    assert main(["compare", str(green), str(red), "-o", card, "--quiet"]) == 1
    assert "measured with band = green, the generated set with red" in capsys.readouterr().err
    assert main(["ingest", "arrays", str(tmp_path / "red.h5"), "-o", str(tmp_path / "store"), "--quiet"]) == 0
    store = str(tmp_path / "store.parquet")
    assert main(["measure", str(tmp_path / "store"), "-o", store, *QUICK]) == 0
    assert main(["compare", str(green), store, "-o", card, "--quiet"]) == 0


@pytest.mark.slow
def test_compare_takes_images_in_any_form_and_looks_for_copies_too(tmp_path):
    real = drawn(0)
    names = {"real_png": real, "theirs.h5": drawn(1), "copied.npz": real, "train_png": drawn(2)}
    places = {name: str(save(images, tmp_path / name)) for name, images in names.items()}
    words = ["compare", places["real_png"], f"{places['theirs.h5']}:images", f"copies={places['copied.npz']}"]
    words += ["-o", str(tmp_path / "card.json"), "--training", places["train_png"], *QUICK]
    assert main(words) == 0
    card = read_card(tmp_path / "card.json")
    assert [judgment.name for judgment in card.judgments] == ["theirs", "copies"]
    assert all(len(judgment.memorization) == 1 for judgment in card.judgments)
    stores = {path.name: open_store(path) for path in (tmp_path / "card.measurements").glob("*.store")}
    assert set(stores) == {"reference.store", "theirs.store", "copies.store", "training-images.store"}
    assert set(stores["training-images.store"].catalog["split"]) == {"train"}
    assert main(["report", str(tmp_path / "card.json"), "-o", str(tmp_path / "page"), "--quiet"]) == 0
    assert (tmp_path / "page" / "index.html").stat().st_size > 100_000


@pytest.mark.slow
def test_a_repeated_comparison_finds_its_stores_and_other_files_are_not_taken_for_them(tmp_path, capsys):
    real, theirs = save(drawn(0), tmp_path / "real.h5"), save(drawn(1), tmp_path / "theirs_png")
    words = ["compare", str(real), str(theirs), "-o", str(tmp_path / "card.json"), *QUICK]
    assert main(words) == 0
    first = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").unlink()
    assert main(words) == 0
    again = json.loads((tmp_path / "card.json").read_text())
    assert again["judgments"] == first["judgments"]
    (tmp_path / "card.json").unlink()
    (theirs / "g00.png").unlink()
    assert main(words) == 2
    assert "theirs_png.store" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert read_card(tmp_path / "card.json").judgment().comparison.generated.n_measured == 59


def test_images_that_cannot_be_read_alone_name_the_way_out(tmp_path, capsys):
    save(drawn(0), tmp_path / "real_png")
    np.save(tmp_path / "cube.npy", np.ones((12, 8, 8, 8)))
    card = str(tmp_path / "card.json")
    assert (
        main(["compare", str(tmp_path / "real_png"), str(tmp_path / "cube.npy"), "-o", card, "--quiet"]) == 1
    )
    said = capsys.readouterr().err
    assert "does not tell which axis is the band" in said
    assert "galsmith ingest has options for it" in said
    assert (
        main(["compare", str(tmp_path / "none.h5"), str(tmp_path / "cube.npy"), "-o", card, "--quiet"]) == 1
    )
    assert (
        "none.h5: there is no such file; wanted an .h5 .hdf5 .hdf .he5 .npy .npz file\n"
        in capsys.readouterr().err
    )
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(tmp_path / "empty"), str(tmp_path / "cube.npy"), "-o", card, "--quiet"]) == 1
    assert "empty: is no store, and holds no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hdu", "1"), "--hdu 1: has no meaning for .h5 .hdf5 .hdf .he5 .npy .npz files"),
        (("--band", "gren"), "--band gren: the images have no such band (did you mean 'green'?)"),
        (("--bands", "g,r"), "--bands g,r: names 2 bands, "),
    ],
)
def test_options_that_mean_nothing_for_an_array_are_refused(tmp_path, capsys, options, said):
    place = save(drawn(0)[:2], tmp_path / "set.h5")
    assert main(["measure", str(place), "-o", str(tmp_path / "t.parquet"), *options, "--quiet"]) == 2
    assert said in capsys.readouterr().err


def test_maps_of_images_in_one_file_lie_in_one_file(tmp_path, capsys):
    place = save(drawn(0)[:2], tmp_path / "set.h5")
    output = str(tmp_path / "t.parquet")
    assert main(["measure", str(place), "-o", output, "--segmap", "seg.fits", "--quiet"]) == 1
    said = "--segmap seg.fits: wanted an array of a file that holds one an image, [galaxy, y, x]"
    assert said in capsys.readouterr().err


def test_options_of_arrays_are_refused_for_pictures_and_stores(tmp_path, capsys):
    place, output = save(drawn(0)[:2], tmp_path / "a_png"), str(tmp_path / "t.parquet")
    assert main(["measure", str(place), "-o", output, "--band-axis", "last", "--quiet"]) == 2
    assert "--band-axis last: has no meaning for .jpeg .jpg .png files" in capsys.readouterr().err
    assert main(["ingest", "folder", str(place), "-o", str(tmp_path / "store"), "--quiet"]) == 0
    assert main(["measure", str(tmp_path / "store"), "-o", output, "--flux-unit", "nJy", "--quiet"]) == 2
    assert "--flux-unit nJy: belongs to image files" in capsys.readouterr().err
    array = save(drawn(0)[:2], tmp_path / "set.h5")
    assert main(["measure", str(array), str(array), "-o", output, "--quiet"]) == 1
    assert "measure each of .h5 .hdf5 .hdf .he5 .npy .npz by itself" in capsys.readouterr().err
