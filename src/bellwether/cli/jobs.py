"""Commands around jobs: the schedule, and runs that were kept."""

import signal
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import FAILED, edge, ports, say, settings, tell

if TYPE_CHECKING:
    from bellwether.bootstrap import Wired
    from bellwether.core.jobs import JobRun
    from bellwether.pipelines.schedule import ScheduleConfig
    from bellwether.settings import Settings

app = typer.Typer()
jobs = typer.Typer(no_args_is_help=True)

LOOK_S = 1.0
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="The id of a run, such as session-2013-03-01.")]
Delay = Annotated[
    float, typer.Option(min=0, max=1440, help="Minutes after the close until a session is run.")
]
CatchUp = Annotated[
    int, typer.Option(min=1, help="Missed sessions that are made up for; older ones are named.")
]
First = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="Make up for all sessions since then."),
]
Port = Annotated[int | None, typer.Option(help="Serve /metrics on this port.", min=1, max=65535)]


@app.command()
def schedule(
    delay_minutes: Delay = 30.0,
    once: Annotated[bool, typer.Option(help="Do what is due, and end.")] = False,
    first: First = None,
    catch_up_sessions: CatchUp = 30,
    metrics_port: Port = None,
    as_json: Json = False,
) -> None:
    """Ingest, check, compute features and predict after each session, until stopped.

    Example: bellwether schedule --delay-minutes 30
    """
    with edge(as_json=as_json):
        from bellwether import telemetry
        from bellwether.cli.frame import patiently
        from bellwether.pipelines import schedule as use

        chosen = settings()
        telemetry.configure(chosen.log_format, secrets=chosen.secrets)
        if metrics_port is not None:
            telemetry.serve_metrics(metrics_port, chosen.host)
        config = _config(chosen, delay_minutes, catch_up_sessions, first, once=once)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stopped.set())
        with patiently(stopped, clock=_clock(chosen)) as wired:
            _know_all(wired, chosen)
            if not as_json:
                say("scheduling")
            done = use.run(config, wired.ports, stopped.wait, _quiet if as_json else say)
        if as_json:
            left = [str(session) for session in done.left_out]
            tell({"runs": [_told(run) for run in done.runs], "left_out": left, "ended": done.why})
        else:
            say(done.why)
        if once and any(run.state != "done" for run in done.runs):
            raise typer.Exit(FAILED)


@jobs.command("work")
def jobs_work(metrics_port: Port = None) -> None:
    """Work on jobs that wait, such as backtests asked for over HTTP, until stopped.

    `bellwether schedule` does this too; one process at a time works on a database.

    Example: bellwether jobs work
    """
    with edge():
        from bellwether import telemetry
        from bellwether.cli.frame import patiently

        chosen = settings()
        telemetry.configure(chosen.log_format, secrets=chosen.secrets)
        if metrics_port is not None:
            telemetry.serve_metrics(metrics_port, chosen.host)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stopped.set())
        with patiently(stopped, clock=_clock(chosen)) as wired:
            _know_all(wired, chosen)
            while not stopped.is_set():
                with wired.ports.jobs.working(stopped.wait) as ours:
                    if ours:
                        say("working on jobs")
                    while not stopped.wait(LOOK_S) and not wired.ports.jobs.lost():
                        pass
        say("stopped")


def _know_all(wired: "Wired", chosen: "Settings") -> None:
    """Register every kind of job that there is."""
    from bellwether.pipelines import backtest_job, session_run

    ports = wired.ports
    ports.jobs.register(session_run.kind(ports, chosen.job_attempts, chosen.job_backoff_s))
    ports.jobs.register(backtest_job.kind(ports, chosen.workers, chosen.dask or None))


def _config(
    chosen: "Settings", delay: float, catch_up: int, first: datetime | None, *, once: bool
) -> "ScheduleConfig":
    from datetime import timedelta

    from bellwether.pipelines.schedule import ScheduleConfig
    from bellwether.pipelines.session_run import SessionSource

    symbols = tuple(s.strip().upper() for s in chosen.schedule_symbols.split(",") if s.strip())
    source = SessionSource(chosen.schedule_source, chosen.schedule_path, symbols)
    since = None if first is None else first.date()
    return ScheduleConfig(source, timedelta(minutes=delay), catch_up, since, once)


def _clock(chosen: "Settings") -> str:
    """Return the clock to go by: one that waits for the sample is of no use to another source."""
    goes_on = chosen.clock == "auto" and chosen.schedule_source != "sample"
    return "system" if goes_on else chosen.clock


def _quiet(_line: str) -> None:
    """Say nothing before the end."""


@jobs.command("list")
def jobs_list(
    kind: Annotated[str | None, typer.Option(help="Only runs of this job.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Runs to show.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest runs.

    Example: bellwether jobs list --kind session --json
    """
    with edge(as_json=as_json), ports() as wired:
        found = wired.ports.jobs.recent(kind, limit)
        if as_json:
            tell([_told(run) for run in found])
            return
        for run in found:
            say(f"{run.job_id:<24} {run.state:<10} {run.created_at:%Y-%m-%d %H:%M:%S}  {run.kind}")
        say(f"{len(found)} runs")


@jobs.command("show")
def jobs_show(job_id: Id, as_json: Json = False) -> None:
    """Show one run: its steps, what they gave, and why it failed.

    Example: bellwether jobs show session-2013-03-01
    """
    with edge(as_json=as_json), ports() as wired:
        run = _found(wired.ports.jobs.get(job_id), job_id)
        if as_json:
            tell(_told(run))
            return
        say(f"{run.job_id}: {run.kind}, {run.state}, taken up {run.starts} times")
        say(f"  argument  {run.argument}")
        for step in run.steps:
            took = (step.finished_at - step.started_at).total_seconds()
            say(f"  {step.name:<12} {took:>8.3f} s, {step.attempts} attempts: {_said(step)}")
        if run.error:
            say(f"  failed: {run.error}")


@jobs.command("cancel")
def jobs_cancel(job_id: Id) -> None:
    """End a run before its next step.

    Example: bellwether jobs cancel session-2013-03-01
    """
    with edge(), ports() as wired:
        from bellwether.core.errors import InvalidRequest

        run = _found(wired.ports.jobs.get(job_id), job_id)
        if not wired.ports.jobs.cancel(job_id):
            raise InvalidRequest("job", f"{job_id} has ended already: {run.state}")
        say(f"{job_id} is cancelled")


@jobs.command("retry")
def jobs_retry(job_id: Id) -> None:
    """Have a run that failed or was cancelled go on with its first step that is not done.

    Example: bellwether jobs retry session-2013-03-01
    """
    with edge(), ports() as wired:
        from bellwether.core.errors import InvalidRequest

        run = _found(wired.ports.jobs.get(job_id), job_id)
        if not wired.ports.jobs.retry(job_id):
            raise InvalidRequest("job", f"{job_id} has not failed: {run.state}")
        say(f"{job_id} waits again; bellwether schedule goes on with it")


def _found(run: "JobRun | None", job_id: str) -> "JobRun":
    from bellwether.core.errors import UnknownName

    if run is None:
        raise UnknownName("job", job_id, hint="bellwether jobs list shows them.")
    return run


def _told(run: "JobRun") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(run)


def _said(step: Any) -> str:
    return "failed" if step.error else str(step.result)
