"""Contact sheets: which galaxies, in which order, how they look, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from galsmith.cli import main
from galsmith.data.store import write_store
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure, read_measurements
from galsmith.measure.table_formats import write_table
from galsmith.report import look
from galsmith.report.figures.painting import FIGURE
from galsmith.report.sheets.galaxies import chosen_entries, galaxies_of_set
from galsmith.report.sheets.run import count_panels, run_figure
from galsmith.report.sheets.sheet import grid_of, sheet_figure, shortened
from galsmith.report.sheets.tiles import NOT_KNOWN, Tile, bands_shown, picture, read_shown, stretches_of

COUNT = 12
MAGNITUDES = np.array([22.0, 19, 25, 21, np.nan, 18, 24, 20, np.nan, 23, 26, 17])


def set_of(count: int = COUNT, *, bands: tuple[str, ...] = ("g", "r", "i"), side: int = 16) -> ImageSet:
    """Galaxies that are redder from one to the next, with a bright pixel at the lower left."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    light = 10 * np.exp(-np.hypot(x, y) / 2)
    noise = np.random.default_rng(1).normal(0, 0.01, (count, len(bands), side, side))
    slopes = np.linspace(0.5, 2, count)[:, None] ** np.linspace(-1, 1, len(bands))
    images = slopes[:, :, None, None] * light + noise
    images[:, :, 0, 0] = 10
    images = image_set_from_arrays(images.astype(np.float32), ImageHeader(bands, "nJy", 0.2))
    images.catalog["magnitude"] = np.resize(MAGNITUDES, count)
    return images


def texts(figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("made") / "galaxies"
    write_store(place, set_of())
    return place


@pytest.fixture(scope="module")
def table(store: Path) -> Path:
    """A table of the store in another order, with made-up sizes and flags."""
    measured = measure(store, store.parent / "power.parquet", settings=MeasureSettings(quantities=("power",)))
    table = read_measurements(store.parent / "power.parquet")[::-1]
    assert len(measured) == COUNT
    table["r_half_pix"] = MAGNITUDES
    table["flag"] = np.where(np.arange(COUNT) < 3, [0, 1, 2] * 4, 0)
    file = store.parent / "table.parquet"
    write_table(file, table)
    return file


def test_a_store_shows_its_first_galaxies_and_says_of_how_many(store, tmp_path):
    sheet = look(store, tmp_path / "sheet.png", n=5)
    assert sheet.names == tuple(f"{k:08d}" for k in range(5))
    assert (sheet.kind, sheet.n_panels, sheet.n_there) == ("galaxies", 5, COUNT)
    assert look(set_of(3), tmp_path / "all.png").n_panels == 3


def test_a_seed_chooses_the_same_ones_again_and_another_one_others(store, tmp_path):
    first, again, other = (
        look(store, tmp_path / f"{k}.png", n=4, seed=seed).names for k, seed in enumerate((1, 1, 2))
    )
    assert first == again
    assert first != other
    assert list(first) == sorted(first)


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("smallest", [17, 18, 19, 20]),
        ("largest", [26, 25, 24, 23]),
        ("extremes", [17, 18, 25, 26]),
        ("spread", [17, 20, 23, 26]),
    ],
)
def test_sorted_galaxies_are_taken_from_where_they_are_asked(order, wanted):
    gathered = galaxies_of_set(set_of())
    rows, n_there = chosen_entries(gathered, n=4, where=None, sort="magnitude", order=order, seed=None)
    assert MAGNITUDES[rows].tolist() == wanted
    assert n_there == COUNT


def test_galaxies_without_a_value_come_last_and_only_where_there_is_room():
    gathered = galaxies_of_set(set_of())
    how = {"where": None, "sort": "magnitude", "order": "spread", "seed": None}
    every, _ = chosen_entries(gathered, n=50, **how)
    assert MAGNITUDES[every][:10].tolist() == sorted(MAGNITUDES[np.isfinite(MAGNITUDES)])
    assert every[10:].tolist() == [4, 8]
    assert np.isfinite(MAGNITUDES[chosen_entries(gathered, n=10, **how)[0]]).all()
    masked = set_of()
    masked.catalog["magnitude"] = np.ma.masked_greater(np.nan_to_num(MAGNITUDES), 24)
    rows, _ = chosen_entries(galaxies_of_set(masked), n=50, **how)
    assert set(rows[-2:]) == {2, 10}


def test_a_table_shows_its_own_rows_with_value_and_flag(table, tmp_path):
    sheet = look(table, tmp_path / "sheet.svg", sort="r_half_pix")
    assert sheet.names[0] == "00000000"  # the last row, of magnitude 17, is that of the first galaxy
    drawn = (tmp_path / "sheet.svg").read_text(encoding="utf-8")
    for words in ("table.parquet", "00000011", "suspect", "bad", "17.0 px", "sorted by r_half_pix"):
        assert f"<!-- {words}" in drawn or words in drawn
    bad = look(table, tmp_path / "bad.png", where="flag=1..")
    assert bad.names == ("00000010", "00000009")
    assert bad.n_there == 2


def test_a_table_whose_store_is_gone_says_so(table, tmp_path):
    lonely = read_measurements(table)
    lonely.meta["source"] = {**lonely.meta["source"], "path": "gone"}
    write_table(tmp_path / "lonely.parquet", lonely)
    with pytest.raises(InputError, match=r"its images \(gone\) are in no store and no files of one galaxy"):
        look(tmp_path / "lonely.parquet", tmp_path / "sheet.png")


def test_a_table_of_files_shows_the_files_while_they_are_there(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        pixels = np.random.default_rng(number).normal(size=(40, 40)).astype(np.float32)
        units = [fits.PrimaryHDU(), fits.ImageHDU(pixels, name="SCI"), fits.ImageHDU(pixels**0, name="ERR")]
        fits.HDUList(units).writeto(f"m{number}.fits")
    settings = MeasureSettings(quantities=("power",))
    measure("*.fits", "t.parquet", settings=settings)
    assert "taken from the files" in caplog.text
    caplog.clear()
    sheet = look("t.parquet", "sheet.png", sort="power_rings_01", order="largest")
    assert sorted(sheet.names) == ["m0", "m1", "m2"]
    assert "taken from the files" not in caplog.text  # pixels are shown, and no map is asked for
    Path("m1.fits").unlink()
    with pytest.raises(
        InputError, match=r"no files of one galaxy each that are there, m1\.fits\[1\] is not there"
    ):
        look("t.parquet", "other.png")


def test_files_are_shown_as_they_are_by_their_names(tmp_path):
    for number in range(3):
        pixels = np.random.default_rng(number).normal(size=(8 + number, 12))
        fits.writeto(tmp_path / f"m{number}.fits", pixels.astype(np.float32))
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(tmp_path / "a.png")
    assert look(str(tmp_path / "m*.fits"), tmp_path / "out" / "1.png").names == ("m0", "m1", "m2")
    several = [tmp_path / "m2.fits", tmp_path / "m0.fits"]
    assert look(several, tmp_path / "out" / "2.png").names == ("m2", "m0")
    assert look(tmp_path / "a.png", tmp_path / "out" / "3.png").names == ("a",)


@pytest.mark.parametrize(
    ("bands", "asked", "planes"),
    [
        ("r", None, (0,)),
        ("gr", None, (0, 1)),
        ("gri", None, (0, 1, 2)),
        ("ugrizyJHK", None, (0, 4, 8)),
        ("ugriz", "r", (2,)),
        ("ugriz", "g, r,z", (1, 2, 4)),
    ],
)
def test_bands_that_are_shown(bands, asked, planes):
    assert bands_shown(ImageHeader(tuple(bands), "nJy"), asked) == planes


def shown(images: ImageSet, stretch: str = "common", band: str | None = None):
    header = images.header
    read, messages = read_shown(
        galaxies_of_set(images).galaxies,
        range(len(images)),
        bands_shown(header, band),
        side_pix=200,
        progress=lambda event: None,
    )
    stretches = stretches_of(read, header, stretch)
    return [
        None if image is None else picture(image, one) for image, one in zip(read, stretches, strict=True)
    ], messages


@pytest.mark.parametrize("bands", [("g", "r"), ("g", "r", "i"), tuple("ugrizyJHK")])
def test_red_galaxies_are_red_and_row_0_is_at_the_bottom(bands):
    pictures, _ = shown(set_of(bands=bands))
    blue, red = (image[8, 8].astype(int) for image in (pictures[0], pictures[-1]))
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert pictures[0][-1, 0].min() > pictures[0][0, 0].max() + 100


def test_one_band_is_gray():
    pictures, _ = shown(set_of(), band="r")
    assert pictures[3].shape == (16, 16, 3)
    assert np.ptp(pictures[3].astype(int), axis=-1).max() == 0


def test_one_stretch_for_all_keeps_brightness_and_one_each_does_not():
    images = set_of(2, bands=("r",))
    faint = [images[0], images[0] / 100]
    both = image_set_from_arrays(faint, images.header)
    common, each = (shown(both, stretch)[0] for stretch in ("common", "each"))
    assert common[0].mean() > 1.3 * common[1].mean()
    assert each[0].mean() == pytest.approx(each[1].mean(), rel=0.02)
    white, _ = shown(both, "0..0.01")
    assert white[0][8, 8].tolist() == [255, 255, 255]


def test_pixels_without_a_value_have_their_color_and_an_image_without_any_says_so():
    images = [np.array(image) for image in set_of(3).pixels.read(range(3))]
    images[0][1, 2:4, 5] = np.nan
    images[1][:] = np.nan
    pictures, messages = shown(image_set_from_arrays(images, set_of().header))
    holes = np.argwhere((pictures[0] == NOT_KNOWN).all(axis=-1)).tolist()
    assert holes == [[12, 5], [13, 5]]
    assert pictures[1] is None
    assert messages == ["", "no pixel has a value", ""]
    assert Tile("a", pictures[0]).has_holes
    assert not Tile("b", pictures[2]).has_holes


def test_large_images_are_averaged_down_and_nan_does_not_spread():
    pixels = np.ones((1, 400, 400), dtype=np.float32)
    pixels[0, :100] = np.nan
    pixels[0, 200, 200] = np.nan
    images = image_set_from_arrays([pixels], ImageHeader(("r",), "nJy"))
    (small,), _ = read_shown(
        galaxies_of_set(images).galaxies, [0], [0], side_pix=100, progress=lambda event: None
    )
    assert small.shape == (1, 100, 100)
    assert np.isnan(small).sum() == 25 * 100
    assert np.nanmax(small) == np.nanmin(small) == 1.0


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (9, 4, 3), (40, 8, 5), (100, 12, 9)]
)
def test_grids_are_wider_than_high(count, columns, rows):
    grid = grid_of(count, columns=None, lines=1)
    assert (grid.columns, grid.rows) == (columns, rows)
    assert grid_of(count, columns=5, lines=1).columns == min(5, count)


def test_every_name_is_written_once_and_long_ones_are_shortened():
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    names = [f"a_very_long_name_of_a_galaxy_in_a_deep_survey_{k:03d}.fits" for k in range(30)]
    figure = sheet_figure(
        [Tile(name, pixels) for name in names], grid_of(30, columns=None, lines=1), title="t"
    )
    written = texts(figure)
    assert len(figure.axes[0].images) == 30
    assert len(set(written)) == 31
    assert all("…" in text for text in written[1:])
    assert shortened("short", 100, 7) == "short"
    renderer = FigureCanvasAgg(figure).get_renderer()
    tile = figure.axes[0].images[0].get_window_extent(renderer).width
    assert max(text.get_window_extent(renderer).width for text in figure.axes[0].texts[1:]) < tile


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_each_format_says_what_it_was_made_from_and_is_the_same_again(store, tmp_path, suffix):
    files = [tmp_path / f"{name}.{suffix}" for name in ("a", "b", "c")]
    for file, n in zip(files, (3, 3, 2), strict=True):
        look(store, file, n=n)
    assert files[0].read_bytes() == files[1].read_bytes()
    made_from = [FIGURE.fingerprint_of(file) for file in files]
    assert made_from[0] == made_from[1]
    assert made_from[0] != made_from[2]


def test_the_same_call_again_is_done_and_another_one_is_refused(store, tmp_path, caplog, monkeypatch):
    file = tmp_path / "sheet.png"
    first = look(store, file, n=3)
    before = file.read_bytes()
    with monkeypatch.context() as patched:  # neither of the two draws anything
        patched.setattr("galsmith.report.sheets.look.read_shown", None)
        assert look(store, file, n=3) == first
        assert "is already there" in caplog.text
        with pytest.raises(OutputExistsError, match="already exists"):
            look(store, file, n=4)
        with pytest.raises(TypeError, match="not callable"):
            look(store, tmp_path / "other.png", n=3)
    assert file.read_bytes() == before
    look(store, file, n=4, overwrite=True)
    assert file.read_bytes() != before


def write_run(folder: Path, *, lines: int = 60, grids: int = 5) -> Path:
    (folder / "samples").mkdir(parents=True)
    (folder / "settings.toml").write_text("# Settings\n")
    log = [
        {"images_seen": 100 * k, "seconds": k, "loss": 1 / k, "images_per_s": 5.0, "memory_mb": 9}
        for k in range(1, lines + 1)
    ]
    log += [
        {"images_seen": 100 * k, "mean distance": 3.0 / k, "evaluation_seconds": 1.0} for k in (10, 20, 60)
    ] * (lines > 0)
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, log)) + '\n{"images_se')
    for number in range(1, grids + 1):
        Image.new("RGB", (80, 40), (number, 0, 0)).save(folder / "samples" / f"grid-{number:010d}.png")
    return folder


def test_a_run_shows_its_curves_and_three_of_its_pictures(tmp_path):
    run = write_run(tmp_path / "run")
    figure = run_figure(run)
    titles = [axis.get_title(loc="left") for axis in figure.axes if axis.get_title(loc="left")]
    assert titles == ["loss", "mean distance", "images per s"]
    pictures = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert [round(255 * float(image[0, 0, 0])) for image in pictures] == [1, 3, 5]
    assert count_panels(run) == 6
    loss = figure.axes[0].lines[0].get_xydata()
    assert loss.shape == (60, 2)
    np.testing.assert_allclose(loss[:, 1], 1 / np.arange(1, 61))
    assert figure.axes[0].get_yscale() == "log"
    assert look(run, tmp_path / "run.pdf").n_panels == 6


def test_a_run_without_log_or_pictures_is_shown_as_far_as_it_goes(tmp_path):
    for name, without in (("a", {"grids": 0}), ("b", {"lines": 0})):
        run = write_run(tmp_path / name, **without)
        assert count_panels(run) == 3
        assert sum(bool(axis.images or axis.lines) for axis in run_figure(run).axes) == 3
    with pytest.raises(InputError, match="the run has written neither log nor pictures yet"):
        look(write_run(tmp_path / "c", lines=0, grids=0), tmp_path / "sheet.png")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, r"`n=0`: wanted 1 to 1,000 galaxies"),
        ({"columns": 0}, r"`columns=0`: wanted 1 or more"),
        ({"sort": "magnitud"}, r"`sort=magnitud`: no such column \(did you mean 'magnitude'\?\)"),
        ({"sort": "split"}, r"`sort=split`: the column holds no numbers"),
        (
            {"order": "smalest", "sort": "magnitude"},
            r"`order=smalest`: wanted .* \(did you mean 'smallest'\?\)",
        ),
        ({"order": "largest"}, r"`order=largest`: means something only with `sort`"),
        ({"where": "mag=1.."}, r"`where=mag`: no such column"),
        ({"band": "z"}, r"`band=z`: there is no such band; wanted of g, r, i"),
        ({"band": "g,r"}, r"`band=g,r`: wanted one band, or three"),
        ({"stretch": "5..1"}, r"`stretch=5\.\.1`: wanted common, each, or the fluxes"),
        ({"stretch": "bright"}, r"`stretch=bright`: wanted common, each, or the fluxes"),
    ],
)
def test_wrong_options_are_named(options, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        look(set_of(2), tmp_path / "sheet.png", **options)
    assert list(tmp_path.iterdir()) == []


def test_options_for_galaxies_mean_nothing_for_a_run(tmp_path):
    with pytest.raises(SettingsError, match=r"`band=r`: .*run is a run, which shows its curves and pictures"):
        look(write_run(tmp_path / "run"), tmp_path / "sheet.png", band="r")


def test_nothing_to_look_at_is_an_error(store, tmp_path):
    empty = set_of().select([])
    with pytest.raises(InputError, match="images in memory: is empty; there is nothing to look at"):
        look(empty, tmp_path / "sheet.png")
    with pytest.raises(InputError, match="galaxies: has no galaxy where magnitude=90"):
        look(store, tmp_path / "sheet.png", where="magnitude=90")
    with pytest.raises(
        InputError, match=r"there is no such file.*wanted a store, a table of galsmith measure, a run"
    ):
        look(tmp_path / "gone", tmp_path / "sheet.png")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(
        InputError, match="wanted a store, a table of galsmith measure, a run, or image files"
    ):
        look(tmp_path / "card.json", tmp_path / "sheet.png")
    QTable({"a": [1]}).write(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="a Parquet table without galsmith's measurements"):
        look(tmp_path / "other.parquet", tmp_path / "sheet.png")
    with pytest.raises(SettingsError, match="nothing to look at"):
        look([], tmp_path / "sheet.png")
    with pytest.raises(SettingsError, match="a store among 2 things"):
        look([store, tmp_path / "a.fits"], tmp_path / "sheet.png")
    with pytest.raises(SettingsError, match=r"`output=.*sheet\.jpg`: wanted a name that ends in \.png"):
        look(store, tmp_path / "sheet.jpg")
    assert not (tmp_path / "sheet.png").exists()


def test_the_command_says_what_it_made(store, tmp_path, capsys):
    words = [
        str(store),
        "-n",
        "5",
        "--sort",
        "magnitude",
        "--order",
        "largest",
        "-o",
        str(tmp_path / "s.png"),
        "--json",
    ]
    assert main(["look", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["numbers"] == {"kind": "galaxies", "n_panels": 5, "n_there": COUNT}
    with Image.open(tmp_path / "s.png") as picture_of_sheet:
        assert picture_of_sheet.width > 1000
    assert main(["look", str(store), "--sort", "magnitud", "-o", str(tmp_path / "t.png")]) == 2
    assert "--sort magnitud: no such column" in capsys.readouterr().err
