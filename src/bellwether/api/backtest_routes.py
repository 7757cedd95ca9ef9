"""Backtests over HTTP: started as durable jobs, followed, cancelled, and read."""

from typing import Annotated, Any, Protocol

import msgspec
from fastapi import FastAPI, Path, Query, Request
from starlette.responses import Response

from bellwether.api import openapi, problems
from bellwether.api.problems import Problem, ProblemResponse

MOST_BYTES = 100_000
MOST = 1_000
SANDBOX = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
"""A tear sheet holds its own script and style, and may do nothing but draw."""

JobId = Annotated[
    str, Path(description="The `job_id` of an answer to POST /backtest.", max_length=200)
]
BacktestId = Annotated[
    str, Path(description="The `backtest_id` of a result.", pattern=r"^[0-9A-Za-z-]{1,64}$")
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many, newest first.")]
Told = dict[str, object]


class BacktestDoor(Protocol):
    """What the routes need from the floor below."""

    def start(self, asked: dict[str, Any]) -> Told:
        """Keep a backtest to be done."""
        ...

    def state(self, job_id: str) -> Told:
        """Say where a backtest stands."""
        ...

    def cancel(self, job_id: str) -> Told:
        """End a backtest."""
        ...

    def recent(self, limit: int) -> list[Told]:
        """Return the newest finished backtests."""
        ...

    def report(self, backtest_id: str) -> Told:
        """Return everything a backtest found."""
        ...

    def page(self, backtest_id: str) -> bytes:
        """Return the tear sheet of a backtest."""
        ...


class Service(Protocol):
    """Whoever has the backtests; they are asked for anew each time, since it may start late."""

    @property
    def backtests(self) -> BacktestDoor:
        """The backtests."""
        ...


def add_backtests(rest: FastAPI, service: Service) -> None:
    """Add the routes."""
    _add_jobs(rest, service)
    _add_results(rest, service)


def _add_jobs(rest: FastAPI, service: Service) -> None:
    @rest.post(
        "/backtest",
        tags=["Backtests"],
        responses=openapi.JOB_RESPONSES,
        openapi_extra=openapi.BACKTEST_BODY,
    )
    async def start(request: Request) -> Response:
        """Ask for a walk-forward backtest. It is kept before the answer; a worker does it.

        Fields left out have the defaults of `bellwether backtest`.
        """
        asked = await _body(request)
        if isinstance(asked, Problem):
            return ProblemResponse(asked, request.scope["path"])
        from starlette.concurrency import run_in_threadpool

        told = await run_in_threadpool(service.backtests.start, asked)
        return _json(told, 202, {"location": f"/backtest/jobs/{told['job_id']}"})

    @rest.get("/backtest/jobs/{job_id}", tags=["Backtests"], responses=openapi.JOB_RESPONSES)
    def state(job_id: JobId) -> Response:
        """Say where a backtest stands, and its result once it has one."""
        return _json(service.backtests.state(job_id))

    @rest.delete("/backtest/jobs/{job_id}", tags=["Backtests"], responses=openapi.JOB_RESPONSES)
    def cancel(job_id: JobId) -> Response:
        """End a backtest after the period it is at."""
        return _json(service.backtests.cancel(job_id))


def _add_results(rest: FastAPI, service: Service) -> None:
    @rest.get("/backtests", tags=["Backtests"], responses=openapi.FEATURES_RESPONSES)
    def recent(limit: Limit = 20) -> Response:
        """List finished backtests, newest first."""
        return _json({"backtests": service.backtests.recent(limit)})

    @rest.get("/backtests/{backtest_id}", tags=["Backtests"], responses=openapi.FEATURES_RESPONSES)
    def report(backtest_id: BacktestId) -> Response:
        """Return everything a backtest found."""
        return _json(service.backtests.report(backtest_id))

    @rest.get(
        "/backtests/{backtest_id}/report", tags=["Backtests"], responses=openapi.PAGE_RESPONSES
    )
    def page(backtest_id: BacktestId) -> Response:
        """Show the tear sheet of a backtest."""
        headers = {"content-security-policy": SANDBOX}
        return Response(service.backtests.page(backtest_id), 200, headers, "text/html")


async def _body(request: Request) -> dict[str, Any] | Problem:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return Problem(problems.WRONG_MEDIA_TYPE, f"The media type sent was {kind[:80]!r}.")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            close = (("connection", "close"),)
            return Problem(problems.TOO_LARGE, f"More than {MOST_BYTES:,} bytes.", headers=close)
    try:
        return msgspec.json.decode(bytes(raw) or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Problem(problems.MALFORMED, f"The body is no JSON object: {error}")


def _json(content: Told, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, "application/json")
