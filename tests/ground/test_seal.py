"""Seals: any byte of a file that changes is told, and what was there before seals is read."""

import json
import zipfile

import pytest

from galsmith.errors import InputError
from galsmith.files import read_json, write_json
from galsmith.files.seal import (
    BLANK,
    KEY,
    MARK,
    refuse_changed,
    seal,
    sealed,
    state_of,
    state_of_file,
    unsealed,
)


def test_every_flip_of_every_byte_of_a_page_is_told(tmp_path):
    path = tmp_path / "page.json"
    write_json(path, {"scale": 0.32, "names": ["a", "b"]})
    content = path.read_bytes()
    assert state_of(content) == "whole"
    digits = content.index(MARK.encode()) + len(MARK)
    mark = range(digits - len(MARK), digits)
    for place in range(len(content)):
        for bit in (0, 3, 6):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            # without its mark a file looks like one from before there were any: no value of it has changed
            assert state_of(bytes(flipped)) == ("absent" if place in mark else "changed"), place


def test_a_page_comes_back_without_its_seal_and_a_changed_one_does_not(tmp_path):
    path = tmp_path / "page.json"
    write_json(path, {"scale": 0.32})
    assert read_json(path) == {"scale": 0.32}
    assert list(json.loads(path.read_text())) == ["scale", KEY]
    path.write_text(path.read_text().replace("0.32", "0.42"))
    with pytest.raises(InputError, match=r"page\.json: was changed or damaged after it was written"):
        read_json(path)


def test_a_page_of_an_earlier_galsmith_is_read_and_told_of(tmp_path):
    path = tmp_path / "page.json"
    path.write_text('{"scale": 0.32, "checksum": "another"}')
    assert read_json(path) == {"scale": 0.32, "checksum": "another"}
    (said,) = unsealed([path])
    assert (
        said
        == f"{path}: has no checksum, so nothing can be said of it: an earlier galsmith wrote it, or it is damaged"
    )
    assert unsealed([tmp_path / "none"]) == [f"{tmp_path / 'none'}: is missing"]


def test_the_last_seal_counts_as_a_page_may_quote_another(tmp_path):
    quoted = MARK + "1" * 64
    path = tmp_path / "page.json"
    write_json(path, {"quoted": quoted})
    assert read_json(path) == {"quoted": quoted}


def test_an_archive_is_sealed_by_its_comment(tmp_path):
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b" * 1000)
        archive.comment = BLANK.encode()
    seal(path)
    assert state_of_file(path) == "whole"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"its checksum does not fit.*copy it again"):
        refuse_changed(path, way_out="copy it again")


def test_what_has_no_place_for_a_seal_is_not_sealed(tmp_path):
    with pytest.raises(ValueError, match="has no blank seal"):
        sealed(b"nothing")
    with pytest.raises(ValueError, match="has no blank seal"):
        sealed(sealed(f"text {BLANK}".encode()))
    (tmp_path / "empty").touch()
    assert state_of_file(tmp_path / "empty") == "absent"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "\ud800", '{"a": 1' + "0" * 5000 + "}"])
def test_json_that_no_reader_can_read_is_bad_input(tmp_path, text):
    (tmp_path / "deep.json").write_bytes(text.encode("utf-8", errors="surrogatepass"))
    with pytest.raises(InputError, match=r"deep\.json: not a JSON file"):
        read_json(tmp_path / "deep.json")
