"""Logs and measurements: how the program speaks about itself.

Every Prometheus metric of the platform is named here, once. Names end in their base unit, and a
label only ever takes values from a set known in advance: never a symbol, a user or a path.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from structlog.typing import FilteringBoundLogger, Processor

METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST

_FAST = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
_SECONDS = (*_FAST, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

HTTP_REQUESTS = Counter(
    "bellwether_http_requests_total",
    "Requests answered, by route template, method and status class.",
    ["route", "method", "status"],
)
HTTP_SECONDS = Histogram(
    "bellwether_http_request_seconds",
    "From the first byte handed to us until the answer was handed back, by route template.",
    ["route"],
    buckets=_SECONDS,
)
HTTP_IN_FLIGHT = Gauge("bellwether_http_requests_in_flight", "Requests being answered now.")

PREDICTIONS = Counter(
    "bellwether_predictions_total",
    "Prediction requests by outcome: answered, degraded, refused, missing, overloaded, failed, gone.",
    ["outcome"],
)
DURABLE_WAIT_SECONDS = Histogram(
    "bellwether_durable_write_wait_seconds",
    "From handing a prediction to the log until it was on disk.",
    buckets=_SECONDS,
)
GROUP_COMMIT_ROWS = Histogram(
    "bellwether_group_commit_rows", "Predictions written by one transaction.", buckets=_ROWS
)
GROUP_COMMIT_SECONDS = Histogram(
    "bellwether_group_commit_seconds", "Time of one transaction of the log.", buckets=_SECONDS
)
LOG_QUEUE_LENGTH = Gauge(
    "bellwether_prediction_log_queue_length", "Predictions that wait to be written."
)
SERVED_SYMBOLS = Gauge("bellwether_served_symbols", "Symbols that can be answered for.")
LOADED_RELEASES = Gauge("bellwether_loaded_releases", "Releases held in memory.")
BREAKER_STATE = Gauge(
    "bellwether_circuit_breaker_state",
    "0 closed, 1 half open, 2 open, by server.",
    ["server"],
)
BREAKER_OPENED = Counter(
    "bellwether_circuit_breaker_opened_total", "Times a breaker opened, by server.", ["server"]
)
BREAKER_REFUSED = Counter(
    "bellwether_circuit_breaker_refused_total",
    "Calls refused without being made, by server.",
    ["server"],
)
BUILD = Gauge("bellwether_build_info", "Always 1; the labels say what runs.", ["version", "python"])


def set_build_info(version: str) -> None:
    """Publish the versions of the program and of Python."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    BUILD.labels(version=version, python=python).set(1)


def metrics_text() -> bytes:
    """Return every metric in the Prometheus text format."""
    return generate_latest(REGISTRY)


def configure(
    style: Literal["console", "json"], level: str = "INFO", stream: TextIO | None = None
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
    """
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
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
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_renderers(style, colors=target.isatty())
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger called `name`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _renderers(style: Literal["console", "json"], *, colors: bool) -> list[Processor]:
    if style == "json":
        return [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        # Plain: the fancy form prints local variables, and those may hold what is secret.
        # Quoted: what a caller sent cannot begin a line of its own.
        structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback, repr_native_str=True
        ),
    ]
