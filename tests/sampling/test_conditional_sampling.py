"""Galaxies that are asked to be something: in the catalog to the bit, and in the pixels."""

import logging
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store import StoreHeader, StoreWriter, open_store
from galsmith.errors import GalsmithError, OutputExistsError, SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.provenance import Parent, Provenance
from galsmith.sampling import sample
from galsmith.sampling.fits_cutouts import fits_header
from galsmith.training import train

DIFFUSION: dict[str, Any] = {
    "family": "diffusion",
    "channels": [16],
    "patch_pix": 4,
    "embedding_width": 32,
    "scalar_width": 32,
    "scalar_depth": 1,
    "sampler_steps": 6,
    "warmup_images": 500,
}
PCA: dict[str, Any] = {
    "family": "pca_diffusion",
    "n_components": 8,
    "width": 16,
    "depth": 1,
    "sampler_steps": 4,
    "warmup_images": 500,
}
CONDITIONS = ["width_arcsec", "stage"]


def blobs_of_known_width(n: int, *, shuffled: bool = False) -> ImageSet:
    """Round Gaussians whose width is in the catalog, or, shuffled, that of another one."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:16, :16] - 7.5
    width_pix = rng.uniform(1.2, 3.0, n)
    light = np.exp(-(x**2 + y**2) / (2 * width_pix[:, np.newaxis, np.newaxis] ** 2))
    light *= (10 ** rng.uniform(1, 2, n) / light.sum(axis=(1, 2)))[:, np.newaxis, np.newaxis]
    told = rng.permutation(width_pix) if shuffled else width_pix
    table = QTable({"width_arcsec": 0.1 * told * u.arcsec, "stage": np.arange(n) % 4})
    return image_set_from_arrays(
        light[:, np.newaxis], ImageHeader(("r",), "nJy", 0.1, zero_points_mag={"r": 31.4}), catalog=table
    )


def measured_width(images: ImageSet) -> NDArray[np.float64]:
    """A width that needs no background: root of all light over that of the central 16 pixels."""
    light = images.stacked()[:, 0].astype(np.float64)
    return np.sqrt(light.sum(axis=(1, 2)) / light[:, 6:10, 6:10].sum(axis=(1, 2)))


def trained(folder: Path, model: dict[str, Any], data: ImageSet, *, images: int, **transform: Any) -> Path:
    recipe = {
        "transform": {"kind": "linear", "conditions": CONDITIONS, **transform},
        "model": model,
        "training": {"images": images, "batch_size": 64, "sample_grids": 0},
    }
    return train(recipe, data, folder)


@pytest.fixture(scope="session")
def young_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusion that has seen a moment of training: its scalars follow their laws, its pictures nothing yet."""
    data = blobs_of_known_width(300)
    return trained(tmp_path_factory.mktemp("run") / "run", DIFFUSION, data, images=640)


@pytest.fixture(scope="session")
def pca_run_with_conditions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = blobs_of_known_width(300)
    return trained(tmp_path_factory.mktemp("run") / "run", PCA, data, images=6400)


def values(images: ImageSet, name: str) -> NDArray[np.float64]:
    column = images.catalog[name]
    return np.asarray(getattr(column, "value", column))


WHERE = "width_arcsec=0.15..0.2, stage=1..2"


def test_asked_ranges_hold_in_the_catalog_to_the_bit(young_run: Path, tmp_path: Path) -> None:
    drawn = sample(young_run, tmp_path / "drawn", n=50, where=WHERE)
    width, stage = values(drawn, "width_arcsec"), values(drawn, "stage")
    assert np.all((width >= 0.15) & (width <= 0.2))
    assert set(stage) == {1.0, 2.0}
    assert len(np.unique(width)) == 50
    assert not np.any(drawn.catalog["is_brought_into_range"])
    assert drawn.catalog["width_arcsec"].unit == u.arcsec
    plain = sample(young_run, tmp_path / "plain", n=50)
    assert values(plain, "width_arcsec").min() < 0.15
    assert values(plain, "width_arcsec").max() > 0.2
    assert set(values(plain, "stage")) == {0.0, 1.0, 2.0, 3.0}
    assert plain.catalog.colnames[:5] == ["object_id", "seed", "split", "width_arcsec", "stage"]
    assert "where" not in plain.provenance.settings


def test_galaxies_that_fit_anyway_are_those_of_the_plain_set(young_run: Path, tmp_path: Path) -> None:
    asked = sample(young_run, tmp_path / "asked", n=40, where="width_arcsec=..0.22")
    plain = sample(young_run, tmp_path / "plain", n=40)
    fits_anyway = values(plain, "width_arcsec") <= 0.22
    assert 0 < fits_anyway.sum() < 40
    np.testing.assert_array_equal(asked.stacked()[fits_anyway], plain.stacked()[fits_anyway])
    same = [np.array_equal(one, other) for one, other in zip(asked.stacked(), plain.stacked(), strict=True)]
    assert np.array_equal(same, fits_anyway)


def test_a_single_value_is_met_exactly(young_run: Path, tmp_path: Path) -> None:
    drawn = sample(young_run, tmp_path / "drawn", n=5, where="width_arcsec=0.1731, stage=3")
    assert values(drawn, "width_arcsec").tolist() == [0.1731] * 5
    assert values(drawn, "stage").tolist() == [3.0] * 5
    assert drawn.provenance.settings["where"] == "width_arcsec=0.1731, stage=3"


def test_flux_and_magnitude_can_be_asked_for_as_they_are(young_run: Path, tmp_path: Path) -> None:
    by_flux = sample(young_run, tmp_path / "flux", n=20, where="flux_r=20..30")
    flux = by_flux.stacked().sum(axis=(1, 2, 3), dtype=np.float64)
    assert np.all((values(by_flux, "flux_r") >= 20) & (values(by_flux, "flux_r") <= 30))
    assert flux == pytest.approx(values(by_flux, "flux_r"), rel=1e-5)
    assert by_flux.catalog["flux_r"].unit == u.nJy
    by_magnitude = sample(young_run, tmp_path / "magnitude", n=5, where="magnitude_r=28")
    flux = by_magnitude.stacked().sum(axis=(1, 2, 3), dtype=np.float64)
    assert flux == pytest.approx(np.full(5, 10 ** (-0.4 * (28 - 31.4))), rel=1e-5)
    assert "flux_r" not in sample(young_run, tmp_path / "plain", n=2).catalog.colnames


@pytest.mark.parametrize("run_name", ["young_run", "pca_run_with_conditions"])
def test_the_same_seed_gives_the_same_galaxies_whatever_the_number(
    run_name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = request.getfixturevalue(run_name)
    small = sample(run, tmp_path / "small", n=5, seed=3, where=WHERE)
    large = sample(run, tmp_path / "large", n=70, seed=3, where=WHERE)
    np.testing.assert_array_equal(small.stacked(), large.stacked()[:5])
    for name in ("width_arcsec", "stage", "seed"):
        np.testing.assert_array_equal(values(small, name), values(large, name)[:5])
    again = sample(run, tmp_path / "again", n=5, seed=3, where="stage=1..2, width_arcsec=0.150..0.2")
    assert again.content_hash == small.content_hash
    other = sample(run, tmp_path / "other", n=5, seed=4, where=WHERE)
    assert not np.array_equal(small.stacked(), other.stacked())


def test_native_sizes_can_be_asked_for(varied_run: Path, tmp_path: Path) -> None:
    drawn = sample(varied_run, tmp_path / "drawn", n=20, where="size_pix=30..")
    assert np.all(drawn.shapes >= 30)
    np.testing.assert_array_equal(values(drawn, "native_size_pix"), drawn.shapes[:, 0])
    assert drawn.provenance.settings["where"] == "native_size_pix=30.."
    assert sample(varied_run, tmp_path / "plain", n=20).shapes.min() < 30


def test_cutouts_are_the_galaxies_of_the_store_with_their_values(young_run: Path, tmp_path: Path) -> None:
    stored = sample(young_run, tmp_path / "store", n=40, where=WHERE)
    cutouts = sample(young_run, tmp_path / "fits", n=40, where=WHERE, kind="fits")
    np.testing.assert_array_equal(cutouts.stacked(), stored.stacked())
    np.testing.assert_array_equal(values(cutouts, "width_arcsec"), values(stored, "width_arcsec"))
    table = QTable.read(tmp_path / "fits" / "catalog.ecsv", format="ascii.ecsv")
    np.testing.assert_array_equal(table["width_arcsec"].to_value("arcsec"), values(stored, "width_arcsec"))
    assert list(table["object_id"]) == [f"{index:08d}" for index in range(40)]
    header = fits.getheader(tmp_path / "fits" / "galaxy-00000033.fits")
    assert header["GS WIDTH_ARCSEC"] == pytest.approx(values(stored, "width_arcsec")[33], rel=1e-14)
    assert header.comments["GS WIDTH_ARCSEC"] == "[arcsec]"
    assert header["GS IS_BROUGHT_INTO_RANGE"] is False
    assert not (tmp_path / "fits.partial").exists()


def test_headers_carry_what_fits_can_say() -> None:
    made = Provenance("sample", {}, seed=1, parents=(Parent("snapshot", "0" * 64, ""),))
    header = StoreHeader(ImageHeader(("r",), "nJy"), made)
    rows = QTable({"seed": [5], "a=b": [1.0], "größe": [2.0], "sersic index": [3.0], "x" * 60: [4.0]})
    rows["endless"] = [np.inf]
    cards = fits_header(header, index=0, row=rows[0], size_pix=8)
    assert [key for key in cards if key.startswith("GS ")] == ["GS sersic index"]
    assert cards["GS sersic index"] == 3.0


class Killed(BaseException):
    """Stands for a process that ends at once."""


@pytest.mark.parametrize("kind", ["store", "fits"])
def test_an_interrupted_sampling_goes_on_only_with_the_same_question(
    kind: str, young_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sample(young_run, tmp_path / "whole", n=70, where=WHERE, kind=kind)

    def die(self: Any, *rest: Any, **more: Any) -> None:
        raise Killed

    finish = "galsmith.sampling.fits_cutouts.CutoutFolder.finish"
    monkeypatch.setattr(StoreWriter, "finish", die)
    monkeypatch.setattr(finish, die)
    with pytest.raises(Killed):
        sample(young_run, tmp_path / "killed", n=70, where=WHERE, kind=kind)
    monkeypatch.undo()
    for changed in ({"where": "stage=1..2"}, {"guidance": 2.0}, {"steps": 3}):
        with pytest.raises(OutputExistsError, match=r"other settings or data|drawn another way"):
            sample(young_run, tmp_path / "killed", n=70, kind=kind, **{"where": WHERE, **changed})
    resumed = sample(young_run, tmp_path / "killed", n=70, where=WHERE, kind=kind)
    assert resumed.content_hash == whole.content_hash
    np.testing.assert_array_equal(values(resumed, "width_arcsec"), values(whole, "width_arcsec"))


def test_the_provenance_says_what_was_asked_and_how(young_run: Path, tmp_path: Path) -> None:
    sample(young_run, tmp_path / "drawn", n=3, where=WHERE, guidance=1.5, steps=4, solver="heun")
    settings = open_store(tmp_path / "drawn").provenance.settings
    assert settings == {
        "n": 3,
        "where": "width_arcsec=0.15..0.2, stage=1..2",
        "guidance": 1.5,
        "steps": 4,
        "solver": "heun",
    }


def test_guidance_of_one_is_as_learned_and_others_are_not(young_run: Path, tmp_path: Path) -> None:
    plain, one, two, fewer = (
        sample(young_run, tmp_path / f"drawn{number}", n=4, where=WHERE, **how)
        for number, how in enumerate(({}, {"guidance": 1.0}, {"guidance": 2.0}, {"steps": 2}))
    )
    assert one.content_hash == plain.content_hash
    assert two.content_hash != plain.content_hash != fewer.content_hash
    np.testing.assert_array_equal(values(two, "width_arcsec"), values(plain, "width_arcsec"))


def test_other_families_draw_and_leave_out(pca_run_with_conditions: Path, tmp_path: Path) -> None:
    drawn = sample(pca_run_with_conditions, tmp_path / "drawn", n=30, where="width_arcsec=0.2..0.25")
    width = values(drawn, "width_arcsec")
    assert np.all((width >= 0.2) & (width <= 0.25))
    assert values(sample(pca_run_with_conditions, tmp_path / "plain", n=30), "width_arcsec").min() < 0.2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"where": "width_arcsec=0.2"},
            r"`where=width_arcsec=0.2`: a pca_diffusion model .* never meets one value",
        ),
        (
            {"guidance": 2.0},
            r"`guidance=2.0`: a pca_diffusion model draws scalars and images together, .*leave it at 1",
        ),
    ],
)
def test_what_other_families_cannot_do_is_refused_at_once(
    asked: dict[str, Any], message: str, pca_run_with_conditions: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        sample(pca_run_with_conditions, tmp_path / "drawn", n=3, **asked)
    assert not (tmp_path / "drawn").exists()


def test_what_is_too_rare_for_other_families_names_the_rate(
    pca_run_with_conditions: Path, tmp_path: Path
) -> None:
    with pytest.raises(GalsmithError, match=r"drawn galaxies are there \(0\.\d\d%\); a pca_diffusion model"):
        sample(pca_run_with_conditions, tmp_path / "drawn", n=3, where="width_arcsec=0.2..0.20001")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"where": "width=1..2"},
            r"`where=width`: no such column \(did you mean 'width_arcsec'\?\).* flux_r, magnitude_r, stage, width",
        ),
        ({"where": "stage=0.2..0.8"}, r"stage has whole numbers only"),
        ({"steps": 0}, r"`steps=0`: wanted 1 or more"),
        ({"solver": "heum"}, r"`solver=heum`: wanted heun or multistep \(did you mean 'heun'\?\)"),
        ({"guidance": -1.0}, r"`guidance=-1.0`: wanted 0 or more"),
        ({"guidance": float("nan")}, r"`guidance=nan`: wanted 0 or more"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(
    asked: dict[str, Any], message: str, young_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        sample(young_run, tmp_path / "drawn", n=3, **asked)
    assert not (tmp_path / "drawn").exists()


def test_ranges_beyond_the_trained_one_warn(
    young_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        drawn = sample(young_run, tmp_path / "drawn", n=3, where="width_arcsec=0.5..0.6")
    outside, moved = (record.getMessage() for record in caplog.records)
    assert "`where=width_arcsec=0.5..0.6`: lies outside of the trained range, 0.12" in outside
    assert "arcsec" in outside
    assert "of 3 of 3 galaxies no candidate was there" in moved
    assert drawn.catalog["is_brought_into_range"].tolist() == [True] * 3
    assert np.all(values(drawn, "width_arcsec") == 0.5)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        sample(young_run, tmp_path / "inside", n=3, where=WHERE)
    assert caplog.records == []


NARROW, BROAD = "width_arcsec=0.13..0.16", "width_arcsec=0.25..0.28"


def drawn_widths(run: Path, folder: Path, **how: Any) -> tuple[float, float]:
    """Median measured widths of galaxies that are asked to be narrow, and to be broad."""
    narrow, broad = (
        float(np.median(measured_width(sample(run, folder / f"{where}{how}", n=64, where=where, **how))))
        for where in (NARROW, BROAD)
    )
    return narrow, broad


@pytest.mark.slow
def test_the_pixels_follow_the_condition_as_far_as_guidance_says(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", DIFFUSION, blobs_of_known_width(1000), images=20_000)
    narrow, broad = drawn_widths(run, tmp_path)
    # 1.07 and 1.72 in the training set; drawn 1.14 and 1.77 when this was written, with a scatter of 0.1 to 0.2
    assert narrow == pytest.approx(1.1, abs=0.2)
    assert broad == pytest.approx(1.72, abs=0.25)
    plain = sample(run, tmp_path / "plain", n=128)
    assert np.corrcoef(values(plain, "width_arcsec"), measured_width(plain))[0, 1] > 0.7
    unguided = drawn_widths(run, tmp_path, guidance=0.0)
    guided = drawn_widths(run, tmp_path, guidance=1.5)
    assert abs(unguided[1] - unguided[0]) < 0.2 * (broad - narrow)
    assert guided[1] - guided[0] > 1.2 * (broad - narrow)


@pytest.mark.slow
def test_the_pixels_do_not_follow_a_shuffled_condition(tmp_path: Path) -> None:
    data = blobs_of_known_width(1000, shuffled=True)
    run = trained(tmp_path / "run", DIFFUSION, data, images=20_000)
    narrow, broad = drawn_widths(run, tmp_path)
    assert abs(broad - narrow) < 0.2
    plain = sample(run, tmp_path / "plain", n=128)
    assert abs(np.corrcoef(values(plain, "width_arcsec"), measured_width(plain))[0, 1]) < 0.3
