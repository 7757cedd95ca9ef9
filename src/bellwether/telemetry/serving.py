"""The way of a prediction: features, model, and the log that makes it durable."""

from bellwether.telemetry.instruments import (
    RECOVERY,
    ROWS,
    SECONDS,
    SESSIONS,
    Counter,
    Gauge,
    Histogram,
)

PREDICTIONS = Counter(
    "bellwether_predictions_total",
    "Prediction requests by outcome: answered, degraded, accepted, refused, missing, overloaded, failed, gone.",
    ["outcome"],
)
DIRECTIONS = Counter(
    "bellwether_predicted_directions_total",
    "Answers of POST /predict by direction: up, down, flat.",
    ["direction"],
)
DURABLE_WAIT_SECONDS = Histogram(
    "bellwether_durable_write_wait_seconds",
    "From handing a prediction to the log until it was on disk.",
    buckets=SECONDS,
)
GROUP_COMMIT_ROWS = Histogram(
    "bellwether_group_commit_rows", "Predictions written by one transaction.", buckets=ROWS
)
GROUP_COMMIT_SECONDS = Histogram(
    "bellwether_group_commit_seconds", "Time of one transaction of the log.", buckets=SECONDS
)
LOG_QUEUE_LENGTH = Gauge(
    "bellwether_prediction_log_queue_length",
    "Predictions that wait to be written.",
    multiprocess_mode="livesum",
)
LOG_COMMIT_RETRIES = Counter(
    "bellwether_prediction_log_commit_retries_total",
    "Transactions of the prediction log that were tried again.",
)
LOG_ROWS = Counter(
    "bellwether_prediction_log_rows_total", "Predictions brought to disk by the prediction log."
)
LOG_REFUSED = Counter(
    "bellwether_prediction_log_refused_total",
    "Predictions that the log did not store: overloaded, unavailable, bad_row, closed.",
    ["reason"],
)
LOG_RECOVERY_SECONDS = Histogram(
    "bellwether_prediction_log_recovery_seconds",
    "From the first failed commit of the prediction log to the next good one.",
    buckets=RECOVERY,
)
DATABASE_CONNECTIONS = Counter(
    "bellwether_database_connections_opened_total", "Connections opened to the database."
)
FEATURE_READS = Counter(
    "bellwether_feature_reads_total",
    "Feature vectors asked for, by where they were found: memory, store, lake, computed, missing.",
    ["level"],
)
FEATURE_AGE_SESSIONS = Histogram(
    "bellwether_feature_age_sessions",
    "Sessions between the features of an answer and the last closed session.",
    buckets=SESSIONS,
)
STAGE_SECONDS = Histogram(
    "bellwether_prediction_stage_seconds",
    "Time of each stage of an answer: features, model, explanation, sentiment.",
    ["stage"],
    buckets=SECONDS,
)
DEGRADED_ANSWERS = Counter(
    "bellwether_degraded_answers_total",
    "Answers that had to name something missing, by kind of reason.",
    ["reason"],
)
REQUESTS_WORKED = Counter(
    "bellwether_requests_worked_total",
    "Asynchronous requests worked on, by outcome: answered, refused, retried, dead.",
    ["outcome"],
)
REQUEST_WORK_SECONDS = Histogram(
    "bellwether_request_work_seconds",
    "Time of work on one asynchronous request.",
    buckets=SECONDS,
)
