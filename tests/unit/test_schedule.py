"""What is due, and the loop that has it done: time passes only where the schedule waits."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fake_jobs import MemoryJobs

from bellwether.core.calendar import session_calendar
from bellwether.core.clock import FixedClock, SessionClock
from bellwether.core.errors import StorageError, Unavailable
from bellwether.core.jobs import JobKind, JobRun, JobState
from bellwether.core.ports import Clock, Ports
from bellwether.pipelines.schedule import Due, ScheduleConfig, ScheduleReport, due, run
from bellwether.pipelines.session_run import SessionSource, key

CALENDAR = session_calendar()
FRIDAY, MONDAY, TUESDAY = date(2024, 1, 5), date(2024, 1, 8), date(2024, 1, 9)
HALF_AN_HOUR = timedelta(minutes=30)
SOURCE = SessionSource("sample")


class Ticking:
    """A clock that goes on by what is waited."""

    standing: tuple[str, ...] = ()

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.waits: list[float] = []
        self.until: datetime = at

    def now(self) -> datetime:
        return self.at

    def look(self) -> None:
        pass

    def pause(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)
        return self.at >= self.until


def ports(clock: Clock, jobs: MemoryJobs | None = None) -> Ports:
    """Make ports of which only the clock, the calendar and the jobs are there."""
    empty: dict[str, Any] = dict.fromkeys(f.name for f in fields(Ports))
    return Ports(**{**empty, "clock": clock, "calendar": CALENDAR, "jobs": jobs or MemoryJobs()})


def closed(session: date, *, minutes: float = 0) -> datetime:
    return CALENDAR.close_of(session) + timedelta(minutes=minutes)


def found(
    at: datetime, done: list[date], *, standing: tuple[str, ...] = (), **more: Any
) -> list[date]:
    clock = Ticking(at)
    clock.standing = standing
    return list(due(ScheduleConfig(SOURCE, **more), ports(clock), done).sessions)


def test_a_session_is_due_a_while_after_its_close() -> None:
    assert found(closed(MONDAY, minutes=29.9), [FRIDAY]) == []
    assert found(closed(MONDAY, minutes=30), [FRIDAY]) == [MONDAY]
    assert found(closed(MONDAY, minutes=30), [FRIDAY, MONDAY]) == []


def test_the_first_time_only_the_newest_session_is_due() -> None:
    assert found(closed(MONDAY, minutes=31), []) == [MONDAY]
    assert found(closed(MONDAY, minutes=31), [], first=date(2024, 1, 4)) == [
        date(2024, 1, 4),
        FRIDAY,
        MONDAY,
    ]


def test_nothing_is_due_on_days_without_a_session() -> None:
    sunday = datetime(2024, 1, 7, 23, tzinfo=UTC)

    assert found(sunday, [FRIDAY]) == []
    assert found(sunday, [], first=date(2024, 1, 6)) == []
    assert found(sunday, [], first=date(2025, 1, 6)) == []


def test_a_clock_that_stands_waits_for_no_delay() -> None:
    assert found(closed(MONDAY), [FRIDAY], standing=("data_ends",)) == [MONDAY]


def test_an_early_close_is_a_close() -> None:
    day_after_thanksgiving = date(2023, 11, 24)  # closes at 13:00 in New York
    at = datetime(2023, 11, 24, 18, 30, tzinfo=UTC)

    assert found(at, [date(2023, 11, 22)]) == [day_after_thanksgiving]


@given(
    st.lists(st.integers(0, 60), max_size=20),
    st.integers(0, 60),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(0, 60)),
)
def test_due_and_left_out_are_all_that_is_missing_in_order(
    done: list[int], now: int, bound: int, first: int | None
) -> None:
    days = CALENDAR.between(date(2024, 1, 2), date(2024, 6, 28))
    known = [days[i] for i in done if i <= now]
    begin = None if first is None else days[first]
    config = ScheduleConfig(SOURCE, catch_up=bound, first=begin)
    clock = Ticking(closed(days[now], minutes=45))

    told = due(config, ports(clock), known)
    together = [*told.left_out, *told.sessions]

    least = begin or (max(known) + timedelta(days=1) if known else days[now])
    assert together == [d for d in days[: now + 1] if d >= least and d not in known]
    assert len(told.sessions) <= bound
    assert not told.left_out or len(told.sessions) == bound
    assert isinstance(told, Due)


def registered(
    act: Callable[[Mapping[str, Any], Mapping[str, Any]], Any], attempts: int = 1
) -> MemoryJobs:
    jobs = MemoryJobs()
    jobs.register(JobKind("session", (("predict", act),), lambda _: None, attempts, 0.0))
    return jobs


def worked(
    clock: Any, jobs: MemoryJobs, said: list[str] | None = None, **more: Any
) -> ScheduleReport:
    config = ScheduleConfig(SOURCE, HALF_AN_HOUR, **more)
    pause = clock.pause if isinstance(clock, Ticking) else lambda _s: False
    return run(config, ports(clock, jobs), pause, (said if said is not None else []).append)


GOOD = {"stored": 5, "there_already": 0, "skipped_count": 0}


def test_each_session_is_run_when_it_has_closed_and_the_delay_has_passed() -> None:
    begun: list[tuple[str, datetime]] = []
    clock = Ticking(closed(FRIDAY, minutes=40))
    clock.until = closed(TUESDAY, minutes=35)
    jobs = registered(lambda argument, _: begun.append((argument["session"], clock.now())) or GOOD)

    report = worked(clock, jobs)

    assert [session for session, _ in begun] == [str(s) for s in (FRIDAY, MONDAY, TUESDAY)]
    for session, at in begun[1:]:
        since = at - closed(date.fromisoformat(session), minutes=30)
        assert timedelta() <= since < timedelta(seconds=2)
    assert max(clock.waits) <= 60
    assert report.why == "stopped"


def test_once_does_what_is_due_and_ends() -> None:
    said: list[str] = []
    clock = Ticking(closed(MONDAY, minutes=40))
    clock.until = datetime.max.replace(tzinfo=UTC)
    jobs = registered(lambda _, __: GOOD)

    report = worked(clock, jobs, said, once=True, first=FRIDAY)
    again = worked(clock, jobs, once=True, first=FRIDAY)

    assert [r.job_id for r in report.runs] == [key(FRIDAY), key(MONDAY)]
    assert report.why == again.why == "all that is due is done"
    assert again.runs == ()
    assert said == [
        f"{key(s)}: done, 5 predictions stored, 0 there already, 0 not answered"
        for s in (FRIDAY, MONDAY)
    ]
    assert report.lines() == [*said, report.why]


def test_data_that_ended_is_said_and_the_schedule_ends() -> None:
    clock = FixedClock(closed(MONDAY), ("sample_data_ends_2024-01-08",))

    report = worked(clock, registered(lambda _, __: GOOD))

    assert [r.job_id for r in report.runs] == [key(MONDAY)]
    assert report.why == "no session will close: sample_data_ends_2024-01-08"


def test_a_session_that_fails_is_said_and_the_next_goes_on() -> None:
    def act(argument: Mapping[str, Any], _results: Mapping[str, Any]) -> dict[str, int]:
        if argument["session"] == str(FRIDAY):
            raise StorageError("lake", "the disk is full")
        return GOOD

    said: list[str] = []
    clock = Ticking(closed(MONDAY, minutes=40))
    report = worked(clock, registered(act, attempts=2), said, once=True, first=FRIDAY)

    assert [r.state for r in report.runs] == [JobState.FAILED, JobState.DONE]
    assert "failed: predict: lake: the disk is full (StorageError, after 2 attempts)" in said[0]


def test_what_was_begun_before_is_finished_first() -> None:
    order: list[str] = []
    jobs = registered(lambda argument, _: order.append(argument["session"]) or GOOD)
    jobs.start("session", SOURCE.argument(FRIDAY), key(FRIDAY))

    worked(Ticking(closed(MONDAY, minutes=40)), jobs, once=True)

    assert order == [str(FRIDAY), str(MONDAY)]


def test_what_is_past_the_bound_is_named_once() -> None:
    said: list[str] = []
    clock = Ticking(closed(TUESDAY, minutes=40))
    clock.until = closed(TUESDAY, minutes=50)
    jobs = registered(lambda _, __: GOOD)

    report = worked(clock, jobs, said, catch_up=2, first=date(2024, 1, 3))

    assert report.left_out == (date(2024, 1, 3), date(2024, 1, 4), FRIDAY)
    assert [line for line in said if line.startswith("left out")] == [
        (
            "left out: 3 older sessions, 2024-01-03 to 2024-01-05; "
            "--from 2024-01-03 --catch-up-sessions 5 would run them"
        )
    ]
    assert [r.job_id for r in report.runs] == [key(MONDAY), key(TUESDAY)]


class Away(MemoryJobs):
    """Jobs whose database is away for a while."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def recent(self, kind: str | None = None, limit: int = 100) -> list[JobRun]:
        if self.left:
            self.left -= 1
            raise Unavailable("jobs", "connection refused")
        return super().recent(kind, limit)


@pytest.mark.parametrize(("patience", "why"), [(100, "all that is due is done"), (2, "stopped")])
def test_a_database_that_is_away_is_waited_for(patience: float, why: str) -> None:
    jobs = Away(5)
    jobs.register(JobKind("session", (("predict", lambda _, __: GOOD),), lambda _: None, 1, 0.0))
    clock = Ticking(closed(MONDAY, minutes=40))
    clock.until = clock.at + timedelta(seconds=patience)

    assert worked(clock, jobs, once=True).why == why


def test_a_session_clock_stands_where_it_is_put() -> None:
    base = FixedClock(closed(TUESDAY), ("sample_data_ends",))
    clock = SessionClock(base)
    assert clock.now() == closed(TUESDAY)

    clock.put(closed(FRIDAY), ("made_late",))
    clock.look()

    assert clock.now() == closed(FRIDAY)
    assert clock.standing == ("sample_data_ends", "made_late")
