"""Backtests as they are asked for over HTTP: durable jobs that another process works on."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import uuid_utils

from bellwether.core.errors import InvalidRequest, MissingRecord, UnknownName
from bellwether.core.jobs import JobKind, JobRun, JobState
from bellwether.core.ports import BacktestRow, Ports
from bellwether.inference.backtest_asked import BacktestConfig

KIND = "backtest"
PROGRESS, REPORT, PAGE = "progress.json", "report.json", "report.html"
WORKER = "bellwether jobs work"
Told = dict[str, Any]


def refuse(argument: Mapping[str, Any]) -> None:
    """Raise InvalidRequest or UnknownName on an argument that is no backtest."""
    BacktestConfig.of_json(argument.get("config") or {})


class Backtests:
    """Starts backtests, follows them, and shows what they found."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        ports.jobs.register(JobKind(KIND, (), refuse))

    def start(self, asked: Mapping[str, Any]) -> Told:
        """Keep a backtest to be done; it is durable on return.

        Raises
        ------
        InvalidRequest, UnknownName
            If it cannot be done as asked.
        """
        for name in ("workers", "dask"):
            if name in asked:
                raise InvalidRequest(name, "is for whoever runs the workers to say")
        config = BacktestConfig.of_json(asked)
        known = self._ports.lake.symbols() if config.symbols else []
        for symbol in config.symbols or ():
            if symbol not in known:
                raise UnknownName("symbol", symbol, known, "Ingest its bars first.")
        job_id = f"{KIND}-{uuid_utils.uuid7()}"
        argument = {"config": config.as_json(), "job": job_id}
        return self._state(self._ports.jobs.start(KIND, argument, job_id))

    def state(self, job_id: str) -> Told:
        """Say where a backtest stands: how many periods are done, and the result once there is one.

        Raises
        ------
        UnknownName
            If there is no such job.
        """
        return self._state(self._found(job_id))

    def cancel(self, job_id: str) -> Told:
        """End a backtest after the period it is at; one that has ended stays as it is."""
        self._found(job_id)
        self._ports.jobs.cancel(job_id)
        return self.state(job_id)

    def recent(self, limit: int) -> list[Told]:
        """Return the newest finished backtests, newest first."""
        return [_brief(row) for row in self._ports.ledger.backtests(limit=limit)]

    def report(self, backtest_id: str) -> Told:
        """Return everything a backtest found.

        Raises
        ------
        MissingRecord
            If there is none, or its report is not kept any more.
        """
        found: Told = json.loads(self._file(backtest_id, REPORT))
        return found

    def page(self, backtest_id: str) -> bytes:
        """Return the tear sheet of a backtest."""
        return self._file(backtest_id, PAGE)

    def _file(self, backtest_id: str, name: str) -> bytes:
        raw = self._ports.work.read(backtest_id, name)
        if raw is None:
            raise MissingRecord("report", f"the backtest {backtest_id}", "bellwether backtest")
        return raw

    def _found(self, job_id: str) -> JobRun:
        run = self._ports.jobs.get(job_id)
        if run is None or run.kind != KIND:
            raise UnknownName("backtest job", job_id, hint="POST /backtest starts one.")
        return run

    def _state(self, run: JobRun) -> Told:
        raw = self._ports.work.read(run.job_id, PROGRESS)
        told = {"what": None, "done": 0, "of": None} if raw is None else json.loads(raw)
        waits = run.state is JobState.WAITING
        return {
            "job_id": run.job_id,
            "state": run.state.value,
            "asked_at": run.created_at.isoformat(),
            "finished_at": None if run.finished_at is None else run.finished_at.isoformat(),
            "progress": told,
            "result": run.result,
            "error": run.error,
            "note": f"It waits for a worker: {WORKER}" if waits else None,
            "config": run.argument["config"],
        }


def _brief(row: BacktestRow) -> Told:
    told = asdict(row) | {"summary": json.loads(row.summary), "config": json.loads(row.config)}
    return {k: str(v) if k.endswith(("_at", "watermark")) else v for k, v in told.items()}
