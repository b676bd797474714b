import pytest

from galsmith.data.options import SetOptions
from galsmith.errors import SettingsError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"crop_pix": 0}, "`crop_pix=0`: wanted at least 1 pixel"),
        ({"resize_pix": -3}, "`resize_pix=-3`: wanted at least 1 pixel"),
        ({"minimum_size_pix": 0}, "`minimum_size_pix=0`: wanted at least 1 pixel"),
        ({"split": (0.8, 0.1, 0.2)}, "`split=0.8/0.1/0.2`: wanted three fractions"),
        ({"split": (1.2, -0.1, -0.1)}, "`split=1.2/-0.1/-0.1`"),
        ({"on_bad": "ignore"}, "`on_bad=ignore`: wanted error or skip"),
        ({"where": "T"}, "`where='T'`: wanted column=low..high"),
    ],
)
def test_wrong_values_name_the_option(values, message):
    with pytest.raises(SettingsError, match=message):
        SetOptions(**values)


def test_defaults_keep_everything():
    options = SetOptions()
    assert options.to_dict() == {
        "crop_pix": None,
        "resize_pix": None,
        "minimum_size_pix": None,
        "split": [0.8, 0.1, 0.1],
        "where": None,
    }
