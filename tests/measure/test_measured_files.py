"""Measuring other people's files: the same numbers as measuring arrays, whole after a kill, and flagged rows."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.errors import InterruptedRunError, OutputExistsError, SettingsError
from galsmith.measure import MeasureSettings, chunks, measure
from galsmith.measure.compiled_engine import measure_morphology
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.table_formats import read_table
from galsmith.seeds import random_stream

QUICK = MeasureSettings(quantities=("morphology",), sersic="none")
PLACES = {3: (60, 70), 5: (150, 60), 9: (110, 150)}
IN_IMAGE = (
    "center_x_pix",
    "center_y_pix",
    "centroid_x_pix",
    "centroid_y_pix",
    "stamp_x_min_pix",
    "stamp_y_max_pix",
)


@pytest.fixture(scope="module")
def field(sersic, tmp_path_factory):
    """Three galaxies in one noisy image of 220 x 200 pixels, as FITS file with its map, mask and noise image."""
    rng = random_stream(5, "tests.measured_files.field")
    image = rng.normal(0, 0.5, (200, 220))
    labels = np.zeros(image.shape, dtype=np.int16)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for label, (x0, y0) in PLACES.items():
        stamp = sersic(81, r_eff=5.0 + label / 3, n=1.0 + label / 10, q=0.7, angle=label / 4)
        image[y0 - 40 : y0 + 41, x0 - 40 : x0 + 41] += stamp
        labels[np.hypot(x - x0, y - y0) < 18] = label
    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[75:78, 72:75] = 1
    noise = np.full(image.shape, 0.5) + np.sqrt(np.abs(image))
    path = tmp_path_factory.mktemp("field") / "field.fits"
    units = [fits.PrimaryHDU(image), *(fits.ImageHDU(array) for array in (labels, mask, noise))]
    fits.HDUList(units).writeto(path)
    return path


def opened(*images, **options):
    return open_galaxies(FileRequest(tuple(str(image) for image in images), **options))


def arrays(field):
    return [fits.getdata(field, hdu).astype(kind) for hdu, kind in enumerate((float, np.int32, bool, float))]


def test_labels_of_a_big_image_measure_as_in_the_whole_image(field, tmp_path):
    table = measure(
        opened(field, segmap="[1]", mask="[2]", sigma="[3]"), tmp_path / "t.parquet", settings=QUICK
    )
    image, labels, mask, noise = arrays(field)
    assert list(table["label"]) == sorted(PLACES)
    for row in table:
        whole = measure_morphology(
            GalaxyInput(image, labels=labels, label=int(row["label"]), mask=mask, sigma_map=noise),
            QUICK,
        )
        assert (row["flag"], row["flags"]) == (whole.flag, ",".join(whole.flags))
        for name, value in whole.values.items():
            if name != "flux_frame":  # the frame of a cutout is the cutout
                assert float(np.asarray(row[name])) == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_positions_are_those_of_the_image(field, tmp_path):
    Table({"id": ["left", "off", "top"], "x": [60.0, 500.0, 110.0], "y": [70.0, 3.0, 150.0]}).write(
        tmp_path / "c.csv"
    )
    galaxies = opened(field, catalog=tmp_path / "c.csv", cutout_pix=81)
    table = measure(galaxies, tmp_path / "t.parquet", settings=QUICK)
    assert list(table["object_id"]) == ["left", "off", "top"]
    assert list(table["flag"] == 4) == [False, True, False]
    assert (table["flags"][1], np.isnan(table["gini"][1])) == ("position_off_image", True)
    assert "x 500.0, y 3.0 is off the image of 220 x 200 pixels" in table["message"][1]
    for row, (x, y) in zip(table[[0, 2]], (PLACES[3], PLACES[9]), strict=True):
        assert row["center_x_pix"].value == pytest.approx(x, abs=0.5)
        assert row["center_y_pix"].value == pytest.approx(y, abs=0.5)


def test_the_table_says_what_made_it(field, tmp_path):
    table = measure(opened(field, segmap="[1]", labels=(5,)), tmp_path / "t.fits", settings=QUICK)
    back = read_table(tmp_path / "t.fits")
    assert back.meta == table.meta
    assert "given" in back.meta["segmentation"]
    assert back.meta["provenance"]["settings"]["files"]["labels"] == [5]
    roles = [parent["role"] for parent in back.meta["provenance"]["parents"]]
    assert roles == ["images (names, sizes, times)", "label_map (names, sizes, times)"]


def test_a_stopped_run_goes_on_to_the_same_table(field, tmp_path, monkeypatch):
    monkeypatch.setitem(chunks.GALAXIES_PER_CHUNK, "galsmith", 1)
    galaxies = opened(field, segmap="[1]")
    undisturbed = measure(galaxies, tmp_path / "whole.parquet", settings=QUICK)

    def stop_after_the_first(event):
        if event.stage == "measuring" and event.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError, match="measuring stopped at 1 of 3 galaxies"):
        measure(galaxies, tmp_path / "t.parquet", settings=QUICK, progress=stop_after_the_first)
    first = next((tmp_path / "t.parquet.partial").glob("chunk-*.parquet"))
    written = first.stat().st_mtime_ns
    with pytest.raises(OutputExistsError, match="a partial table made by other settings or data"):
        measure(galaxies, tmp_path / "t.parquet")
    seen = []
    resumed = measure(
        galaxies,
        tmp_path / "t.parquet",
        settings=QUICK,
        progress=lambda event: seen.append((event.stage, event.done, first.stat().st_mtime_ns)),
    )
    assert next(done for stage, done, _ in seen if stage == "measuring") == 1
    assert {time for *_, time in seen} == {written}
    assert resumed.meta["content_hash"] == undisturbed.meta["content_hash"]
    assert not (tmp_path / "t.parquet.partial").exists()


def test_threads_do_not_change_the_table(field, tmp_path, monkeypatch):
    monkeypatch.setitem(chunks.GALAXIES_PER_CHUNK, "galsmith", 1)
    hashes = {
        measure(
            opened(field, segmap="[1]"), tmp_path / f"{workers}.parquet", settings=QUICK, workers=workers
        ).meta["content_hash"]
        for workers in (1, 3)
    }
    assert len(hashes) == 1


def test_every_band_of_a_cube_has_a_row(field, tmp_path):
    image, labels, *_ = arrays(field)
    cube = np.stack([image, 2 * image, 3 * image])
    fits.PrimaryHDU(cube).writeto(tmp_path / "cube.fits")
    fits.PrimaryHDU(labels).writeto(tmp_path / "seg.fits")
    galaxies = opened(
        tmp_path / "cube.fits",
        segmap=str(tmp_path / "seg.fits"),
        bands=("g", "r", "i"),
        labels=(3, 9),
    )
    table = measure(galaxies, tmp_path / "t.parquet", settings=QUICK.model_copy(update={"band": "all"}))
    assert list(table["label"]) == [3, 3, 3, 9, 9, 9]
    assert list(table["band"]) == ["g", "r", "i"] * 2
    flux = np.asarray(table["flux"])
    np.testing.assert_allclose(flux[1::3] / flux[::3], 2.0, rtol=1e-9)
    np.testing.assert_allclose(table["gini"][1::3], table["gini"][::3], rtol=1e-9)


def test_a_point_spread_function_that_sums_to_anything_is_normalized(field, tmp_path):
    y, x = np.mgrid[-4:5, -4:5]
    psf = np.exp(-(x**2 + y**2) / 4.0)
    index = []
    for factor in (1.0, 37.0):
        fits.PrimaryHDU(psf * factor).writeto(tmp_path / f"psf{factor:g}.fits")
        galaxies = opened(field, segmap="[1]", labels=(9,), psf=str(tmp_path / f"psf{factor:g}.fits"))
        index.append(measure(galaxies, tmp_path / f"{factor:g}.parquet")["sersic_index"][0])
    without = measure(opened(field, segmap="[1]", labels=(9,)), tmp_path / "no.parquet")["sersic_index"][0]
    assert index[1] == pytest.approx(index[0], rel=1e-6)
    assert abs(without - index[0]) > 1e-3


def test_nothing_is_written_where_the_output_is_refused(field, tmp_path):
    (tmp_path / "t.parquet").write_text("precious")
    galaxies = opened(field, segmap="[1]")
    with pytest.raises(OutputExistsError, match="already exists"):
        measure(galaxies, tmp_path / "t.parquet", settings=QUICK)
    with pytest.raises(SettingsError, match="wanted a name that ends in"):
        measure(galaxies, tmp_path / "t.txt", settings=QUICK)
    with pytest.raises(SettingsError, match="`workers=0`: wanted 1 or more"):
        measure(galaxies, tmp_path / "u.parquet", settings=QUICK, workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_a_table_may_lie_beside_files_and_never_in_their_place(field, tmp_path):
    (tmp_path / "a.fits").write_bytes(field.read_bytes())
    galaxies = opened(tmp_path / "*.fits")
    assert len(measure(galaxies, tmp_path / "t.parquet", settings=QUICK)) == 1
    for output in ("a.fits", "a.fits/t.parquet"):
        with pytest.raises(SettingsError, match="which would be harmed; choose another `output`"):
            measure(galaxies, tmp_path / output, settings=QUICK, overwrite=True)
    assert (tmp_path / "a.fits").read_bytes() == field.read_bytes()
