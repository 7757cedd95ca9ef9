"""The HTTP door, the processes behind it, and the log."""

from bellwether.telemetry.instruments import BYTES, SECONDS, Counter, Gauge, Histogram

HTTP_REQUESTS = Counter(
    "bellwether_http_requests_total",
    "Requests answered, by route template, method and status class.",
    ["route", "method", "status"],
)
HTTP_SECONDS = Histogram(
    "bellwether_http_request_seconds",
    "From the first byte handed to us until the answer was handed back, by route template.",
    ["route"],
    buckets=SECONDS,
)
HTTP_IN_FLIGHT = Gauge(
    "bellwether_http_requests_in_flight",
    "Requests being answered now.",
    multiprocess_mode="livesum",
)
HTTP_REQUEST_BYTES = Histogram(
    "bellwether_http_request_size_bytes",
    "Size of request bodies as their head declared it, by route template.",
    ["route"],
    buckets=BYTES,
)
HTTP_RESPONSE_BYTES = Histogram(
    "bellwether_http_response_size_bytes",
    "Size of the bodies of answers, by route template.",
    ["route"],
    buckets=BYTES,
)
HTTP_CONNECTIONS = Gauge(
    "bellwether_http_connections_open", "Connections open now.", multiprocess_mode="livesum"
)
HTTP_CONNECTIONS_OPENED = Counter(
    "bellwether_http_connections_opened_total", "Connections that callers opened."
)
HTTP_REFUSED = Counter(
    "bellwether_http_refused_total",
    "Requests answered with a problem instead of what was asked, by the problem's short name.",
    ["reason"],
)
EVENT_LOOP_LAG_SECONDS = Histogram(
    "bellwether_event_loop_lag_seconds",
    "By how much the event loop was late for a regular call, ten times a second.",
    buckets=SECONDS,
)
SERVER_WORKERS = Gauge(
    "bellwether_server_workers",
    "Processes that answer HTTP now.",
    multiprocess_mode="livesum",
)
WORKER_RESTARTS = Counter(
    "bellwether_worker_restarts_total",
    "Workers that ended unasked and were replaced, by cause: signal, exit.",
    ["cause"],
)
METRICS_SECONDS = Histogram(
    "bellwether_metrics_render_seconds",
    "Time to gather the metrics of all workers for one scrape.",
    buckets=SECONDS,
)
LOG_LINES = Counter("bellwether_log_lines_total", "Log lines written, by level.", ["level"])
