"""How much faster four Dask workers measure than one: ``python benchmarks/scale/dask_workers.py`` where Dask is installed.

Both measure the same simulated galaxies into tables of the same content. Workers are there, and have loaded the
kernels, before the clock starts. The processor time that others used meanwhile is told beside the ratio: above a tenth
of all processors it says nothing.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from galsmith import simulate
from galsmith.execution.clusters import NO_DASHBOARD
from galsmith.measure import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=2048, help="galaxies of 64 px")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        simulate.sersic(place / "galaxies", n=arguments.n, recipe="sersic-64", seed=1)
        found = {workers: measured(place, workers) for workers in (1, 4)}
    if found[1][0] != found[4][0]:
        raise SystemExit("one and four workers measured different values")
    (_, one, idle_one), (_, four, idle_four) = found[1], found[4]
    print(
        f"{arguments.n} galaxies, {os.cpu_count()} cores: one worker {one:.1f} s, four {four:.1f} s, {one / four:.2f} times"
    )
    print(f"used by others: {idle_one:.0%} of the processors beside one worker, {idle_four:.0%} beside four")


def measured(place: Path, workers: int) -> tuple[str, float, float]:
    """Measure on a cluster of some workers: content hash, seconds, and the share of the processors that others used."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, scheduler_kwargs=NO_DASHBOARD
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(workers)
        client.run(_load)
        before, started = _busy_of_all(), time.monotonic()
        own = sum(client.run(time.process_time).values()) + time.process_time()
        table = measure(
            place / "galaxies", place / f"{workers}.parquet", executor=client.get_executor(pure=False)
        )
        seconds = time.monotonic() - started
        own = sum(client.run(time.process_time).values()) + time.process_time() - own
        others = max(0.0, _busy_of_all() - before - own)
    return str(table.meta["content_hash"]), seconds, others / (seconds * (os.cpu_count() or 1))


def _load() -> None:
    """Load what a worker measures with."""
    from galsmith.measure.compiled_engine import load_kernels

    load_kernels(lambda event: None)


def _busy_of_all() -> float:
    """Processor time that all processes of this machine have used, in s."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft = map(int, fields[:7])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
