"""A backtest as a durable job: it survives its process, tells how far it is, and can be cancelled."""

import json
from collections.abc import Mapping
from typing import Any

from bellwether.core.errors import Cancelled
from bellwether.core.jobs import JobKind, JobState
from bellwether.core.ports import Ports
from bellwether.inference.backtest_asked import BacktestConfig
from bellwether.inference.backtests import KIND, PROGRESS, refuse
from bellwether.pipelines import backtest


def kind(ports: Ports, workers: int = 1, dask: str | None = None) -> JobKind:
    """Return the job; its periods are worked on in so many processes, or on a cluster."""
    work = _Work(ports, workers, dask)
    return JobKind(KIND, (("walk", work.walk),), refuse, attempts=1)


class _Work:
    def __init__(self, ports: Ports, workers: int, dask: str | None) -> None:
        self._ports = ports
        self._workers = workers
        self._dask = dask

    def walk(self, argument: Mapping[str, Any], _results: Mapping[str, Any]) -> dict[str, Any]:
        """Do the backtest; periods that an earlier process finished are not done again."""
        job = str(argument["job"])
        told = {**argument["config"], "workers": self._workers, "dask": self._dask}
        done = backtest.run(BacktestConfig.of_json(told), self._ports, self._progress(job))
        return {
            "backtest_id": done.backtest_id,
            "result_hash": done.found["result_hash"],
            "summary": done.found["summary"],
        }

    def _progress(self, job: str) -> Any:
        def progress(what: str, done: int, of: int) -> None:
            run = self._ports.jobs.get(job)
            if run is not None and run.state is JobState.CANCELLED:
                raise Cancelled(job)
            told = {"what": what, "done": done, "of": of}
            self._ports.work.keep(job, PROGRESS, json.dumps(told).encode())

        return progress
