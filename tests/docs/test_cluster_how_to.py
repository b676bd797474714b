"""The how-to on clusters: each command and each file of the page, on fewer galaxies; with Dask in ``make test-cluster``."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from galsmith import simulate
from galsmith.cli import main
from galsmith.data.store import open_store
from galsmith.execution import clusters, read_cluster

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "cluster.md"
TEXT = PAGE.read_text(encoding="utf-8")
pytestmark = pytest.mark.timeout(300)  # what waits for a cluster can wait for ever
needs_dask = pytest.mark.skipif(
    not importlib.util.find_spec("dask_jobqueue"), reason="Dask is not installed: make test-cluster"
)
WORKERS, ADDRESS, FILE = re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
LOCAL, SLURM = re.findall(r"^```toml\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with what the same commands make in one process, in which chunks have ten images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 10)
    simulate.sersic("alone", n=40, recipe="sersic-32", seed=1)
    return tmp_path


def run(block, **replaced):
    """Run the commands of a block on forty galaxies."""
    for old, new in {"-n 2000": "-n 40", **replaced}.items():
        block = block.replace(old, new)
    for line in block.strip().splitlines():
        assert main([*shlex.split(line)[1:], "--quiet"]) == 0, line


def check(here):
    assert open_store("galaxies").content_hash == open_store("alone").content_hash
    assert (here / "galaxies.parquet").is_file()


def test_local_processes_do_as_the_page_says(here):
    run(WORKERS)
    check(here)


def test_the_files_of_the_page_are_right_and_all_settings_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "find_spec", lambda name: name)
    monkeypatch.setattr(clusters.shutil, "which", lambda name: name)
    for text in (LOCAL, SLURM):
        (tmp_path / "cluster.toml").write_text(text)
        assert read_cluster(tmp_path / "cluster.toml").settings.workers == 2
    table = TEXT.partition("|---|---|\n")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert named >= {name for kind in clusters.KINDS.values() for name in kind.settings.model_fields}
    assert named >= set(clusters.KINDS)


@needs_dask
def test_a_lent_cluster_does_as_the_page_says(here):
    from distributed import LocalCluster

    with (
        clusters._silenced(),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_kwargs=clusters.NO_DASHBOARD
        ) as cluster,
    ):
        run(ADDRESS, **{"tcp://SCHEDULER:8786": cluster.scheduler_address})
        check(here)
        assert len(cluster.workers) == 2


@needs_dask
def test_a_file_does_as_the_page_says(here):
    (here / "cluster.toml").write_text(LOCAL)
    run(FILE)
    check(here)
    (block,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
    exec(compile(block.replace("n=2000", "n=40"), str(PAGE), "exec"), {})
    assert len(open_store("more")) == 40
