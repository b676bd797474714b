"""JSON pages of artifacts, checked against their types before anything is read from them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from galsmith.errors import InputError

LONGEST_VALUE = 60


class Page(BaseModel):
    """Base of the record of a page: every key is named, and its value is of the type that is said, without conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OpenPage(Page):
    """A page that may say more than is named."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


PageType = TypeVar("PageType", bound=Page)


def checked_page(kind: type[PageType], value: Mapping[str, Any], path: Path, *, way_out: str) -> PageType:
    """Check a page.

    Parameters
    ----------
    kind : type of Page
        What it should be.
    value : mapping
        Plain JSON values, as the file has them.
    path : Path
        The file, for the message.
    way_out : str
        What to do with one that cannot be used.

    Raises
    ------
    InputError
        It names the file, the key, what came and what was wanted.
    """
    try:
        # as JSON, where lists stand for tuples
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise InputError(f"{path}: {_fault(error)}; {way_out}") from error


def _fault(error: ValidationError) -> str:
    """First fault in words."""
    fault = error.errors(include_url=False)[0]
    key = ".".join(map(str, fault["loc"])) or "the page"
    if fault["type"] == "missing":
        return f"has no {key!r}"
    if fault["type"] == "extra_forbidden":
        return f"has {key!r}, which is not known"
    came = json.dumps(fault["input"], default=str)
    shown = came if len(came) <= LONGEST_VALUE else f"{came[:LONGEST_VALUE]}..."
    return f"{key!r} is {shown}: {fault['msg'][:1].lower()}{fault['msg'][1:]}"
