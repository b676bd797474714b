"""Pages of artifacts: each missing key and each wrong type is one line that names the file and the key."""

from pathlib import Path

import pytest
from pydantic import PositiveInt

from galsmith.errors import InputError
from galsmith.files.pages import OpenPage, Page, checked_page


class Inner(Page):
    n: PositiveInt


class Whole(Page):
    name: str
    scale: float | None
    parts: tuple[Inner, ...]


GOOD = {"name": "a", "scale": 1, "parts": [{"n": 1}, {"n": 2}]}


def test_a_good_page_is_built():
    page = checked_page(Whole, GOOD, Path("page.json"), way_out="make it again")
    assert (page.scale, page.parts[1].n) == (1.0, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 1}, "'name' is 1: input should be a valid string; make it again"),
        ({"scale": "1"}, "'scale' is \"1\": input should be a valid number; make it again"),
        ({"parts": [{"n": 1}, {"n": 0}]}, "'parts.1.n' is 0: input should be greater than 0; make it again"),
        ({"parts": [{}]}, "has no 'parts.0.n'; make it again"),
        ({"more": 1}, "has 'more', which is not known; make it again"),
        ({"parts": "x" * 100}, f"'parts' is \"{'x' * 59}...: input should be a valid array; make it again"),
    ],
)
def test_a_bad_page_is_one_line_with_file_and_key(change, words):
    with pytest.raises(InputError) as found:
        checked_page(Whole, {**GOOD, **change}, Path("page.json"), way_out="make it again")
    assert str(found.value) == f"page.json: {words}"


def test_an_open_page_may_say_more():
    class Open(OpenPage):
        n: int

    assert checked_page(Open, {"n": 1, "more": 2}, Path("p"), way_out="") == Open(n=1, more=2)
    with pytest.raises(InputError, match="has no 'n'"):
        checked_page(Open, {"more": 2}, Path("p"), way_out="")
