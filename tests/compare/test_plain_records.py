import json
import math

import pytest

from galsmith.compare.files import from_plain, to_plain
from galsmith.compare.records import ClassifierTest, Estimate, Giveaway, Statistic


def _statistic(value: float = 1.0) -> Statistic:
    return Statistic(
        name="sliced W1",
        definition="a mean over directions",
        estimate=Estimate(
            value=value,
            corrected=math.nan,
            uncertainty=0.1,
            interval=(-math.inf, math.inf),
            floor=0.1,
            floor_sigma=0.01,
        ),
        p_value=math.nan,
        n_reference=3,
        n_generated=4,
    )


def _test() -> ClassifierTest:
    giveaways = (Giveaway("gini", 0.1, 0.02),)
    return ClassifierTest("trees", "properties", _statistic(), _statistic(0.7), giveaways, (1, 2), ())


def test_records_come_back_from_json_as_they_were() -> None:
    record = _test()
    text = json.dumps(to_plain(record), allow_nan=False)
    again = from_plain(ClassifierTest, json.loads(text))
    # NaN differs from itself, so that records with one are compared as text.
    assert repr(again) == repr(record)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("head", 3, "3 is no str"),
        ("auc", 0.5, "Statistic is float; wanted fields by name"),
        ("color", "red", "ClassifierTest has unknown fields color"),
    ],
)
def test_a_damaged_record_is_refused(field: str, value: object, message: str) -> None:
    plain = to_plain(_test())
    plain[field] = value
    with pytest.raises((TypeError, ValueError), match=message):
        from_plain(ClassifierTest, plain)


def test_a_missing_field_is_refused() -> None:
    plain = to_plain(_test())
    del plain["auc"]
    with pytest.raises(TypeError, match="auc"):
        from_plain(ClassifierTest, plain)
