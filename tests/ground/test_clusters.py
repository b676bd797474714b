"""What a file says of a Dask cluster; and runs on one, where Dask is installed (``make test-cluster``)."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from trees import hashes

from galsmith.cli import main
from galsmith.errors import EngineLostError, InputError, SettingsError
from galsmith.execution import DaskExecutor, clusters, read_cluster

pytestmark = pytest.mark.timeout(300)  # what waits for a cluster can wait for ever
needs_dask = pytest.mark.skipif(
    not importlib.util.find_spec("dask_jobqueue"), reason="Dask is not installed: make test-cluster"
)
LOCAL = 'kind = "local"\nworkers = 2\n'
SLURM = 'kind = "SLURM"\nworkers = 6\ncores = 2\nmemory = "4GB"\n'
SMALL = ("--recipe", "sersic-32", "--set", "size_pix=16", "-n", "40", "--seed", "3", "--quiet")
IN_TENS = "galsmith.data.readers.to_store.IMAGES_PER_CHUNK"


def written(folder, text):
    (folder / "cluster.toml").write_text(text)
    return folder / "cluster.toml"


@pytest.fixture
def installed(monkeypatch):
    """Dask and all batch systems, as far as is looked for."""
    monkeypatch.setattr(clusters, "find_spec", lambda name: name)
    monkeypatch.setattr(clusters.shutil, "which", lambda name: name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "not valid TOML"),
        ("workers = 2", "setting 'kind' is missing; wanted one of local, SLURM, PBS, HTCondor"),
        ('kind = "slrm"', r"setting 'kind' is 'slrm' \(did you mean 'SLURM'\?\)"),
        ("kind = 3", "setting 'kind' is 3; wanted"),
        ('kind = ["SLURM"]', r"setting 'kind' is \['SLURM'\]; wanted"),
        ('kind = "local"', "setting 'workers' is missing"),
        ('kind = "local"\nworkers = 0', "setting 'workers' is 0"),
        (SLURM.replace("4GB", "4"), "setting 'memory' is '4': .*amount of memory"),
        (SLURM + 'walltime = "2h"', "setting 'walltime' is '2h': .*hours, minutes and seconds"),
        (SLURM + 'wlltime = "1:00:00"', r"unknown setting 'wlltime' \(did you mean 'walltime'\?\)"),
        (SLURM + 'job_script_prologue = "x"', "setting 'job_script_prologue' is 'x'"),
        (SLURM.replace("SLURM", "HTCondor"), "setting 'disk' is missing"),
    ],
)
def test_a_file_that_is_wrong_is_refused_before_anything_starts(installed, tmp_path, text, said):
    with pytest.raises(SettingsError, match=rf"cluster.toml: {said}"):
        read_cluster(written(tmp_path, text))


def test_a_file_that_is_right_is_taken(installed, tmp_path):
    plan = read_cluster(written(tmp_path, SLURM + 'walltime = "1-02:00:00"'))
    assert plan.kind is clusters.KINDS["SLURM"]
    assert (plan.settings.workers, plan.settings.walltime) == (6, "1-02:00:00")
    assert read_cluster("tcp://10.0.0.1:8786").kind is None


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone.toml: cannot be read \(No such file"):
        read_cluster(tmp_path / "gone.toml")


@pytest.mark.parametrize("place", ["here:8786", "http://here:8786", "tcp://here", "tcp://:1 2", ""])
def test_what_is_no_address_is_refused(installed, place):
    with pytest.raises(SettingsError, match=r"wanted tcp://HOST:PORT of a Dask scheduler, or a \.toml file"):
        read_cluster(place)


def test_what_is_not_installed_is_named_with_its_command(monkeypatch, tmp_path):
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"package distributed, .*; pip install 'galsmith\[cluster\]'"):
        read_cluster("tcp://10.0.0.1:8786")
    with pytest.raises(SettingsError, match=r"package dask_jobqueue, .*; pip install 'galsmith\[cluster\]'"):
        read_cluster(written(tmp_path, SLURM))


def test_jobs_are_submitted_where_their_command_is(monkeypatch, tmp_path):
    monkeypatch.setattr(clusters, "find_spec", lambda name: name)
    monkeypatch.setattr(clusters.shutil, "which", lambda name: None)
    with pytest.raises(SettingsError, match="jobs are submitted by sbatch, which is not on this machine"):
        read_cluster(written(tmp_path, SLURM))
    assert read_cluster(written(tmp_path, LOCAL)).settings.workers == 2


def test_processes_and_a_cluster_are_not_asked_for_at_once(capsys, tmp_path):
    words = ["simulate", "sersic", "-n", "3", "-o", str(tmp_path / "store"), "--workers", "2"]
    assert main([*words, "--dask", "tcp://10.0.0.1:8786"]) == 2
    assert "--workers 2: counts local processes, and --dask says where to work" in capsys.readouterr().err


# What follows needs Dask.

TROUBLED = '''
"""Galaxies, one of which kills or holds up whoever reads it, as a file beside this module says."""
import os, pathlib, signal, time
from dataclasses import dataclass
import numpy as np
from astropy.table import QTable
from galsmith.data.readers.registry import Reader, register_reader
from galsmith.data.readers.source import Listing, Origin
from galsmith.images import ImageHeader
from galsmith.seeds import random_stream

HERE = pathlib.Path(__file__).parent

class TroubledSource:
    def __init__(self):
        self.header = ImageHeader(("r",), "nJy", pixel_scale_arcsec=0.2)
        self.catalog = QTable({"object_id": [f"g{row}" for row in range(80)]})
        self.listing = Listing([f"galaxy {row}" for row in range(80)], np.full((80, 2), 8))
        self.origin = Origin({"kind": "troubled"}, ())

    def read(self, rows):
        for row in rows:
            if row == 65 and (HERE / "kill").exists():
                (HERE / "kill").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if row == 65 and (HERE / "hold").exists():
                time.sleep(600)
            yield random_stream(int(row), "tests.workers").normal(0, 1, (1, 8, 8)).astype(np.float32)
'''
PROGRAM = """
import sys
from pathlib import Path
from troubled import TroubledSource
import galsmith.data.readers.to_store as to_store
from galsmith.data.options import SetOptions
from galsmith.errors import GalsmithError
from galsmith.execution import DaskExecutor

if __name__ == "__main__":
    to_store.IMAGES_PER_CHUNK = 10
    try:
        with DaskExecutor(sys.argv[1]) as executor:
            to_store.write_source(TroubledSource(), Path("store"), verb="test", seed=1, options=SetOptions(),
                                  executor=executor)
    except GalsmithError as error:
        sys.exit(f"{error.exit_code} {error}")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder in which chunks have ten images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(IN_TENS, 10)
    return tmp_path


@pytest.fixture
def troubled(here, monkeypatch):
    """The folder of a source that other processes can import, and a store of it without any trouble."""
    site = here / "site"
    site.mkdir()
    (site / "troubled.py").write_text(TROUBLED)
    (site / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(site))
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    monkeypatch.setenv("PYTHONPATH", path)
    from galsmith.data.options import SetOptions
    from galsmith.data.readers.to_store import write_source

    module = importlib.import_module("troubled")
    write_source(module.TroubledSource(), here / "alone", verb="test", seed=1, options=SetOptions())
    yield site
    sys.modules.pop("troubled", None)


def started(site, place):
    """Start the program that writes a store with Dask."""
    words = [sys.executable, str(site / "program.py"), str(place)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def ended(running):
    """Exit code, and what was said."""
    _, said = running.communicate(timeout=300)
    return running.returncode, said


def wait_for_chunks(here, count, running):
    end = time.monotonic() + 300
    while len(list(here.glob("store.partial/chunk-*.json"))) < count and time.monotonic() < end:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    assert len(list(here.glob("store.partial/chunk-*.json"))) == count


def wait_for_workers(port, count):
    """Wait until workers have come: processes take seconds to start."""
    from distributed import Client

    end = time.monotonic() + 120
    while not is_open(port) and time.monotonic() < end:
        time.sleep(0.1)
    with Client(f"tcp://127.0.0.1:{port}", timeout=60) as client:
        client.wait_for_workers(count, timeout=120)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


WITHOUT_GALSMITH = """
import importlib.metadata as metadata
def version(name, found=metadata.version):
    if name == "galsmith":
        raise metadata.PackageNotFoundError(name)
    return found(name)
version.__module__, version.__qualname__ = "importlib.metadata", "version"
metadata.version = version
"""
DASK = "import sys; from distributed.cli.dask_{0} import main; main()"


@contextmanager
def dask_processes(port, *, workers=1, code="", of_scheduler="", options=()):
    """A scheduler and workers, each a process, as somebody else would have started them; they are killed at the end."""
    words = [sys.executable, "-c", of_scheduler + DASK.format("scheduler")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [
        subprocess.Popen([*words, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet)
    ]
    of_worker = [sys.executable, "-c", code + DASK.format("worker"), f"tcp://127.0.0.1:{port}"]
    more = ["--nanny" if "--nanny" in options else "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
    threads = ["--nthreads", "2" if "--two-threads" in options else "1"]
    processes += [subprocess.Popen([*of_worker, *more, *threads], **quiet) for _ in range(workers)]
    try:
        wait_for_workers(port, workers)
        yield processes
    finally:
        for process in reversed(processes):
            process.terminate()  # a nanny ends its worker
        for process in processes:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def is_open(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@needs_dask
def test_a_lent_cluster_writes_the_bytes_of_one_process_and_lives_on(here):
    port = free_port()
    with dask_processes(port, workers=2, options=("--two-threads",)):
        words = ["simulate", "sersic", *SMALL]
        assert main([*words, "-o", "alone"]) == 0
        assert main([*words, "-o", "lent", "--dask", f"tcp://127.0.0.1:{port}"]) == 0
        assert hashes(here / "lent") == hashes(here / "alone")
        power = ["measure", "alone", "--set", 'quantities=["power"]', "--quiet"]
        assert main([*power, "-o", "alone.ecsv", "--workers", "1"]) == 0
        assert main([*power, "-o", "lent.ecsv", "--dask", f"tcp://127.0.0.1:{port}"]) == 0
        one, other = ((here / name).read_text().splitlines() for name in ("alone.ecsv", "lent.ecsv"))
        assert [line for line in one if not line.startswith("#")] == [
            line for line in other if not line.startswith("#")
        ]
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{port}", timeout=15) as client:
            assert list(client.nthreads().values()) == [2, 2]


@needs_dask
@pytest.mark.parametrize("module", ["clusters", "visiting"])
def test_workers_of_another_version_are_refused_with_both(module, here, capsys, monkeypatch):
    monkeypatch.setattr(f"galsmith.execution.{module}.installed_version", lambda: "0.0.1")
    port = free_port()
    with dask_processes(port):
        if module == "visiting":  # as of a worker that comes late
            monkeypatch.setattr(clusters, "_check_versions", lambda client: None)
        words = ["simulate", "sersic", *SMALL, "-o", "store", "--dask", f"tcp://127.0.0.1:{port}"]
        assert main(words) == 2
    said = capsys.readouterr().err
    assert "this command is galsmith 0.0.1: they could make different images" in said
    assert said.count("\n") == 1


@needs_dask
@pytest.mark.parametrize("who", ["a worker", "the scheduler"])
def test_workers_and_schedulers_without_galsmith_are_refused(who, here, capsys):
    port = free_port()
    of = {"code" if who == "a worker" else "of_scheduler": WITHOUT_GALSMITH}
    with dask_processes(port, **of):
        words = ["simulate", "sersic", *SMALL, "-o", "store", "--dask", f"tcp://127.0.0.1:{port}"]
        assert main(words) == 2
    said = capsys.readouterr().err
    assert f"{who} has no galsmith" in said
    assert said.count("\n") == 1


@needs_dask
def test_a_scheduler_that_is_not_there_is_one_line(here, capsys, monkeypatch):
    monkeypatch.setattr(clusters, "SECONDS_TO_REACH", 1)
    port = free_port()
    assert main(["simulate", "sersic", *SMALL, "-o", "store", "--dask", f"tcp://127.0.0.1:{port}"]) == 1
    said = capsys.readouterr().err
    assert f"tcp://127.0.0.1:{port}: cannot be reached" in said
    assert said.count("\n") == 1


@needs_dask
def test_a_scheduler_goes_away_and_the_same_command_goes_on(troubled, here):
    port = free_port()
    (troubled / "hold").touch()
    with dask_processes(port, workers=2) as (scheduler, *_):
        running = started(troubled, f"tcp://127.0.0.1:{port}")
        wait_for_chunks(here, 7, running)
        scheduler.send_signal(signal.SIGKILL)
        code, said = ended(running)
        assert (code, "1 the workers went away" in said) == (1, True), said
        assert "the same command goes on" in said
        assert said.count("\n") == 1
    assert not (here / "store").exists()
    kept = {file: file.stat().st_mtime_ns for file in here.glob("store.partial/chunk-*.json")}
    assert len(kept) == 7
    (troubled / "hold").unlink()
    (troubled / "kill").touch()  # and a worker that is killed costs nothing
    with dask_processes(port, workers=2, options=("--nanny",)):
        running = started(troubled, f"tcp://127.0.0.1:{port}")
        assert ended(running) == (0, "")
    assert not (troubled / "kill").exists()
    assert hashes(here / "store") == hashes(here / "alone")


@needs_dask
def test_a_cluster_of_ours_is_started_and_stopped(troubled, here):
    (troubled / "hold").touch()
    running = started(troubled, written(here, LOCAL))
    wait_for_chunks(here, 7, running)
    tasks = Path(f"/proc/{running.pid}/task").glob("*/children")
    children = [child for task in tasks for child in task.read_text().split()]
    assert len(children) >= 2
    running.send_signal(signal.SIGINT)
    code, said = ended(running)
    assert code == -signal.SIGINT or "KeyboardInterrupt" in said
    end = time.monotonic() + 30
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    (troubled / "hold").unlink()
    assert ended(started(troubled, here / "cluster.toml")) == (0, "")
    assert hashes(here / "store") == hashes(here / "alone")


@needs_dask
@pytest.mark.parametrize(
    ("kind", "more", "wanted"),
    [
        (
            "SLURM",
            'queue = "short"\naccount = "me"\nwalltime = "02:00:00"\njob_extra_directives = ["--exclusive"]\n'
            'job_script_prologue = ["module load python"]\n',
            [
                "#SBATCH -p short",
                "#SBATCH -A me",
                "#SBATCH -t 02:00:00",
                "#SBATCH --exclusive",
                "--nworkers 2",
            ],
        ),
        ("PBS", 'queue = "short"\nwalltime = "02:00:00"\n', ["#PBS -q short", "#PBS -l walltime=02:00:00"]),
        ("HTCondor", 'disk = "1GB"\n', ["MY.DaskWorkerCores = 2", "MY.DaskWorkerMemory = 4000000000"]),
    ],
)
def test_the_script_of_a_job_is_as_the_file_says(installed, tmp_path, kind, more, wanted):
    plan = read_cluster(written(tmp_path, SLURM.replace("SLURM", kind) + more))
    with clusters._silenced(), plan.start() as cluster:
        script = cluster.job_script()
        assert cluster.scheduler.address in script
    assert [line for line in wanted if line not in script] == []
    assert "--nthreads 1" in script
    assert ("module load python" in script) == ("prologue" in more)


@needs_dask
def test_jobs_that_the_batch_system_refuses_end_the_command_with_what_it_says(here, monkeypatch, capsys):
    (here / "bin").mkdir()
    refusing = here / "bin" / "sbatch"
    refusing.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: nosuch' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}")
    words = ["simulate", "sersic", *SMALL, "-o", "store", "--dask", str(written(here, SLURM))]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "cluster.toml: cannot be started (" in said
    assert "sbatch: error: invalid partition specified: nosuch" in said
    assert said.count("\n") == 1


@needs_dask
def test_python_uses_the_same_executor(here):
    with pytest.raises((SettingsError, EngineLostError), match=r"127\.0\.0\.1:9"):
        with_dask(here)


def with_dask(here):
    from galsmith import simulate

    with DaskExecutor("tcp://127.0.0.1:9") as executor:
        simulate.sersic(here / "store", n=3, recipe="sersic-32", executor=executor)
