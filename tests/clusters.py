"""A real Dask cluster on loopback: a scheduler and workers in processes of their own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers import free_port


@contextmanager
def dask_cluster(workers: int = 2) -> Iterator[str]:
    """Run a cluster and give the address of its scheduler."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = (sys.executable, "-m", "dask")
    commands = [
        (*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"),
        *[(*dask, "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard")]
        * workers,
    ]
    running = [subprocess.Popen(command, **quiet) for command in commands]
    try:
        yield address
    finally:
        for process in reversed(running):
            process.kill()
            process.wait(30)
