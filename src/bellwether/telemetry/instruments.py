"""The instruments that metrics are made of, and where histograms draw their lines.

Metrics take their kinds from here and not from the library, so that this process has its place
among the workers (`shared`) before the first of them is made.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from bellwether.telemetry.shared import SHARED

__all__ = [
    "BYTES",
    "MINUTES",
    "RECOVERY",
    "ROWS",
    "SECONDS",
    "SESSIONS",
    "SHARED",
    "Counter",
    "Gauge",
    "Histogram",
]

disable_created_metrics()  # type: ignore[no-untyped-call]

_FAST = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
SECONDS = (*_FAST, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RECOVERY = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
MINUTES = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
SESSIONS = (0, 1, 2, 3, 5, 10, 21, 63, 252)
BYTES = (64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
