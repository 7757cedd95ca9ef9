"""What is measured, told: the Prometheus text, the total of a counter, the list of all families."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    generate_latest,
    start_http_server,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bellwether.core.errors import ConfigError
from bellwether.telemetry import http, platform, servers, serving
from bellwether.telemetry.http import METRICS_SECONDS, SERVER_WORKERS
from bellwether.telemetry.instruments import SHARED, Counter, Gauge, Histogram
from bellwether.telemetry.platform import BUILD

METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST
METRICS: dict[str, Counter | Gauge | Histogram] = {
    name: value
    for module in (http, serving, servers, platform)
    for name, value in vars(module).items()
    if isinstance(value, Counter | Gauge | Histogram)
}
"""Every metric of ours by the name it has in the code."""

_TOGETHER = {
    "livesum": "sum",
    "livemin": "smallest",
    "livemax": "largest",
    "livemostrecent": "latest",
}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. `workers` says how the numbers of several workers come together."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    workers: str


class _Gathered(Collector):
    """All families of all workers, in the order in which they are listed."""

    def collect(self) -> Iterator[Metric]:
        """Yield each family, those without a sample too."""
        if SHARED is None:
            yield from REGISTRY.collect()
            return
        found = {family.name: family for family in SHARED.collect()}
        for metric in METRICS.values():
            declared = next(iter(metric.describe()))
            yield found.get(declared.name, declared)
        yield from PLATFORM_COLLECTOR.collect()
        yield from SHARED.processes()


def set_build_info(version: str) -> None:
    """Publish the versions of the program and of Python."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    BUILD.labels(version=version, python=python).set(1)


def announce() -> None:
    """Count this process among those that serve."""
    SERVER_WORKERS.set(1)
    if SHARED is not None:
        SHARED.announce()


def metrics_text() -> bytes:
    """Return every metric of all workers in the Prometheus text format."""
    with METRICS_SECONDS.time():
        return generate_latest(_Gathered())


def serve_metrics(port: int, host: str) -> None:
    """Serve /metrics from a thread, for a process that has no HTTP door.

    Raises
    ------
    ConfigError
        If the address cannot be used.
    """
    try:
        start_http_server(port, host, _Gathered())
    except OSError as error:
        raise ConfigError("metrics_port", f"{port} on {host}: {error.strerror}.") from error


def total(metric: Counter) -> dict[tuple[str, ...], float]:
    """Return what `metric` counted in all workers of this server, by its label values."""
    declared = next(iter(metric.describe()))
    told: Iterable[Metric] = metric.collect() if SHARED is None else SHARED.collect()
    names = _labels(metric)
    return {
        tuple(sample.labels[name] for name in names): sample.value
        for family in told
        if family.name == declared.name
        for sample in family.samples
    }


def families() -> list[Family]:
    """List every family that /metrics tells: ours, then those of every Prometheus program."""
    ours = [
        _family(next(iter(metric.describe())), _labels(metric), _workers(metric))
        for metric in METRICS.values()
    ]
    standard = ((PROCESS_COLLECTOR, "each, by label worker"), (PLATFORM_COLLECTOR, "one for all"))
    alone = ((GC_COLLECTOR, "absent"),)
    return ours + [
        _family(family, _sampled_labels(family), workers)
        for collector, workers in (*standard, *alone)
        for family in collector.collect()
    ]


def markdown() -> str:
    """Return `families` as a Markdown table."""
    head = "| name | type | labels | meaning | of several workers |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| `{f.name}` | {f.kind} | {', '.join(f.labels)} | {f.meaning} | {f.workers} |\n"
        for f in families()
    )


def _family(told: Metric, labels: tuple[str, ...], workers: str) -> Family:
    name = f"{told.name}_total" if told.type == "counter" else told.name
    return Family(name, told.type, labels, told.documentation, workers)


def _sampled_labels(family: Metric) -> tuple[str, ...]:
    return tuple(sorted({label for sample in family.samples for label in sample.labels}))


# The library tells these two nowhere else.
def _labels(metric: Counter | Gauge | Histogram) -> tuple[str, ...]:
    return tuple(metric._labelnames)  # noqa: SLF001


def _workers(metric: Counter | Gauge | Histogram) -> str:
    if isinstance(metric, Gauge):
        return _TOGETHER[metric._multiprocess_mode]  # noqa: SLF001
    return "sum"
