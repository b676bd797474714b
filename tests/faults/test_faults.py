"""Whatever kills a verb, the same command then ends with the undisturbed output and nothing beside it."""

import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w
from small_verbs import recipe
from trees import hashes

from galsmith.cli import main
from galsmith.data.store import open_store
from galsmith.files import read_json, settle
from galsmith.measure import read_measurements
from galsmith.models.snapshot import read_snapshot_page

SECONDS_TO_DIE = 20
SERVER = Path(__file__).with_name("verb_server.py")


def hash_of(output):
    """All of an output, bytes included."""
    return hashes(output) if output.is_dir() else hashlib.sha256(output.read_bytes()).hexdigest()


def weights_of(run):
    """Weights and file names of a run, whose log and checkpoint also tell how long it took."""
    return read_snapshot_page(run / "snapshot")["tensors_sha256"], sorted(hashes(run))


def names_of(report):
    """File names of a report."""
    return sorted(hashes(report))


def answers_of_study(study):
    """What a study of denoising says, and its cells and file names without the times that they took."""
    cells = {}
    for file in sorted((study / "cells").glob("*.json")):
        cells[file.name] = read_json(file)
        cells[file.name].pop("processor_seconds")
        cells[file.name]["training"].pop("seconds", None)
    said = [read_json(study / name) for name in ("study.json", "answers.json")]
    return said, (study / "answers.md").read_text(), cells, sorted(hashes(study))


def workers_of(child):
    """Processes of the group of one that has ended."""
    fields = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields.append(file.read_text().rpartition(")")[2].split())
    return [state for state, _, group, *_ in fields if int(group) == child and state != "Z"]


class Server:
    """The process that runs the verbs."""

    def __init__(self, folder):
        self.inputs = folder / "inputs"
        self._errors = (folder / "errors.txt").open("w")
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(self.inputs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.files = json.loads(self._process.stdout.readline())

    def _ask(self, **asked):
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, name, output, *, variant=1, die_at=0, fault=0, watched=False, **how):
        """Start a verb in a child; its number."""
        below = str(output.parent) if watched or die_at else None
        return self._ask(
            verb=name,
            output=str(output),
            how={"variant": variant, **how},
            die_at=die_at,
            fault=fault,
            below=below,
        )

    def end(self, child):
        """Wait for a child; its exit code."""
        return self._ask(wait=child)

    def kill(self, name, output, *, moment=None, **how):
        """Run a verb that dies, or is killed at a moment unless it has ended; its workers die too."""
        child = self.start(name, output, **how)
        if moment is not None:
            time.sleep(moment)
            os.kill(child, signal.SIGKILL)
        assert self.end(child) in ((-signal.SIGKILL,) if moment is None else (-signal.SIGKILL, 0))
        until = time.monotonic() + SECONDS_TO_DIE
        while workers := workers_of(child):
            assert time.monotonic() < until, f"{name}: workers {workers} live on"
            time.sleep(0.02)

    def run(self, name, output, **how):
        """Run a verb; its exit code."""
        return self.end(self.start(name, output, **how))

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Started when the first test asks for it."""
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.close()


def contents_of_demo(demo):
    """What does not depend on how far the training came in its minutes."""
    known = hashes(demo)
    run = {name for name in known if name.startswith(("run/", "generated/images/"))}
    same = {name: known[name] for name in known if name.startswith(("galaxies/", "reference/"))}
    table = demo / "reference.parquet"  # says in which folder the demo was made
    rows = pq.read_table(table).replace_schema_metadata().to_pandas() if table.exists() else None
    return same, None if rows is None else rows.to_csv(), sorted(set(known) - run)


def place_of(name, folder, server):
    """An output in a folder of its own."""
    folder.mkdir(parents=True)
    return folder / server.files[name]


def content_of(name, output):
    """What two outputs of a verb must agree in."""
    by_name = {
        **{"train": weights_of, "report": names_of, "report figures": names_of, "demo": contents_of_demo},
        **{"denoise study": answers_of_study, "denoise report": names_of},
    }
    return by_name.get(name, hash_of)(output)


NAMES = (
    "simulate",
    "ingest folder",
    "ingest fits",
    "ingest store",
    "ingest field",
    "train",
    "snapshot",
    "sample store",
    "sample fits",
    "observe",
    "measure",
    "measure ecsv",
    "measure fits",
    "measure csv",
    "measure files",
    "measure morphology",
    "measure statmorph",
    "figure png",
    "look",
    "compare",
    "judge",
    "features",
    "score fit",
    "score predict",
    "score judge",
    "score report",
    "study",
    "denoise study",
    "denoise report",
    "report",
    "report figures",
    "demo",
)
QUICK = ("simulate", "sample fits", "snapshot", "measure")
SOME, MANY = 5, 40  # kills spread over the changes of files
RANDOM_KILLS = 15
LONG = {
    "measure statmorph": 15,
    "report figures": 15,
    "denoise study": 15,
    "denoise report": 15,
    "demo": 15,
}  # seconds each: fewer kills, spread as wide
EXISTS = 2  # exit code of a refusal
# put in their places as those of the same room are: fewer kills while they replace others
ALIKE = dict.fromkeys(
    (
        *("look", "ingest field", "measure ecsv", "measure fits", "measure csv", "measure files"),
        *("measure morphology", "judge", "score fit", "score predict", "score judge", "score report"),
    ),
    15,
)
BESIDE = {
    "judge": {"card.measurements"},
    "measure csv": {"table.csv.meta.json"},
}  # what a verb keeps beside its output


@pytest.fixture(scope="session")
def undisturbed(server, tmp_path_factory):
    """Content of each output where nothing goes wrong, how many changes it takes and how long; made when asked for."""
    known = {}

    def of(name, *, variant=1):
        if (name, variant) not in known:
            output = place_of(name, tmp_path_factory.mktemp("undisturbed") / "place", server)
            started = time.monotonic()
            assert server.run(name, output, variant=variant, watched=True) == 0
            seconds = time.monotonic() - started
            assert_alone(name, output)
            changes = int(output.parent.with_name("place.count").read_text())
            known[name, variant] = content_of(name, output), changes, seconds
        return known[name, variant]

    return of


def assert_alone(name, output):
    """Nothing lies beside an output but what its verb keeps there, and nothing half-written in it."""
    assert {path.name for path in output.parent.iterdir()} == {output.name} | BESIDE.get(name, set())
    assert not [*output.parent.rglob(".*.writing"), *output.parent.rglob("*.partial")]


def spread(count, n):
    """At most n of the numbers 1 to count, first and last among them."""
    return sorted({round(number) for number in np.linspace(1, count, min(n, count))})


def check_repeated(server, name, output, content, **how):
    """Give the same command again, and compare what then is there."""
    assert server.run(name, output, **how) == 0
    assert_alone(name, output)
    assert content_of(name, output) == content


def check_kills(server, name, tmp_path, reference, n):
    """Kill before some changes of files, each in a place of its own."""
    content, changes, _ = reference
    for number in spread(changes, n):
        output = place_of(name, tmp_path / str(number), server)
        server.kill(name, output, die_at=number)
        check_repeated(server, name, output, content)


@pytest.mark.parametrize("name", QUICK)
def test_killed_at_some_changes_of_files(name, server, undisturbed, tmp_path):
    check_kills(server, name, tmp_path, undisturbed(name), SOME)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_change_of_a_file(name, server, undisturbed, tmp_path):
    check_kills(server, name, tmp_path, undisturbed(name), LONG.get(name, MANY))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_killed_at_random_moments(name, server, undisturbed, tmp_path):
    content, _, seconds = undisturbed(name)
    for number, moment in enumerate(np.random.default_rng(7).uniform(0, seconds, size=RANDOM_KILLS)):
        output = place_of(name, tmp_path / str(number), server)
        server.kill(name, output, moment=moment)
        check_repeated(server, name, output, content)


FAILING = ("ingest fits", "sample store", "measure", "train")
FAULTS = (errno.ENOSPC, errno.EIO)


@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", ["ingest fits", "measure"])
def test_a_disk_that_fails_at_some_changes_of_files(name, fault, server, undisturbed, tmp_path):
    check_failing_disk(server, name, tmp_path, undisturbed(name), fault=fault, n=SOME)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
@pytest.mark.parametrize("name", FAILING)
def test_a_disk_that_fails_at_any_change_of_a_file(name, fault, server, undisturbed, tmp_path):
    check_failing_disk(server, name, tmp_path, undisturbed(name), fault=fault, n=10**6)


def check_failing_disk(server, name, tmp_path, reference, *, fault, n):
    """Let one write, renaming or flush fail, the disk full or faulty: nothing half-made, and the next call goes on."""
    content, changes, _ = reference
    for number in spread(changes, n):
        output = place_of(name, tmp_path / str(number), server)
        code = server.run(name, output, die_at=number, fault=fault)
        # what fails after all is in its place, or while the rest of it goes, does no harm
        if code == 0 or (output.exists() and name != "train"):
            settle(output)
            assert content_of(name, output) == content
        check_repeated(server, name, output, content)


@pytest.mark.parametrize("name", QUICK)
def test_twice_at_once(name, server, undisturbed, tmp_path):
    check_twice(server, name, tmp_path, undisturbed(name)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in QUICK])
def test_all_verbs_twice_at_once(name, server, undisturbed, tmp_path):
    check_twice(server, name, tmp_path, undisturbed(name)[0])


def check_twice(server, name, tmp_path, content):
    """Start a verb twice: one makes the output, the other is refused, or finds it made."""
    for number in range(3):
        output = place_of(name, tmp_path / str(number), server)
        children = [server.start(name, output) for _ in range(2)]
        codes = sorted(server.end(child) for child in children)
        assert codes[0] == 0
        assert codes[1] in (0, EXISTS)
        assert_alone(name, output)
        assert content_of(name, output) == content


# a report's files have the names of any other's; what a demo makes of another plan is alike but for its training
NOT_REPLACED = ("report", "report figures", "denoise report", "demo")
OVERWRITING = ("simulate", "sample fits", "measure")


@pytest.mark.parametrize("name", OVERWRITING)
def test_a_killed_overwrite_leaves_old_or_new(name, server, undisturbed, tmp_path):
    check_overwrites(server, name, tmp_path, undisturbed, n=SOME)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_REPLACED])
def test_any_killed_overwrite_leaves_old_or_new(name, server, undisturbed, tmp_path):
    check_overwrites(server, name, tmp_path, undisturbed, n={**ALIKE, **LONG}.get(name, MANY))


def check_overwrites(server, name, tmp_path, undisturbed, *, n):
    """Kill while an output replaces another."""
    new, changes, _ = undisturbed(name)
    old = undisturbed(name, variant=2)[0]
    assert old != new
    for number in spread(changes, n):
        output = place_of(name, tmp_path / str(number), server)
        assert server.run(name, output, variant=2) == 0
        server.kill(name, output, die_at=number, overwrite=True)
        settle(output)  # as any reader does
        assert content_of(name, output) in (old, new)
        check_repeated(server, name, output, new, overwrite=True)


COMMANDS = {
    "simulate": "simulate sersic -n 600 --recipe sersic-32 --seed 1",
    "ingest": "ingest fits {inputs}/cut",
    "measure": "measure {inputs}/store --sersic none --workers 2",
    "measure csv": "measure {inputs}/store --sersic none --workers 2",
    "train": "train {inputs}/recipe.toml --data {inputs}/store --device cpu",
}
PROGRAM = "import sys; from galsmith.cli import main; sys.exit(main())"
REAL_KILLS = 5


def content_hash_of(name, output):
    """The hash that an output itself states, which no version of a package enters, and the names of its files."""
    if name == "measure csv":  # states none, and has values alone
        return hash_of(output)
    if name == "measure":
        return read_measurements(output).meta["content_hash"]
    return (
        weights_of(output) if name == "train" else (open_store(output).content_hash, sorted(hashes(output)))
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_process_of_the_command_line(name, server, tmp_path):
    (server.inputs / "recipe.toml").write_text(tomli_w.dumps(recipe()))
    words = [*COMMANDS[name].format(inputs=server.inputs).split(), "--quiet", "-o"]

    def start(output):
        output.parent.mkdir()
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *words, str(output)])

    file = {"measure": "table.parquet", "measure csv": "table.csv"}.get(name, "made")
    started = time.monotonic()
    assert start(tmp_path / "whole" / file).wait() == 0
    seconds = time.monotonic() - started
    content = content_hash_of(name, tmp_path / "whole" / file)
    for number, share in enumerate(
        np.linspace(0.3, 1.0, REAL_KILLS)
    ):  # nothing is written before its imports end
        output = tmp_path / str(number) / file
        process = start(output)
        time.sleep(share * seconds)
        process.kill()
        process.wait()
        output.parent.mkdir(exist_ok=True)
        assert main([*words, str(output)]) == 0
        assert_alone(name, output)
        assert content_hash_of(name, output) == content
