"""`DaskExecutor`: hands chunks to a Dask cluster that is there, by its address, or that a TOML file describes and we start.

Dask (the extra ``cluster``) is imported with the first chunk, when all else is checked. A cluster that was started is
stopped at the end; one that was there stays.
"""

import contextlib
import logging
import re
import shutil
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field

from galsmith.errors import EngineLostError, InputError, SettingsError
from galsmith.execution.visiting import installed_version, other_version
from galsmith.settings import Settings, near_words, typed_settings

Result = TypeVar("Result")
ADDRESS = re.compile(r"(?:tcp|tls)://\S+:\d{1,5}")
INSTALL = "pip install 'galsmith[cluster]'"
MEMORY = re.compile(r"\d+(\.\d+)? ?[kmgt]?i?b", re.IGNORECASE)
WALLTIME = re.compile(r"(\d+-)?\d{1,3}:\d{2}:\d{2}")
SECONDS_TO_REACH, SECONDS_BETWEEN_LOOKS = 15, 2.0
# Without any worker: what is said after so long, and when those that we started are taken for gone. Dask starts a local one
# that was killed anew within seconds.
SECONDS_UNTIL_TOLD, SECONDS_UNTIL_LOST = 60.0, 20.0
# Nothing is served to browsers; what Dask serves all the same is for this machine alone, at any free port.
NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
LOUD = ("distributed", "tornado", "asyncio")
logger = logging.getLogger("galsmith")


def _size(text: str) -> str:
    """Refuse what is no amount of memory."""
    if not MEMORY.fullmatch(text):
        raise ValueError("wanted an amount of memory, such as 4GB")
    return text


def _walltime(text: str) -> str:
    """Refuse what is no time."""
    if not WALLTIME.fullmatch(text):
        raise ValueError("wanted hours, minutes and seconds, such as 02:00:00")
    return text


Size = Annotated[str, AfterValidator(_size)]


class LocalSettings(Settings):
    """Processes of this machine, one thread each; `memory` is that of one."""

    workers: int = Field(ge=1)
    memory: Size | None = None


class JobSettings(Settings):
    """Jobs of a batch system, in the words of dask-jobqueue: `cores` and `memory` are those of one job.

    There are `workers` in all, one a core.
    """

    workers: int = Field(ge=1)
    cores: int = Field(1, ge=1)
    memory: Size
    interface: str | None = None
    python: str | None = None
    shebang: str | None = None
    job_script_prologue: list[str] | None = None
    log_directory: str | None = None
    local_directory: str | None = None
    death_timeout: int | None = Field(None, ge=1)


class QueueSettings(JobSettings):
    """Jobs in queues."""

    queue: str | None = None
    account: str | None = None
    walltime: Annotated[str, AfterValidator(_walltime)] | None = None
    job_extra_directives: list[str] | None = None


class SlurmSettings(QueueSettings):
    """Jobs of SLURM."""

    job_cpu: int | None = Field(None, ge=1)
    job_mem: str | None = None


class PbsSettings(QueueSettings):
    """Jobs of PBS."""

    resource_spec: str | None = None


class CondorSettings(JobSettings):
    """Jobs of HTCondor."""

    disk: Size
    job_extra_directives: dict[str, str] | None = None


@dataclass(frozen=True)
class Kind:
    """What can be started.

    Attributes
    ----------
    settings : type
        The record of its settings.
    package, cluster : str
        Where Dask has the class that starts it.
    command : str
        What submits jobs, which has to be on this machine; none where nothing is submitted.
    """

    settings: type[LocalSettings | JobSettings]
    package: str
    cluster: str
    command: str = ""


KINDS = {
    "local": Kind(LocalSettings, "distributed", "LocalCluster"),
    "SLURM": Kind(SlurmSettings, "dask_jobqueue", "SLURMCluster", "sbatch"),
    "PBS": Kind(PbsSettings, "dask_jobqueue", "PBSCluster", "qsub"),
    "HTCondor": Kind(CondorSettings, "dask_jobqueue", "HTCondorCluster", "condor_submit"),
}


@dataclass(frozen=True)
class ClusterPlan:
    """A cluster to reach, or to start.

    Attributes
    ----------
    place : str
        The address, or the file.
    kind : Kind or None
        None for an address.
    settings : LocalSettings, JobSettings or None
        What the file says.
    """

    place: str
    kind: Kind | None = None
    settings: LocalSettings | JobSettings | None = None

    def start(self) -> Any:
        """Start a cluster, without waiting for its workers: of a batch system they come when they come."""
        if self.kind is None or self.settings is None:
            raise ValueError(f"{self.place}: an address; nothing is started")
        made = getattr(import_module(self.kind.package), self.kind.cluster)
        if isinstance(self.settings, LocalSettings):
            return made(
                n_workers=self.settings.workers,
                threads_per_worker=1,
                memory_limit=self.settings.memory or "auto",
                dashboard_address=None,
                scheduler_kwargs=NO_DASHBOARD,
                silence_logs=logging.CRITICAL,
            )
        of_a_job = self.settings.model_dump(exclude={"workers"}, exclude_none=True)
        return made(
            processes=self.settings.cores,  # one thread each
            scheduler_options=NO_DASHBOARD,
            silence_logs=logging.CRITICAL,
            **of_a_job,
        )


def read_cluster(place: str | Path) -> ClusterPlan:
    """Read what is said of a cluster, and check all that can be checked before Dask is imported.

    Parameters
    ----------
    place : str or Path
        ``tcp://HOST:PORT`` (or ``tls://``) of a scheduler, or a TOML file whose `kind` is one of `KINDS`.

    Raises
    ------
    SettingsError
        If it is neither, a setting is wrong, or Dask or the batch system is not installed.
    InputError
        If the file cannot be read.
    """
    text = str(place)
    plan = ClusterPlan(text)
    if not text.endswith(".toml"):
        if not ADDRESS.fullmatch(text):
            raise SettingsError(
                argument="dask",
                came=text,
                wanted="tcp://HOST:PORT of a Dask scheduler, or a .toml file that describes a cluster",
            )
    else:
        plan = _described(Path(place))
    package = "distributed" if plan.kind is None else plan.kind.package
    if find_spec(package) is None:
        raise SettingsError(
            f"needs the package {package}, which is not installed",
            argument="dask",
            came=text,
            way_out=INSTALL,
        )
    if plan.kind is not None and plan.kind.command and shutil.which(plan.kind.command) is None:
        raise SettingsError(
            f"{text}: jobs are submitted by {plan.kind.command}, which is not on this machine; start the command where "
            "it is, mostly on a login node"
        )
    return plan


def _described(path: Path) -> ClusterPlan:
    """Read a file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid TOML ({error})") from error
    name = values.pop("kind", None)
    if name not in list(KINDS):
        names = {one.lower(): one for one in KINDS}
        near = "".join(
            f" (did you mean {names[one]!r}?)"
            for one in (near_words(name.lower(), list(names)) if isinstance(name, str) else ())
        )
        said = "setting 'kind' is missing" if name is None else f"setting 'kind' is {name!r}{near}"
        raise SettingsError(f"{path}: {said}; wanted one of {', '.join(KINDS)}")
    kind = KINDS[name]
    return ClusterPlan(str(path), kind, typed_settings(kind.settings, values, source=str(path)))


class DaskExecutor(Executor):
    """A `concurrent.futures.Executor` that reaches or starts its cluster when it is given its first task.

    Parameters
    ----------
    place : str or Path
        As `read_cluster` has it. Workers see this machine's files under the same names, and have this version of galsmith.

    Examples
    --------
    >>> from galsmith import simulate
    >>> with DaskExecutor("cluster.toml") as executor:  # doctest: +SKIP
    ...     simulate.sersic("store", n=100_000, executor=executor)
    """

    def __init__(self, place: str | Path) -> None:
        self._plan = read_cluster(place)
        self._open = contextlib.ExitStack()
        self._within: Executor | None = None

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Hand over a task.

        Raises
        ------
        EngineLostError
            If the cluster cannot be reached or started.
        """
        if self._within is None:
            self._within = self._open.enter_context(_connected(self._plan))
        return self._within.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Let go of the cluster, and stop it where it was started here."""
        del wait, cancel_futures
        self._within = None
        self._open.close()


@contextlib.contextmanager
def _connected(plan: ClusterPlan) -> Iterator[Executor]:
    """Reach or start a cluster, and let go of it at the end."""
    from distributed import Client

    with contextlib.ExitStack() as stack:
        stack.enter_context(_silenced())
        try:
            cluster = None if plan.kind is None else stack.enter_context(_started(plan))
            client = stack.enter_context(
                Client(plan.place if cluster is None else cluster, timeout=SECONDS_TO_REACH)
            )
        except (OSError, RuntimeError, ValueError) as error:
            is_there = "cannot be reached" if plan.kind is None else "cannot be started"
            said = " ".join(str(error).split()) or type(error).__name__
            raise EngineLostError(
                f"{plan.place}: {is_there} ({said}); what is done is kept, and the same command goes on once it can"
            ) from error
        _check_versions(client)
        ended = threading.Event()
        stack.callback(ended.set)
        threading.Thread(target=_watch, args=(client, plan, ended), daemon=True).start()
        yield client.get_executor(pure=False)


def _check_versions(client: Any) -> None:
    """Refuse workers without galsmith, which would leave at the first chunk without a word, and those of another version.

    Those that come later check themselves: see `galsmith.execution.visiting`. A scheduler reads what it hands on.
    """
    wanted = installed_version()
    all_found = dict(client.run(metadata.version, "galsmith", on_error="return"))
    try:
        client.run_on_scheduler(metadata.version, "galsmith")
    except metadata.PackageNotFoundError as error:
        all_found["scheduler"] = error
    for worker, found in all_found.items():
        if isinstance(found, Exception):
            who = "the scheduler" if worker == "scheduler" else f"{worker}: a worker"
            raise SettingsError(
                f"{who} has no galsmith ({type(found).__name__}: {found}), this command is galsmith {wanted}; "
                "install the same version for both"
            )
        if found != wanted:
            raise other_version(found, wanted)


@contextlib.contextmanager
def _started(plan: ClusterPlan) -> Iterator[Any]:
    """Start a cluster; its jobs are submitted before anything is waited for, so that a refusal is heard."""
    with plan.start() as cluster:
        if isinstance(plan.settings, JobSettings):
            _submit(cluster, plan.settings.workers)
        yield cluster


def _submit(cluster: Any, workers: int) -> None:
    """Submit jobs; raises `RuntimeError` with what the batch system says where it refuses one, which Dask logs alone."""
    from distributed import Status

    cluster.scale(workers)
    cluster.sync(cluster._correct_state)
    refused = [job for job in cluster.workers.values() if job.status == Status.created]
    try:
        for job in refused:
            cluster.sync(job.start)
    finally:
        for job in refused:
            if job.status == Status.created:
                job.status = Status.closed  # there is nothing to cancel


def _watch(client: Any, plan: ClusterPlan, ended: threading.Event) -> None:
    """Say where nobody works; where all workers that were started are gone, close the client, which ends the waiting."""
    was_there, is_told, empty_since = False, False, time.monotonic()
    while not ended.wait(SECONDS_BETWEEN_LOOKS):
        try:
            n_workers = len(client.nthreads())
        except (
            Exception
        ):  # whatever Dask says of a scheduler that is gone: what waits for it hears of it by itself
            return
        if n_workers:
            was_there, is_told, empty_since = True, False, time.monotonic()
            continue
        seconds = time.monotonic() - empty_since
        if plan.kind is not None and was_there and seconds > SECONDS_UNTIL_LOST:
            client.close()
            return
        if not is_told and seconds > SECONDS_UNTIL_TOLD:
            look = f"; look at the queue of {plan.kind.command}" if plan.kind and plan.kind.command else ""
            logger.warning(
                "%s: has had no worker for a minute; work begins when one comes%s", plan.place, look
            )
            is_told = True


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep what Dask logs off the screen: galsmith says in one line what is wrong."""
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOUD
    ]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
