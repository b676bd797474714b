"""Compiled code of changed sources, and of what imports them, is dropped; the rest is kept."""

import os

from galsmith.measure.engine.freshness import FOLDER, STAMP_FILE, _stamps_of, drop_stale_kernels

SOURCES = {
    "engine/radii.py": "from galsmith.measure.engine.apertures import (\n    ellipse_sum,\n)\n",
    "engine/apertures.py": "from galsmith.measure.engine import flags\n",
    "engine/flags.py": "NO_SOURCE = 1\n",
    "engine/columns.py": "from galsmith.measure.properties import PROPERTIES\n",
    "engine/labels.py": "import numpy\n",
    "properties.py": "NAMES = ()\n",
}
CODE = ("radii.petrosian_radius-1", "apertures.ellipse_sum-2", "columns.place-3", "labels.label-4")


def _engine_like(folder):
    (folder / "engine" / "__pycache__").mkdir(parents=True)
    for name, text in SOURCES.items():
        (folder / name).write_text(text)
    return folder / "engine"


def _left_after(engine, change):
    cache = engine / "__pycache__"
    for name in CODE:
        (cache / f"{name}.nbi").write_bytes(b"code")
    assert drop_stale_kernels(engine) == []
    assert len(list(cache.glob("*.nbi"))) == len(CODE)
    change()
    drop_stale_kernels(engine)
    return {path.stem.partition(".")[0] for path in cache.glob("*.nbi")}


def test_a_changed_file_drops_the_code_of_all_that_import_it(tmp_path):
    engine = _engine_like(tmp_path)
    assert set(drop_stale_kernels(engine)) >= {"radii", "apertures", "labels"}
    for changed, left in {
        "engine/flags.py": {"columns", "labels"},
        "engine/apertures.py": {"columns", "labels"},
        "engine/radii.py": {"apertures", "columns", "labels"},
        "properties.py": {"radii", "apertures", "labels"},
    }.items():
        text = SOURCES[changed] + f"CHANGED = {changed!r}\n"
        assert _left_after(engine, lambda file=tmp_path / changed, text=text: file.write_text(text)) == left


def test_a_newer_file_of_the_same_size_counts_as_changed(tmp_path):
    engine = _engine_like(tmp_path)
    drop_stale_kernels(engine)
    state = (engine / "labels.py").stat()
    newer = (state.st_atime_ns, state.st_mtime_ns + 1)
    assert "labels" not in _left_after(engine, lambda: os.utime(engine / "labels.py", ns=newer))


def test_a_folder_without_a_place_for_code_is_left_alone(tmp_path):
    engine = _engine_like(tmp_path)
    (engine / "__pycache__").rmdir()
    assert drop_stale_kernels(engine) == []
    assert not (engine / "__pycache__" / STAMP_FILE).exists()


def test_damaged_stamps_drop_everything(tmp_path):
    engine = _engine_like(tmp_path)
    (engine / "__pycache__" / STAMP_FILE).write_text("{")
    assert "radii" in drop_stale_kernels(engine)


def test_the_engine_s_own_imports_are_followed():
    stamps = _stamps_of(FOLDER)
    assert "ellipse_rows " in stamps["galaxy"]
    assert "properties " in stamps["galaxy"]
    assert "galaxy " not in stamps["ellipse_rows"]
