"""Galaxies drawn for the rows of a catalog: as asked to the bit, and rows that nobody can vouch for are named."""

import json
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from numpy.typing import NDArray

from galsmith.cli import main
from galsmith.data.store import StoreWriter, open_store
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.snapshot import load_snapshot
from galsmith.sampling import sample
from galsmith.seeds import derive_seed
from galsmith.training import train

ZERO_POINTS = {"g": 31.4, "r": 30.0}
MODEL = {"family": "diffusion", "channels": [8], "patch_pix": 4, "embedding_width": 8, "sampler_steps": 3}
COLOR, COLOR_SCATTER = 0.6, 0.05


def colored_blobs(n: int) -> ImageSet:
    """Round Gaussians in two bands whose color scatters by 0.05 mag, of a width and a stage in the catalog."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:16, :16] - 7.5
    width_pix = rng.uniform(1.2, 3.0, n)
    light = np.exp(-(x**2 + y**2) / (2 * width_pix[:, np.newaxis, np.newaxis] ** 2))
    light /= light.sum(axis=(1, 2), keepdims=True)
    magnitude_g = rng.uniform(25, 28, n)
    magnitudes = {"g": magnitude_g, "r": magnitude_g - COLOR + rng.normal(0, COLOR_SCATTER, n)}
    fluxes = [10 ** (-0.4 * (magnitudes[band] - ZERO_POINTS[band])) for band in "gr"]
    images = np.stack(fluxes, axis=1)[..., np.newaxis, np.newaxis] * light[:, np.newaxis]
    table = QTable({"width_arcsec": 0.1 * width_pix * u.arcsec, "stage": np.arange(n) % 4})
    header = ImageHeader(("g", "r"), "nJy", 0.1, zero_points_mag=ZERO_POINTS)
    return image_set_from_arrays(images, header, catalog=table)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = {
        "transform": {"conditions": ["width_arcsec", "stage"]},
        "model": {**MODEL, "scalar_width": 32, "scalar_depth": 1, "warmup_images": 500},
        "training": {"images": 6400, "batch_size": 64, "sample_grids": 0},
    }
    return train(recipe, colored_blobs(400), tmp_path_factory.mktemp("run") / "run")


def wanted(n: int = 40) -> QTable:
    """Rows as the training set has them."""
    rng = np.random.default_rng(7)
    magnitude_g = rng.uniform(25.2, 27.8, n)
    return QTable(
        {
            "name": [f"survey-{row}" for row in range(n)],
            "magnitude_g": magnitude_g * u.mag,
            "magnitude_r": (magnitude_g - COLOR + rng.normal(0, 0.5 * COLOR_SCATTER, n)) * u.mag,
            "width_arcsec": rng.uniform(0.13, 0.29, n) * u.arcsec,
            "stage": rng.integers(0, 4, n),
        }
    )


def magnitudes(images: ImageSet, band: int) -> NDArray[np.float64]:
    zero_point = ZERO_POINTS["gr"[band]]
    flux = images.stacked()[:, band].sum(axis=(1, 2), dtype=np.float64)
    return zero_point - 2.5 * np.log10(flux)


def plain(images: ImageSet, name: str) -> NDArray[Any]:
    column = images.catalog[name]
    return np.asarray(getattr(column, "value", column))


def test_each_galaxy_is_as_its_row_says(run: Path, tmp_path: Path) -> None:
    rows = wanted()
    drawn = sample(run, tmp_path / "drawn", catalog=rows, seed=3)
    assert len(drawn) == len(rows)
    for band in (0, 1):
        # fluxes are exact by construction, up to float32 scalars and pixels
        name = f"magnitude_{'gr'[band]}"
        assert magnitudes(drawn, band) == pytest.approx(rows[name].value, abs=2e-6)
        np.testing.assert_array_equal(plain(drawn, name), rows[name].value)
    np.testing.assert_array_equal(plain(drawn, "width_arcsec"), rows["width_arcsec"].value)
    np.testing.assert_array_equal(plain(drawn, "stage"), rows["stage"])
    assert drawn.catalog["asked_name"].tolist() == rows["name"].tolist()
    assert drawn.catalog["asked_width_arcsec"].unit == u.arcsec
    assert drawn.catalog["catalog_row"].tolist() == list(range(40))
    assert drawn.catalog["seed"].tolist() == [derive_seed(3, "sample", row) for row in range(40)]
    assert not np.any(drawn.catalog["is_outside_training"])
    assert len({image.tobytes() for image in drawn.stacked()}) == 40


def test_rows_decide_the_pixels_and_the_seed_does_too(run: Path, tmp_path: Path) -> None:
    rows = wanted(4)
    first = sample(run, tmp_path / "first", catalog=rows)
    rows["width_arcsec"][2] = 0.2 * u.arcsec
    changed = sample(run, tmp_path / "changed", catalog=rows)
    same = [np.array_equal(*pair) for pair in zip(first.stacked(), changed.stacked(), strict=True)]
    assert same == [True, True, False, True]
    assert first.content_hash != sample(run, tmp_path / "seed", catalog=wanted(4), seed=1).content_hash
    assert first.content_hash == sample(run, tmp_path / "again", catalog=wanted(4)).content_hash


@pytest.mark.parametrize("kind", ["store", "fits"])
def test_a_galaxy_does_not_depend_on_the_other_rows(kind: str, run: Path, tmp_path: Path) -> None:
    rows = wanted(70)
    every = sample(run, tmp_path / "every", catalog=rows, kind=kind)
    few = sample(run, tmp_path / "few", catalog=rows[:5], kind=kind)
    np.testing.assert_array_equal(few.stacked(), every.stacked()[:5])
    rows["width_arcsec"][[0, 33, 34]] = 3 * u.arcsec
    left = sample(run, tmp_path / "left", catalog=rows, kind=kind, outside="skip")
    kept = np.delete(np.arange(70), [0, 33, 34])
    assert left.catalog["catalog_row"].tolist() == kept.tolist()
    assert left.catalog["object_id"].tolist() == [f"{row:08d}" for row in kept]
    np.testing.assert_array_equal(left.stacked(), every.stacked()[kept])


def test_what_is_not_asked_is_drawn(run: Path, tmp_path: Path) -> None:
    rows = wanted(60)["magnitude_g", "width_arcsec"]
    drawn = sample(run, tmp_path / "drawn", catalog=rows)
    assert magnitudes(drawn, 0) == pytest.approx(rows["magnitude_g"].value, abs=2e-6)
    assert plain(drawn, "magnitude_g").tolist() == rows["magnitude_g"].value.tolist()
    assert len(set(magnitudes(drawn, 1))) == 60
    assert set(plain(drawn, "stage")) <= {0.0, 1.0, 2.0, 3.0}
    assert "magnitude_r" not in drawn.catalog.colnames


@pytest.mark.parametrize(
    "ending", [".parquet", ".fits", ".ecsv", ".csv"], ids=lambda ending: ending.removeprefix(".")
)
def test_every_format_of_tables_is_read(ending: str, run: Path, tmp_path: Path) -> None:
    rows = wanted(3)
    path = tmp_path / f"rows{ending}"
    (Table(rows) if ending == ".csv" else rows).write(path)
    drawn = sample(run, tmp_path / "drawn", catalog=path)
    np.testing.assert_array_equal(drawn.stacked(), sample(run, tmp_path / "same", catalog=rows).stacked())
    assert drawn.provenance.parents[1].role == "catalog"
    assert drawn.provenance.parents[1].path == str(path)
    settings = {"n": 3, "columns": ["magnitude_g", "magnitude_r", "width_arcsec", "stage"]}
    assert drawn.provenance.settings == {**settings, "outside": "refuse", "n_outside": 0}


def test_units_are_converted_and_columns_may_have_other_names(run: Path, tmp_path: Path) -> None:
    rows = wanted(3)
    mine = QTable({"MAG": rows["magnitude_g"].value * u.ABmag, "R": rows["width_arcsec"].to(u.arcmin)})
    mine["F"] = 10 ** (-0.4 * (rows["magnitude_r"].value - ZERO_POINTS["r"])) * 1e-3 * u.uJy
    mine["ra"] = np.arange(3) * u.deg
    names = ["magnitude_g=MAG", "flux_r=F", "width_arcsec = R"]
    drawn = sample(run, tmp_path / "drawn", catalog=mine, columns=names)
    for band in (0, 1):
        name = f"magnitude_{'gr'[band]}"
        assert magnitudes(drawn, band) == pytest.approx(rows[name].value, abs=2e-6)
    assert plain(drawn, "width_arcsec") == pytest.approx(rows["width_arcsec"].value, rel=1e-12)
    assert drawn.catalog["asked_ra"].unit == u.deg
    assert drawn.catalog["asked_MAG"].unit == u.mag


def with_column(name: str, values: Any) -> QTable:
    rows = wanted(3)
    rows[name] = values
    return rows


def without(*names: str) -> QTable:
    rows = wanted(3)
    rows.remove_columns(names)
    return rows


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (
            with_column("redshift", [0.1, 0.2, 0.3]),
            {},
            r"column 'redshift' is nothing that this model can be asked for; it",
        ),
        (
            with_column("widht_arcsec", [0.2] * 3),
            {},
            r"'widht_arcsec' is nothing .*did you mean 'width_arcsec'",
        ),
        (
            with_column("stage", [1.0, np.nan, 2.0]),
            {},
            r"column 'stage' has no finite number in 1 of 3 rows \(1, counted",
        ),
        (
            with_column("stage", MaskedColumn([1, 2, 3], mask=[True, False, True])),
            {},
            r"in 2 of 3 rows \(0, 2, counted",
        ),
        (
            with_column("stage", [1.0, 1.5, 2.0]),
            {},
            r"'stage' is not a whole number, as stage always is, in 1 of 3 rows",
        ),
        (
            with_column("stage", ["Sa", "Sb", "E"]),
            {"columns": ["stage"]},
            r"column 'stage' does not hold numbers",
        ),
        (
            with_column("magnitude_g", [3.0] * 3 * u.nJy),
            {},
            r"'magnitude_g' is in nJy, magnitude_g of .* or ask for flux_g",
        ),
        (
            with_column("width_arcsec", [3.0] * 3 * u.kpc),
            {},
            r"'width_arcsec' is in kpc, width_arcsec of this model in arcsec",
        ),
        (
            with_column("stage", [1.0] * 3 * u.kpc),
            {},
            r"'stage' is in kpc, stage of this model in plain numbers",
        ),
        (with_column("flux_g", [30.0] * 3 * u.nJy), {}, r"both ask for one quantity"),
        (
            without("magnitude_g", "magnitude_r", "width_arcsec", "stage"),
            {},
            r"none of its columns is anything that this",
        ),
        (wanted(3)[:0], {}, r"the catalog: holds no rows; wanted one a galaxy"),
        (
            wanted(3),
            {"columns": ["widht_arcsec"]},
            r"`columns=widht_arcsec`: this model cannot be asked .*'width_arcsec'",
        ),
        (
            wanted(3),
            {"columns": ["stage=stge"]},
            r"has no such column \(did you mean 'stage'\?\); it has name, magn",
        ),
        (wanted(3), {"n": 3}, r"`catalog` has one galaxy a row, .*; leave `n` out"),
        (wanted(3), {"where": "stage=2"}, r"leave `where` out"),
        (
            wanted(3),
            {"outside": "skp"},
            r"`outside=skp`: wanted refuse or skip or draw-and-flag \(did you mean 'skip'",
        ),
        ("nowhere.parquet", {}, r"nowhere.parquet: there is no such table; give the catalog"),
    ],
)
def test_what_cannot_be_drawn_for_is_refused_before_anything_is_written(
    rows: Any, more: dict[str, Any], message: str, run: Path, tmp_path: Path
) -> None:
    with pytest.raises((InputError, SettingsError), match=message):
        sample(run, tmp_path / "drawn", catalog=rows, **more)
    assert not (tmp_path / "drawn").exists()


def test_a_number_of_galaxies_or_a_catalog_is_wanted(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"neither `n` nor `catalog`; wanted how many galaxies"):
        sample(run, tmp_path / "drawn")


def beyond(n: int = 40) -> QTable:
    """Rows of which one is beyond a range, and one has a color that no training galaxy has."""
    rows = wanted(n)
    rows["width_arcsec"][5] = 0.9 * u.arcsec
    rows["magnitude_g"][7], rows["magnitude_r"][7] = 26.0 * u.mag, 27.0 * u.mag
    return rows


def test_rows_that_no_training_galaxy_is_like_are_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        sample(run, tmp_path / "drawn", catalog=beyond())
    said = str(caught.value)
    assert "`catalog`: 2 of 40 rows are outside of what was trained" in said
    assert "row 5: width_arcsec=0.9 (trained 0.12" in said
    assert "row 7: magnitude_g=26, magnitude_r=27" in said
    assert "times as isolated as may be" in said
    assert not (tmp_path / "drawn").exists()
    many = beyond()
    many["width_arcsec"][10:30] = 0.9 * u.arcsec
    with pytest.raises(InputError, match=r"22 of 40 rows .*; \.\.\.\); set `outside=skip`") as caught:
        sample(run, tmp_path / "drawn", catalog=many)
    assert str(caught.value).count("row ") == 10


def test_outside_rows_are_left_out_or_flagged_and_counted(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    skipped = sample(run, tmp_path / "skipped", catalog=beyond(), outside="skip")
    assert len(skipped) == 38
    assert "2 of 40 rows are outside" in caplog.text
    assert skipped.provenance.settings["n_outside"] == 2
    flagged = sample(run, tmp_path / "flagged", catalog=beyond(), outside="draw-and-flag")
    assert np.flatnonzero(flagged.catalog["is_outside_training"]).tolist() == [5, 7]
    assert plain(flagged, "width_arcsec")[5] == 0.9
    rows = wanted(3)
    rows["width_arcsec"][:] = 0.9 * u.arcsec
    with pytest.raises(InputError, match=r"all 3 rows are outside of what was trained; none is left"):
        sample(run, tmp_path / "none", catalog=rows, outside="skip")


def test_the_snapshot_keeps_scalars_of_its_training_galaxies(run: Path) -> None:
    scalars = load_snapshot(run / "snapshot").trained_scalars
    assert scalars is not None
    assert scalars.shape == (400, 4)
    assert scalars.std(axis=0) == pytest.approx(np.ones(4), abs=0.01)


class Killed(BaseException):
    """Stands for a process that ends at once."""


def test_an_interrupted_drawing_goes_on_with_the_same_rows_only(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sample(run, tmp_path / "whole", catalog=beyond(), outside="skip")

    def die(self: Any, *rest: Any, **more: Any) -> None:
        raise Killed

    monkeypatch.setattr(StoreWriter, "finish", die)
    with pytest.raises(Killed):
        sample(run, tmp_path / "killed", catalog=beyond(), outside="skip")
    monkeypatch.undo()
    with pytest.raises(SettingsError, match="other settings or data"):
        sample(run, tmp_path / "killed", catalog=wanted())
    again = sample(run, tmp_path / "killed", catalog=beyond(), outside="skip")
    assert again.content_hash == whole.content_hash


def test_families_that_draw_scalars_with_images_refuse_rows(pca_run: Path, tmp_path: Path) -> None:
    rows = QTable({"flux_F814W": [30.0, 40.0]})
    with pytest.raises(
        SettingsError, match=r"`catalog`: a pca_diffusion model draws scalars and images together"
    ):
        sample(pca_run, tmp_path / "drawn", catalog=rows)
    assert not (tmp_path / "drawn").exists()


def test_the_command_draws_and_says_what_is_outside(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted(3).write(tmp_path / "rows.parquet")
    beyond().write(tmp_path / "beyond.parquet")
    words = ["sample", str(run), "--device", "cpu", "--quiet"]
    asked = ["--catalog", str(tmp_path / "rows.parquet"), "--columns", "magnitude_g, width_arcsec", "--json"]
    assert main([*words, *asked, "-o", str(tmp_path / "drawn")]) == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["n_images"] == 3
    assert open_store(tmp_path / "drawn").provenance.settings["columns"] == ["magnitude_g", "width_arcsec"]
    outside = ["--catalog", str(tmp_path / "beyond.parquet"), "-o", str(tmp_path / "more")]
    assert main([*words, *outside]) == 1
    assert "set --outside skip to leave them out, or --outside draw-and-flag" in capsys.readouterr().err
    assert main([*words, *outside, "--outside", "skip"]) == 0
    assert main([*words, *outside, "-n", "3"]) == 2
    assert "leave -n out" in capsys.readouterr().err
