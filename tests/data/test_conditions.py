import json

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable

from galsmith.data.transforms import (
    PixelTransform,
    TransformSettings,
    ValueRange,
    fit_pixel_transform,
    scalar_columns,
)
from galsmith.data.transforms.conditions import condition_values
from galsmith.data.transforms.scalars import fit_encoding
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.settings import typed_settings

COUNT = 60


def catalog():
    rng = np.random.default_rng(4)
    return QTable(
        {
            "r_half_pix": rng.uniform(2, 9, COUNT),
            "sersic_index": 10 ** rng.uniform(-0.5, 1.0, COUNT),
            "r_eff_arcsec": rng.uniform(0.1, 0.4, COUNT) * u.arcsec,
            "stage": np.arange(COUNT) % 7 - 3,
            "is_barred": np.arange(COUNT) % 2 == 0,
            "name": [f"NGC{k}" for k in range(COUNT)],
            "redshift": np.full(COUNT, 0.5),
            "shapes": np.ones((COUNT, 2)),
        }
    )


def galaxies(sizes=(8,), bands=("r",)):
    rng = np.random.default_rng(2)
    images = [rng.uniform(0.5, 2, (len(bands), *[sizes[k % len(sizes)]] * 2)) for k in range(COUNT)]
    return image_set_from_arrays(images, ImageHeader(bands, "nJy"), catalog=catalog())


def fitted(*names, sizes=(8,), **more):
    return fit_pixel_transform(galaxies(sizes), TransformSettings(conditions=names, **more))


def test_conditions_stand_between_flux_and_native_size():
    assert fitted("r_half_pix", "stage").scalar_names == (
        "log_flux_0",
        "condition_r_half_pix",
        "condition_stage",
    )
    varied = fitted("r_half_pix", sizes=(8, 12), size_pix=8)
    assert varied.scalar_names == ("log_flux_0", "condition_r_half_pix", "log_native_size")
    assert fitted("stage", factor_flux=False).scalar_names == ("condition_stage",)
    assert fit_pixel_transform(galaxies(), TransformSettings()).scalar_names == ("log_flux_0",)


def test_scalars_are_standardized_values_and_undone_exactly():
    names = ("r_half_pix", "sersic_index", "r_eff_arcsec", "stage")
    training, transform = galaxies((8, 12)), fitted(*names, sizes=(8, 12), size_pix=8)
    values = transform.condition_values(training.catalog)
    arrays = transform.forward(training.pixels.read(np.arange(COUNT)), values)
    assert arrays.scalars.shape == (COUNT, 6)
    assert arrays.scalars.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-5)
    assert arrays.scalars.std(axis=0) == pytest.approx(np.ones(6), rel=1e-5)
    columns = scalar_columns(transform, ImageHeader(("r",), "nJy"))
    for number, name in enumerate(names):
        again = columns[name].encoding.inverse(arrays.scalars[:, 1 + number].astype(np.float64))
        assert again == pytest.approx(values[:, number], rel=2e-6)  # float32 scalars
        exact = columns[name].encoding.inverse(columns[name].encoding.forward(values[:, number]))
        assert exact == pytest.approx(values[:, number], rel=1e-14)
    images = transform.inverse(arrays)
    assert [image.shape[-1] for image in images] == [8, 12] * (COUNT // 2)
    assert images[0] == pytest.approx(training[0], rel=1e-4)


def test_wide_positive_columns_are_logarithmic_and_whole_ones_stay_whole():
    transform = fitted("r_half_pix", "sersic_index", "stage", "r_eff_arcsec")
    assert [column.is_log for column in transform.conditions] == [False, True, False, False]
    assert [column.is_whole for column in transform.conditions] == [False, False, True, False]
    assert [column.unit for column in transform.conditions] == ["", "", "", "arcsec"]
    assert transform.conditions[2].inverse(np.array([0.0, 0.1])).tolist() == [0.0, 0.0]
    signed = np.linspace(-1, 100, 50) + 0.25
    assert not fit_encoding("x", signed, unit="").is_log
    outlier = np.append(np.linspace(1.5, 9.5, 5000), 1e5)  # one value in 5000 decides nothing
    assert not fit_encoding("x", outlier, unit="").is_log


def test_the_trained_range_is_kept_in_the_columns_unit():
    transform = fitted("r_eff_arcsec", sizes=(8, 12), size_pix=8)
    values = catalog()["r_eff_arcsec"].value
    columns = scalar_columns(transform, ImageHeader(("r",), "nJy", zero_points_mag={"r": 25.0}))
    trained = columns["r_eff_arcsec"].trained
    assert (trained.minimum, trained.maximum) == (values.min(), values.max())
    assert (trained.low, trained.high) == tuple(np.quantile(values, [0.001, 0.999]))
    fluxes = np.array([image.sum(dtype=np.float64) for image in galaxies((8, 12)).pixels.read(range(COUNT))])
    assert columns["flux_r"].trained.maximum == pytest.approx(fluxes.max(), rel=1e-12)
    assert columns["magnitude_r"].trained.minimum == pytest.approx(25 - 2.5 * np.log10(fluxes.max()))
    assert columns["native_size_pix"].trained == ValueRange(8.0, 8.0, 12.0, 12.0)


def test_what_is_kept_anyway_has_natural_names():
    transform = fitted("stage", sizes=(8, 12), size_pix=8)
    training = galaxies((8, 12))
    columns = scalar_columns(transform, ImageHeader(("r",), "nJy", zero_points_mag={"r": 25.0}))
    assert sorted(columns) == ["flux_r", "magnitude_r", "native_size_pix", "size_pix", "stage"]
    assert [columns[name].is_condition for name in sorted(columns)] == [False] * 4 + [True]
    images = training.pixels.read(np.arange(COUNT))
    scalars = transform.forward(images, transform.condition_values(training.catalog)).scalars
    drawn = {name: column.values(scalars) for name, column in columns.items()}
    fluxes = np.array([image.sum(dtype=np.float64) for image in images])
    assert drawn["flux_r"] == pytest.approx(fluxes, rel=1e-6)
    assert drawn["magnitude_r"] == pytest.approx(25 - 2.5 * np.log10(fluxes), abs=1e-6)
    assert drawn["native_size_pix"].tolist() == drawn["size_pix"].tolist() == [8, 12] * (COUNT // 2)
    assert sorted(scalar_columns(transform, ImageHeader(("r",), "nJy"))) == [
        "flux_r",
        "native_size_pix",
        "size_pix",
        "stage",
    ]
    plain = fit_pixel_transform(galaxies(), TransformSettings(factor_flux=False))
    assert scalar_columns(plain, ImageHeader(("r",), "nJy", zero_points_mag={"r": 25.0})) == {}


def test_json_keeps_conditions_and_transforms_without_them_still_load():
    transform = fitted("r_eff_arcsec", "stage")
    assert PixelTransform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform
    plain = fit_pixel_transform(galaxies(), TransformSettings())
    earlier = {name: value for name, value in plain.to_dict().items() if name not in ("conditions", "ranges")}
    read = PixelTransform.from_dict(json.loads(json.dumps(earlier)))
    assert read.conditions == read.ranges == ()
    images = galaxies().pixels.read(np.arange(4))
    np.testing.assert_array_equal(read.forward(images).scalars, plain.forward(images).scalars)
    columns = scalar_columns(read, ImageHeader(("r",), "nJy", zero_points_mag={"r": 25.0}))
    assert [column.trained for column in columns.values()] == [None, None]


def test_forward_wants_one_value_for_each_image_and_condition():
    transform = fitted("stage")
    images = galaxies().pixels.read(np.arange(3))
    with pytest.raises(ValueError, match=r"conditions has shape \(3, 0\); wanted \(3, 1\)"):
        transform.forward(images)
    with pytest.raises(ValueError, match=r"conditions has shape \(2, 1\); wanted \(3, 1\)"):
        transform.forward(images, np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "r_half",
            r"no column 'r_half' \(did you mean 'r_half_pix'\?\); its columns of numbers are r_half_pix, ",
        ),
        ("is_barred", r"'is_barred' holds true or false; wanted one number a galaxy"),
        ("name", r"'name' holds text; wanted one number a galaxy"),
        ("shapes", r"'shapes' holds 2 values a galaxy; wanted one number"),
        ("redshift", r"'redshift' is 0.5 for all training galaxies; nothing can be learned"),
        ("native_size_pix", r"'native_size_pix' says of an image what every set says itself"),
        ("split", r"'split' says of an image what every set says itself"),
    ],
)
def test_columns_that_cannot_be_conditions_are_named(name, message):
    with pytest.raises(InputError, match=message):
        fitted(name)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_values_are_counted_and_the_first_is_named(bad):
    table = catalog()
    table["object_id"] = [f"galaxy{k}" for k in range(COUNT)]
    table["r_half_pix"][[7, 9]] = bad
    message = r"'r_half_pix' has no finite number for 2 of 60 training galaxies, the first galaxy7; leave"
    with pytest.raises(InputError, match=message):
        condition_values(table, ["r_half_pix"])


def test_masked_values_are_missing():
    table = catalog()
    table["object_id"] = [f"galaxy{k}" for k in range(COUNT)]
    table["stage"] = MaskedColumn(np.arange(COUNT), mask=np.arange(COUNT) == 3)
    with pytest.raises(InputError, match=r"'stage' has no finite number for 1 of 60 .*, the first galaxy3"):
        condition_values(table, ["stage"])
    table["stage"] = MaskedColumn(np.arange(COUNT), mask=False)
    assert condition_values(table, ["stage"])[:, 0].tolist() == list(range(COUNT))


@pytest.mark.parametrize(
    ("came", "wanted"),
    [
        (["a", "b"], ("a", "b")),
        ("a, b", ("a", "b")),
        ("[a,b]", ("a", "b")),
        ("a", ("a",)),
        ([], None),
        (None, None),
    ],
)
def test_names_are_a_list_or_text_with_commas(came, wanted):
    settings = typed_settings(TransformSettings, {"conditions": came}, source="recipe")
    assert settings.conditions == wanted


@pytest.mark.parametrize("came", [["a", "a"], [1], 3])
def test_other_lists_are_refused(came):
    with pytest.raises(SettingsError, match=r"recipe: setting 'conditions"):
        typed_settings(TransformSettings, {"conditions": came}, source="recipe")
