"""A sampling that is killed again and again ends with the store of one that never was."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.sampling import sample

PROGRAM = "import sys; from galsmith.sampling import sample; sample(sys.argv[1], sys.argv[2], n=5000, seed=9)"
N_CHUNKS = 20


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed(pca_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    for chunks_before_the_kill in (3, 9):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(pca_run), str(output)])
        while (
            process.poll() is None
            and len(list(output.with_name("killed.partial").glob("chunk-*.json"))) < chunks_before_the_kill
        ):
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        with pytest.raises(InputError, match=rf"a partial store, \d+ of {N_CHUNKS} chunks done"):
            open_store(output)
    resumed = sample(pca_run, output, n=5000, seed=9)
    whole = sample(pca_run, tmp_path / "whole", n=5000, seed=9)
    assert resumed.content_hash == whole.content_hash
