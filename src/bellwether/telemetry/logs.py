"""Log lines: one stream, one form, one line each, and no secret on any."""

import json
import logging
import math
import os
import re
import sys
from collections.abc import Collection, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from bellwether.telemetry.http import LOG_LINES

HIDDEN = "[hidden]"
MAX_DEPTH = 4
MAX_DIGITS = 300

_SURROGATES = re.compile("[\ud800-\udfff]")
_WRITTEN = {
    level: LOG_LINES.labels(level) for level in ("debug", "info", "warning", "error", "critical")
}


def configure(
    style: Literal["console", "json"],
    level: str = "INFO",
    stream: TextIO | None = None,
    secrets: Collection[str] = (),
) -> None:
    """Send every log line of the process, ours and the libraries', to one stream in one form.

    Parameters
    ----------
    style
        `json` for one object a line, `console` for people.
    level
        The least severe level that is written.
    stream
        Where lines go; standard error if None.
    secrets
        Texts that are hidden wherever a line would show them.
    """
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named_process(os.getpid()),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Lines(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _Clean(secrets),
                _renderer(style, colors=target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger called `name`; until `configure` says otherwise, to standard error."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines and counts them; a line that cannot be made is replaced, never dropped."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        super().emit(record)
        counted = _WRITTEN.get(record.levelname.lower())
        if counted is not None:
            counted.inc()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say that a line is missing, and whose."""
        told = {"event": "log_line_failed", "level": "error", "logger": record.name}
        with suppress(OSError, ValueError):
            self.stream.write(json.dumps(told | {"pid": os.getpid()}) + self.terminator)
            self.stream.flush()


class _Clean:
    """Leaves of an event what JSON can say and people may see."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = sorted((s for s in secrets if s), key=len, reverse=True)

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        return {self._text(str(key)): self._plain(value, MAX_DEPTH) for key, value in event.items()}

    def _plain(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and abs(value) < 10**MAX_DIGITS:
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if depth and isinstance(value, Mapping):
            return {self._shown(k): self._plain(v, depth - 1) for k, v in value.items()}
        if depth and isinstance(value, list | tuple | set | frozenset):
            return [self._plain(v, depth - 1) for v in value]
        return self._shown(value)

    def _shown(self, value: object) -> str:
        if isinstance(value, bytes):
            return self._text(value.decode("utf-8", "replace"))
        try:
            return self._text(str(value))
        except Exception:  # noqa: BLE001 - a value's own code may raise anything
            return f"<{type(value).__name__} that cannot be shown>"

    def _text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _named_process(pid: int) -> Processor:
    def add(
        _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["pid"] = pid
        return event

    return add


def _renderer(style: Literal["console", "json"], *, colors: bool) -> Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(allow_nan=False)
    # Plain: the fancy form prints local variables, and those may hold what is secret.
    # Quoted: what a caller sent cannot begin a line of its own.
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback, repr_native_str=True
    )
