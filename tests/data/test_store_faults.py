import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from astropy.table import QTable

from galsmith.data.store import StoreHeader, StoreWriter, open_store, verify_store, write_store
from galsmith.errors import InputError, OutputError, OutputExistsError
from galsmith.files import read_json, write_json
from galsmith.images import ImageHeader
from galsmith.provenance import Provenance


def header(**settings):
    return StoreHeader(ImageHeader(("r",), "nJy", 0.2), Provenance("test", settings))


def one_image(value=1.0):
    return [np.full((1, 4, 4), value, dtype=np.float32)]


def rows():
    return QTable({"k": [1.0]})


@pytest.fixture
def whole(tmp_path, mixed_set):
    write_store(tmp_path / "set", mixed_set)
    return tmp_path / "set"


def test_a_partial_store_is_refused_and_marked(tmp_path):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=3)
    writer.write_chunk(0, one_image(), rows())
    with pytest.raises(
        InputError, match="a partial store, 1 of 3 chunks done; run the command that makes it again"
    ):
        open_store(tmp_path / "set")


def test_resuming_equals_an_undisturbed_run(tmp_path):
    with StoreWriter(tmp_path / "set", header(), n_chunks=3) as first:
        first.write_chunk(1, one_image(1), rows())
    second = StoreWriter(tmp_path / "set", header(), n_chunks=3)
    assert [second.is_done(chunk) for chunk in range(3)] == [False, True, False]
    for chunk in (0, 2):
        second.write_chunk(chunk, one_image(chunk), rows())
    undisturbed = StoreWriter(tmp_path / "whole", header(), n_chunks=3)
    for chunk in range(3):
        undisturbed.write_chunk(chunk, one_image(chunk), rows())
    assert second.finish().content_hash == undisturbed.finish().content_hash


@pytest.mark.parametrize(("settings", "n_chunks"), [({"a": 2}, 3), ({"a": 1}, 4)])
def test_a_partial_store_of_other_settings_is_refused(tmp_path, settings, n_chunks):
    with StoreWriter(tmp_path / "set", header(a=1), n_chunks=3) as writer:
        writer.write_chunk(0, one_image(), rows())
    with pytest.raises(OutputExistsError, match="partial store made by other settings or data"):
        StoreWriter(tmp_path / "set", header(**settings), n_chunks=n_chunks)
    replaced = StoreWriter(tmp_path / "set", header(**settings), n_chunks=n_chunks, overwrite=True)
    assert replaced.n_done == 0


def test_a_finished_store_is_refused_unless_overwritten(whole, mixed_set):
    before = open_store(whole).content_hash
    with pytest.raises(
        OutputExistsError, match="already exists; choose another `output`, or replace it with `overwrite`"
    ):
        write_store(whole, mixed_set.select([0]))
    assert open_store(whole).content_hash == before
    assert len(write_store(whole, mixed_set.select([0]), overwrite=True)) == 1


def test_a_file_in_the_way_is_refused(tmp_path, mixed_set):
    (tmp_path / "set").write_text("mine")
    with pytest.raises(OutputExistsError, match="already exists"):
        write_store(tmp_path / "set", mixed_set)
    assert (tmp_path / "set").read_text() == "mine"


def test_a_file_where_a_folder_should_be_is_named(tmp_path, mixed_set):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        write_store(tmp_path / "file" / "set", mixed_set)


def test_an_unknown_format_version_is_refused(whole):
    page = whole / "dataset.json"
    write_json(page, {**read_json(page), "format_version": 99})
    with pytest.raises(InputError, match="has store format version 99, this galsmith reads version 1"):
        open_store(whole)


def test_another_json_page_is_no_store(whole):
    (whole / "dataset.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(InputError, match="not a galsmith store"):
        open_store(whole)


def test_no_store_at_all_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no such store"):
        open_store(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"not a galsmith store \(no dataset.json in it\)"):
        open_store(tmp_path / "empty")


def test_verify_finds_a_flipped_byte(whole):
    part = sorted((whole / "images").glob("*.h5"))[0]
    content = bytearray(part.read_bytes())
    content[-100] ^= 1
    part.write_bytes(content)
    assert verify_store(whole) == [
        f"{part}: its bytes differ from what galsmith wrote; make the store again or restore the file"
    ]


def test_a_missing_part_is_found_by_verify_and_by_reading(whole):
    part = sorted((whole / "images").glob("*-8x8.h5"))[0]
    part.unlink()
    assert verify_store(whole) == [f"{part}: is missing"]
    with pytest.raises(
        InputError, match=r"8x8.h5: cannot be read .* check the store with galsmith info \(`verify`\)"
    ):
        open_store(whole)[0]


def test_a_truncated_part_is_named_when_read(whole):
    part = sorted((whole / "images").glob("*-8x8.h5"))[0]
    part.write_bytes(part.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"8x8\.h5: cannot be read"):
        open_store(whole)[0]


def test_an_edited_catalog_is_found_by_verify(whole):
    table = open_store(whole).catalog[:3]
    table.write(whole / "catalog.parquet", format="parquet", overwrite=True)
    assert len(verify_store(whole)) == 1
    with pytest.raises(InputError, match=r"catalog\.parquet: was changed or damaged after it was written"):
        open_store(whole)


def test_a_damaged_catalog_is_named(whole):
    (whole / "catalog.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"catalog\.parquet: was changed or damaged after it was written"):
        open_store(whole)


def test_a_full_disk_leaves_no_half_chunk_and_the_run_goes_on(tmp_path, monkeypatch):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=2)
    writer.write_chunk(0, one_image(), rows())
    with monkeypatch.context() as patch:

        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="the disk is full; free some space or choose another `output`"):
            writer.write_chunk(1, one_image(), rows())
    assert [writer.is_done(0), writer.is_done(1)] == [True, False]
    assert not list((tmp_path / "set").rglob("*.writing"))
    writer.write_chunk(1, one_image(), rows())
    assert len(writer.finish()) == 2


REALLY_FULL = """
import sys
from galsmith import simulate
from galsmith.errors import OutputError
try:
    simulate.sersic(sys.argv[1] + "/set", n=1000, recipe="sersic-64")
except OutputError as error:
    print("REFUSED", error)
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="a small disk needs unshare")
def test_a_disk_that_is_really_full(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = f'mount -t tmpfs -o size=6m tmpfs "{small}" && '
    if subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted + "true"], check=False, capture_output=True
    ).returncode:
        pytest.skip("this system lets no user mount a small disk")
    script = tmp_path / "fill.py"
    script.write_text(REALLY_FULL)
    show = f'"{sys.executable}" "{script}" "{small}" && ls "{small}/set.partial" && find "{small}" -name "*.writing"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted + show], check=True, capture_output=True, text=True
    )
    assert "REFUSED" in done.stdout
    assert "the disk is full" in done.stdout
    assert "chunk-00000.json" in done.stdout
    assert ".writing" not in done.stdout
    assert "Traceback" not in done.stderr
