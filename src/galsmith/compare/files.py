"""Writing a `Comparison` as ``comparison.json`` and reading it back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from galsmith.compare.records import Comparison, CutCount, Distance, Losses, Mean, Side, Summary
from galsmith.errors import InputError
from galsmith.files import read_json, write_json
from galsmith.provenance import Provenance

FORMAT_NAME = "galsmith-comparison"
SCHEMA_VERSION = 1


def write_comparison(comparison: Comparison, path: str | Path) -> None:
    """Write a comparison as JSON, atomically; numbers that are not finite become null."""
    write_json(Path(path), to_json(comparison))


def read_comparison(path: str | Path) -> Comparison:
    """Read what `write_comparison` wrote.

    Raises
    ------
    InputError
        If the file is missing, not JSON, not a comparison, damaged or of an unknown schema version.
    """
    value = read_json(Path(path))
    if value.get("format") != FORMAT_NAME:
        raise InputError(
            f"{path}: not a comparison; make one with galsmith compare REFERENCE GENERATED -o FILE.json"
        )
    version = value.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: has comparison schema version {version}, this galsmith reads version {SCHEMA_VERSION}; "
            "make it again with galsmith compare"
        )
    try:
        return _from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: a damaged comparison ({type(error).__name__}: {error}); make it again with galsmith compare"
        ) from error


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Turn a comparison into plain JSON values."""
    record = asdict(comparison)
    record["provenance"] = comparison.provenance.to_dict()
    return {"format": FORMAT_NAME, "schema_version": SCHEMA_VERSION, **_plain(record)}


def _from_json(value: Mapping[str, Any]) -> Comparison:
    """Build the records."""
    return Comparison(
        distances=tuple(_distance(item) for item in value["distances"]),
        means=tuple(Mean(**_estimate(item)) for item in value["means"]),
        reference=_side(value["reference"]),
        generated=_side(value["generated"]),
        left_out=dict(value["left_out"]),
        cuts=tuple(CutCount(**_with_infinities(item)) for item in value["cuts"]),
        settings=dict(value["settings"]),
        seed=int(value["seed"]),
        provenance=Provenance.from_dict(value["provenance"]),
    )


def _distance(item: Mapping[str, Any]) -> Distance:
    """Build one distance."""
    sides = {
        "reference": Summary(**_numbers(item["reference"])),
        "generated": Summary(**_numbers(item["generated"])),
        "lost_reference": Losses(**item["lost_reference"]),
        "lost_generated": Losses(**item["lost_generated"]),
    }
    return Distance(**{**_estimate(item), **sides, "core": _pair(item["core"])})


def _estimate(item: Mapping[str, Any]) -> dict[str, Any]:
    """Bring null back to NaN and the interval to a tuple."""
    return {**_numbers(item), "interval": _pair(item["interval"])}


def _pair(ends: Sequence[float | None]) -> tuple[float, float]:
    """Read the two ends of a range."""
    low, high = (math.nan if end is None else float(end) for end in ends)
    return low, high


def _numbers(item: Mapping[str, Any]) -> dict[str, Any]:
    """Bring null back to NaN."""
    return {key: math.nan if value is None else value for key, value in item.items()}


def _with_infinities(item: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the open ends of a cut back."""
    low, high = item["low"], item["high"]
    return {
        **item,
        "low": -math.inf if low is None else low,
        "high": math.inf if high is None else high,
    }


def _side(item: Mapping[str, Any]) -> Side:
    """Build one side."""
    return Side(**{**item, "bands": tuple(item["bands"])})


def _plain(value: Any) -> Any:
    """Replace what JSON has no word for: tuples and numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
