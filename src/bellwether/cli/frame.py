"""What every command shares: settings, output, progress, errors and exit codes."""

import json
import math
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from threading import Event

    from bellwether.bootstrap import Wired
    from bellwether.core.ports import Progress
    from bellwether.settings import Settings

DONE, FAILED, WRONG_USE, REFUSED = 0, 1, 2, 3


def say(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(text + "\n")


def wide() -> int:
    """Return the columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def tell(data: object) -> None:
    """Write JSON to standard output; what is not finite becomes null."""
    say(json.dumps(_plain(data), indent=1, default=str, allow_nan=False))


def _plain(data: object) -> object:
    if isinstance(data, dict):
        return {str(k): _plain(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


def settings(**flags: Any) -> "Settings":
    """Return the settings in force with these flags on top."""
    from bellwether.settings import load

    return load(flags)[0]


@contextmanager
def ports(**flags: Any) -> "Iterator[Wired]":
    """Build the ports, and leave nothing unwritten behind."""
    from bellwether.bootstrap import bootstrap

    wired = bootstrap(settings(**flags))
    try:
        yield wired
    finally:
        wired.close()


@contextmanager
def patiently(stopped: "Event", **flags: Any) -> "Iterator[Wired]":
    """Build the ports, however long the servers they need take to come."""
    from bellwether.bootstrap import bootstrap
    from bellwether.core.errors import Unavailable
    from bellwether.telemetry import get_logger

    chosen = settings(**flags)
    pause_s = 0.25
    while True:
        try:
            wired = bootstrap(chosen)
            break
        except Unavailable as error:
            get_logger(__name__).warning("cannot_start_yet", why=str(error))
            if stopped.wait(pause_s):
                raise
            pause_s = min(pause_s * 2, 5.0)
    try:
        yield wired
    finally:
        wired.close()


@contextmanager
def edge(*, as_json: bool = False) -> Iterator[None]:
    """Turn an error into one readable sentence and an exit code."""
    from bellwether.core.errors import (
        BellwetherError,
        ConfigError,
        InputError,
        LeakFound,
        LookAheadFound,
        QualityTooLow,
    )

    try:
        yield
    except (InputError, ConfigError) as error:
        fail(error, WRONG_USE, as_json=as_json)
    except (QualityTooLow, LeakFound, LookAheadFound) as error:
        fail(error, REFUSED, as_json=as_json)
    except BellwetherError as error:
        fail(error, FAILED, as_json=as_json)


def fail(error: Exception, code: int, *, as_json: bool) -> NoReturn:
    """Say what went wrong and leave."""
    if as_json:
        tell({"error": type(error).__name__, "detail": str(error)})
    else:
        sys.stderr.write(f"{error}\n")
    raise typer.Exit(code)


@contextmanager
def progress_bar(*, silent: bool) -> "Iterator[Progress]":
    """Show what long work does, on standard error and only to people."""
    if silent or not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show


def named_list(text: str | None, *, upper: bool = True) -> tuple[str, ...] | None:
    """Part what was said by commas; None where nothing was."""
    if text is None:
        return None
    found = tuple(p.strip().upper() if upper else p.strip() for p in text.split(",") if p.strip())
    if not found:
        from bellwether.core.errors import InvalidRequest

        raise InvalidRequest("list", f"{text!r} names nothing")
    return found
