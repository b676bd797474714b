"""Compiled code of changed sources, and of what imports them, is dropped; the rest is kept."""

import inspect
import logging
import os
from pathlib import Path

import numba

from galsmith.measure.engine.compiled import freshness
from galsmith.measure.engine.compiled.freshness import (
    FOLDER,
    PLACES_NAMED_IN,
    STAMP_FILE,
    _stamps_of,
    place_of_kept_code,
)
from galsmith.measure.engine.kernels import KERNELS

SOURCES = {
    "engine/radii.py": "from galsmith.measure.engine.apertures import (\n    ellipse_sum,\n)\n",
    "engine/apertures.py": "from galsmith.measure.engine import flags\n",
    "engine/flags.py": "from galsmith.measure.flags import SERSIC_FLAGS\n",
    "engine/columns.py": "from galsmith.measure.properties.morphology import KERNEL_PROPERTIES\n",
    "engine/labels.py": "import numpy\n",
    "engine/light/gini.py": "from galsmith.measure.engine.labels import label\n",
    **dict.fromkeys(PLACES_NAMED_IN, "NAMES = ()\n"),
}
CODE = (
    "radii.petrosian_radius-1",
    "apertures.ellipse_sum-2",
    "columns.place-3",
    "labels.label-4",
    "light/gini.gini-5",
)


def drop_stale_kernels(engine):
    return freshness.drop_stale_kernels(engine, lambda folder: folder / "__pycache__")


def _engine_like(folder):
    for name, text in SOURCES.items():
        (folder / name).parent.joinpath("__pycache__").mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "engine"


def _code_in(engine):
    return {path.stem.partition(".")[0] for path in engine.rglob("*.nbi")}


def _left_after(engine, change):
    for name in CODE:
        (engine / name).parent.joinpath("__pycache__", f"{Path(name).name}.nbi").write_bytes(b"code")
    assert drop_stale_kernels(engine) == []
    assert len(_code_in(engine)) == len(CODE)
    change()
    drop_stale_kernels(engine)
    return _code_in(engine)


def test_a_changed_file_drops_the_code_of_all_that_import_it(tmp_path):
    engine = _engine_like(tmp_path)
    assert set(drop_stale_kernels(engine)) >= {"engine/radii.py", "engine/light/gini.py"}
    for changed, left in {
        "engine/flags.py": {"columns", "labels", "gini"},
        "engine/apertures.py": {"columns", "labels", "gini"},
        "engine/radii.py": {"apertures", "columns", "labels", "gini"},
        "engine/labels.py": {"radii", "apertures", "columns"},
        "engine/light/gini.py": {"radii", "apertures", "columns", "labels"},
        PLACES_NAMED_IN[0]: {"radii", "apertures", "labels", "gini"},
    }.items():
        text = SOURCES[changed] + f"CHANGED = {changed!r}\n"
        assert _left_after(engine, lambda file=tmp_path / changed, text=text: file.write_text(text)) == left


def test_a_newer_file_of_the_same_size_counts_as_changed(tmp_path):
    engine = _engine_like(tmp_path)
    drop_stale_kernels(engine)
    state = (engine / "labels.py").stat()
    newer = (state.st_atime_ns, state.st_mtime_ns + 1)
    assert "labels" not in _left_after(engine, lambda: os.utime(engine / "labels.py", ns=newer))


def test_a_folder_that_cannot_be_written_to_is_left_alone(tmp_path):
    engine = _engine_like(tmp_path)
    (engine / "__pycache__").rmdir()
    (engine / "__pycache__").write_text("a file, so that no folder can be made")
    assert drop_stale_kernels(engine) == []


def test_a_new_folder_of_code_is_stamped_at_once(tmp_path):
    engine = _engine_like(tmp_path)
    (engine / "__pycache__").rmdir()
    assert drop_stale_kernels(engine)
    assert (engine / "__pycache__" / STAMP_FILE).exists()
    assert drop_stale_kernels(engine) == []


def test_code_is_looked_for_where_numba_keeps_it(tmp_path, monkeypatch):
    kernel = next(iter(KERNELS.values())).function
    assert place_of_kept_code(Path(inspect.getfile(kernel.py_func)).parent) == Path(kernel.stats.cache_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    assert place_of_kept_code().parent == tmp_path / "elsewhere"


def test_without_any_place_code_goes_to_a_temporary_folder_and_the_user_is_told(
    tmp_path, monkeypatch, caplog
):
    original = freshness._place_of
    failures = iter([True])

    def place(folder):
        if next(failures, False):
            raise RuntimeError("cannot cache function: no locator available")
        return original(folder)

    monkeypatch.setattr(freshness, "_place_of", place)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(freshness.tempfile, "mkdtemp", lambda prefix: str(tmp_path / prefix))
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        assert place_of_kept_code().parent == tmp_path / "galsmith-kernels-"
    assert "NUMBA_CACHE_DIR" in caplog.text


def test_damaged_stamps_drop_everything(tmp_path):
    engine = _engine_like(tmp_path)
    (engine / "__pycache__" / STAMP_FILE).write_text("{")
    assert "engine/radii.py" in drop_stale_kernels(engine)


def test_the_engine_s_own_imports_are_followed():
    stamps = _stamps_of(FOLDER)
    galaxy = next(name for name in stamps if name.endswith("galaxy.py"))
    rows = next(name for name in stamps if name.endswith("ordering.py"))
    assert f"{rows} " in stamps[galaxy]
    assert f"{galaxy} " not in stamps[rows]
    for name in PLACES_NAMED_IN:
        assert f"{name} " in stamps[galaxy]
        assert f"{name} " not in stamps[rows]
