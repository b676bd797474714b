"""A store against a plain model: made, killed, resumed, replaced, read, verified in any order; nothing lost nor doubled."""

import errno
import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from astropy.table import QTable
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from galsmith.data.store import StoreHeader, StoreWriter, open_store, partial_chunks, verify_store
from galsmith.errors import GalsmithError, InputError, OutputExistsError
from galsmith.images import ImageHeader
from galsmith.provenance import Provenance

N_CHUNKS, IN_CHUNK = 3, 2
CALLS = ("replace", "fsync", "open")


class Killed(BaseException):
    """Stands for a kill: nothing catches it, and nobody tidies up."""


class OneFault:
    """Fails at the n-th call of what changes files; a kill goes on failing, so that nothing is tidied up."""

    def __init__(self, at, error):
        self.at, self.error, self.count = at, error, 0

    def watched(self, call):
        def watched(*arguments, **how):
            self.count += 1
            is_killed = isinstance(self.error, Killed) and self.count > self.at
            if self.count == self.at or is_killed:
                raise self.error
            return call(*arguments, **how)

        return watched

    def __enter__(self):
        self.patches = [mock.patch.object(os, name, self.watched(getattr(os, name))) for name in CALLS]
        for patch in self.patches:
            patch.start()
        return self

    def __exit__(self, *_):
        for patch in self.patches:
            patch.stop()


def pixels_of(version, chunk):
    """Images that are those of one chunk of one version alone."""
    base = np.arange(IN_CHUNK * 16, dtype=np.float32).reshape(IN_CHUNK, 1, 4, 4)
    return base + 1000 * version + 100 * chunk + 0.5


def header_of(version):
    return StoreHeader(ImageHeader(("r",), "nJy"), Provenance("test", {"version": version}))


def written(place, version, *, chunks=range(N_CHUNKS), finish=True, overwrite=False, release=True):
    """Write chunks of a version, and finish it."""
    writer = StoreWriter(place, header_of(version), n_chunks=N_CHUNKS, overwrite=overwrite)
    try:
        if writer.is_complete:
            return
        for chunk in chunks:
            if not writer.is_done(chunk):
                names = [f"{version}-{chunk}-{row}" for row in range(IN_CHUNK)]
                writer.write_chunk(chunk, pixels_of(version, chunk), QTable({"object_id": names}))
        if finish and writer.n_done == N_CHUNKS:
            writer.finish()
    except Killed:
        os.close(writer._partial._claim._descriptor)  # as the system does when a process ends
        writer._partial._claim._lose.detach()
        raise
    finally:
        writer.__exit__()


class StoreStates(RuleBasedStateMachine):
    """The model: which version is there whole, and which one is on its way."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.place = self.folder / "store"
        self.whole = self.partial = None

    def teardown(self):
        shutil.rmtree(self.folder)

    versions = st.integers(0, 2)

    @rule(version=versions, chunks=st.sets(st.integers(0, N_CHUNKS - 1)))
    def write_some(self, version, chunks):
        """Write some chunks and stop, as Ctrl-C does."""
        if self.whole == version:
            written(self.place, version)
        elif self.whole is not None or self.partial not in (None, version):
            with pytest.raises(OutputExistsError):
                written(self.place, version, chunks=chunks, finish=False)
        else:
            written(self.place, version, chunks=chunks, finish=False)
            self.partial = version

    @rule(version=versions)
    def finish(self, version):
        """Write what is missing."""
        if self.whole == version:
            written(self.place, version)
        elif self.whole is not None or self.partial not in (None, version):
            with pytest.raises(OutputExistsError):
                written(self.place, version)
        else:
            written(self.place, version)
            self.whole, self.partial = version, None

    @rule(version=versions)
    def overwrite(self, version):
        """Replace whatever is there."""
        written(self.place, version, overwrite=True)
        self.whole, self.partial = version, None

    @rule(version=versions, at=st.integers(1, 75), code=st.sampled_from([errno.ENOSPC, errno.EIO, None]))
    def fail(self, version, at, code):
        """Let the disk fail once, or a kill come, while a version replaces what is there; then do it again."""
        error = Killed() if code is None else OSError(code, os.strerror(code))
        try:
            with OneFault(at, error):
                written(self.place, version, overwrite=True)
        except (Killed, OSError, GalsmithError):
            found = self.found()
            assert found in (self.whole, version, None)
            # an old store goes when the new one is complete, and then the new one is there
            assert found is not None or self.whole is None
        written(self.place, version, overwrite=True)
        self.whole, self.partial = version, None

    @precondition(lambda self: self.whole is not None)
    @rule(row=st.integers(0, N_CHUNKS * IN_CHUNK - 1))
    def read_while_another_is_made(self, row):
        """Read from a store that is open while it is replaced by itself."""
        images = open_store(self.place)
        images.pixels.read([0])
        chunk, within = divmod(row, IN_CHUNK)
        assert np.array_equal(images.pixels[row], pixels_of(self.whole, chunk)[within])

    def found(self):
        """Which version is there whole, with all that belongs to it."""
        try:
            images = open_store(self.place)
        except InputError:
            return None
        version = images.provenance.settings["version"]
        wanted = [f"{version}-{chunk}-{row}" for chunk in range(N_CHUNKS) for row in range(IN_CHUNK)]
        assert list(images.catalog["object_id"]) == wanted
        for chunk in range(N_CHUNKS):
            rows = range(chunk * IN_CHUNK, (chunk + 1) * IN_CHUNK)
            assert np.array_equal(images.pixels.read(rows), pixels_of(version, chunk))
        assert verify_store(self.place) == []
        return version

    @invariant()
    def is_as_the_model_says(self):
        assert self.found() == self.whole
        assert (partial_chunks(self.place) is not None) == (self.partial is not None)
        assert not [*self.folder.rglob("*.writing")]


QUICK = settings(
    max_examples=6, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)
LONG = settings(QUICK, max_examples=40, stateful_step_count=15)

TestSomeStates = StoreStates.TestCase
TestSomeStates.settings = QUICK


@pytest.mark.slow
def test_many_states():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(StoreStates, settings=LONG)
