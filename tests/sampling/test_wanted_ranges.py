import math
import re

import numpy as np
import pytest

from galsmith.data.transforms import ColumnEncoding, ScalarColumn, ValueRange
from galsmith.errors import SettingsError
from galsmith.sampling.wanted_ranges import beyond_training, misfit, read_where, where_text

TRAINED = ValueRange(minimum=1.0, low=2.0, high=9.0, maximum=12.0)


def column(name, position, *, is_log=False, is_whole=False, mean=5.0, scale=2.0, trained=TRAINED, unit="pix"):
    return ScalarColumn(ColumnEncoding(name, unit, is_log, is_whole, mean, scale), position, trained)


COLUMNS = {
    item.name: item
    for item in (
        column("flux_r", 0, is_log=True, mean=1.0, scale=0.5, unit="nJy", trained=None),
        column("magnitude_r", 0, mean=22.0, scale=-0.5, unit="mag", trained=None),
        column("r_half_pix", 1),
        column("stage", 2, is_whole=True, mean=0.0, scale=2.0, trained=None),
    )
}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("r_half_pix=5..8", "r_half_pix=5..8"),
        ("r_half_pix = 5.0 .. 8.50", "r_half_pix=5..8.5"),
        ("r_half_pix=..8", "r_half_pix=..8"),
        ("r_half_pix=0.1..", "r_half_pix=0.1.."),
        ("r_half_pix=5..5", "r_half_pix=5"),
        ("stage=-3, flux_r=20..30", "flux_r=20..30, stage=-3"),
        ("stage=-2.5..1.5", "stage=-2..1"),
        ("flux_r=-5..30", "flux_r=-5..30"),
    ],
)
def test_what_is_asked_is_written_in_one_way(expression, text):
    asked = read_where(expression, COLUMNS)
    assert where_text(asked) == text
    assert read_where(text, COLUMNS) == asked


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "r_half=5..8",
            r"no such column \(did you mean 'r_half_pix'\?\); this model can be asked for flux_r, magn",
        ),
        ("r_half_pix=large", r"`where=r_half_pix`: wanted a number in place of 'large'"),
        ("r_half_pix=..", r"`where=r_half_pix`: wanted a range, such as r_half_pix=low\.\.high"),
        ("r_half_pix=8..5", r"`where=r_half_pix=8\.\.5`: wanted the lower number first"),
        ("r_half_pix=nan", r"wanted the lower number first"),
        ("r_half_pix=inf", r"wanted the lower number first"),
        ("r_half_pix", r"wanted column=low\.\.high or column=value"),
        ("", r"`where=''`: wanted column=low\.\.high or column=value"),
        ("stage=0.2..0.8", r"stage has whole numbers only, and there is none in this range"),
        ("stage=1.5", r"stage has whole numbers only"),
        ("flux_r=-3..0", r"`where=flux_r=-3\.\.0`: flux_r is above zero in every galaxy"),
        (
            "flux_r=5..9, magnitude_r=20..21",
            r"flux_r=5\.\.9, magnitude_r=20\.\.21`: both ask for one quantity",
        ),
        ("r_half_pix=5.., r_half_pix=..8", r"both ask for one quantity; give one range of one of them"),
    ],
)
def test_what_cannot_be_asked_is_refused(expression, message):
    with pytest.raises(SettingsError, match=message):
        read_where(expression, COLUMNS)


def test_a_model_without_scalars_says_so():
    with pytest.raises(SettingsError, match=r"no such column; this model has none"):
        read_where("r_half_pix=5..8", {})


def test_misfit_is_the_distance_in_standard_deviations_and_zero_inside():
    asked = read_where("r_half_pix=5..8, stage=1", COLUMNS)
    # r_half_pix = 5 + 2 s and stage = round(2 s): the hypotenuse of what either is away from its range
    scalars = np.array(
        [[0, 0.5, 0.5], [0, 2.0, 0.5], [0, -0.5, 0.5], [0, 0.5, 1.4], [0, 2.0, 2.4]], np.float32
    )
    assert misfit(asked, scalars).tolist() == [0.0, 0.5, 0.5, 1.0, math.hypot(0.5, 2.0)]
    assert misfit(asked, scalars.reshape(5, 1, 3)).shape == (5, 1)


def test_what_is_not_finite_never_fits():
    asked = read_where("flux_r=1..", COLUMNS)
    scalars = np.array([[np.nan, 0, 0], [1e5, 0, 0], [-1e5, 0, 0]], np.float32)
    assert misfit(asked, scalars)[0] == np.inf
    assert misfit(asked, scalars)[2] == np.inf


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("r_half_pix=3..8", None),
        ("r_half_pix=3..", None),
        ("flux_r=1e9..", None),  # an earlier snapshot's: its range is not known
        ("r_half_pix=3..40", r"`where=r_half_pix=3\.\.40`: reaches beyond the trained range, 1 to 12 pix"),
        ("r_half_pix=10..11", r"fewer than one in a thousand training galaxies are there \(1 to 12 pix"),
        ("r_half_pix=13..", r"lies outside of the trained range, 1 to 12 pix; such galaxies are an extrap"),
        ("r_half_pix=0.5", r"`where=r_half_pix=0.5`: lies outside of the trained range"),
    ],
)
def test_ranges_beyond_the_trained_one_are_told(expression, message):
    lines = beyond_training(read_where(expression, COLUMNS))
    if message is None:
        assert lines == []
    else:
        (line,) = lines
        assert re.search(message, line)
