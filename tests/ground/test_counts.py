"""Numbers with their nouns."""

import pytest

from galsmith.counts import counted


@pytest.mark.parametrize(
    ("number", "nouns", "written"),
    [
        (0, "galaxies", "0 galaxies"),
        (1, "galaxies", "1 galaxy"),
        (1, "fields", "1 field"),
        (2, "fields", "2 fields"),
        (1, "images seen", "1 image seen"),
        (12345, "images seen", "12,345 images seen"),
        (1, "copies", "1 copy"),
    ],
)
def test_one_is_singular(number, nouns, written):
    assert counted(number, nouns) == written
