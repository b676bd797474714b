"""Compiled code of changed sources is dropped, that of unchanged ones is kept."""

import os

from galsmith.measure.engine.freshness import STAMP_FILE, drop_stale_kernels


def _engine_like(folder):
    engine = folder / "engine"
    (engine / "__pycache__").mkdir(parents=True)
    (engine / "radii.py").write_text("RADIUS = 1\n")
    (folder / "properties.py").write_text("NAMES = ()\n")
    return engine, engine / "__pycache__" / "radii.kernel.nbi"


def test_one_changed_file_drops_the_code_of_all(tmp_path):
    engine, compiled = _engine_like(tmp_path)
    assert drop_stale_kernels(engine)
    for changed in (engine / "radii.py", tmp_path / "properties.py", engine / "new.py"):
        compiled.write_bytes(b"code")
        assert not drop_stale_kernels(engine)
        assert compiled.exists()
        changed.write_text(f"CHANGED = {str(changed)!r}\n")
        assert drop_stale_kernels(engine)
        assert not compiled.exists()


def test_a_newer_file_of_the_same_size_counts_as_changed(tmp_path):
    engine, compiled = _engine_like(tmp_path)
    drop_stale_kernels(engine)
    compiled.write_bytes(b"code")
    state = (engine / "radii.py").stat()
    os.utime(engine / "radii.py", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert drop_stale_kernels(engine)
    assert not compiled.exists()


def test_a_folder_without_a_place_for_code_is_left_alone(tmp_path):
    engine, compiled = _engine_like(tmp_path)
    compiled.parent.rmdir()
    assert not drop_stale_kernels(engine)
    assert not (engine / "__pycache__" / STAMP_FILE).exists()
