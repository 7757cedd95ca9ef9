"""The state of the platform, and the work done before anybody asks."""

from bellwether.telemetry.instruments import MINUTES, SECONDS, Counter, Gauge, Histogram

BUILD = Gauge(
    "bellwether_build_info",
    "Always 1; the labels say what runs.",
    ["version", "python"],
    multiprocess_mode="livemax",
)
COMPONENT_STATE = Gauge(
    "bellwether_component_state",
    "0 healthy, 1 degraded, 2 down, by component; the worst of all workers.",
    ["component"],
    multiprocess_mode="livemax",
)
SERVED_SYMBOLS = Gauge(
    "bellwether_served_symbols",
    "Symbols that can be answered for; the fewest of all workers.",
    multiprocess_mode="livemin",
)
LOADED_RELEASES = Gauge(
    "bellwether_loaded_releases",
    "Releases held in memory; the fewest of all workers.",
    multiprocess_mode="livemin",
)
CATALOGUE_FAULTS = Gauge(
    "bellwether_catalogue_faults",
    "Releases that could not be taken up; the most of all workers.",
    multiprocess_mode="livemax",
)
REFRESH_SECONDS = Histogram(
    "bellwether_refresh_seconds",
    "Time of one look for new releases and features.",
    buckets=SECONDS,
)
REFRESH_FAILURES = Counter(
    "bellwether_refresh_failures_total", "Looks for new releases and features that failed."
)
REFRESHED_AT = Gauge(
    "bellwether_refreshed_timestamp_seconds",
    "When the last look for new releases and features succeeded; the oldest of all workers.",
    multiprocess_mode="livemin",
)
LAKE_WATERMARK = Gauge(
    "bellwether_lake_watermark_timestamp_seconds",
    "When the newest bar of the lake was ingested.",
    multiprocess_mode="livemax",
)
NEWEST_SESSION = Gauge(
    "bellwether_newest_session_timestamp_seconds",
    "Close of the newest session that any ingestion told.",
    multiprocess_mode="livemax",
)
QUARANTINED_ROWS = Gauge(
    "bellwether_quarantined_rows",
    "Records in quarantine.",
    multiprocess_mode="livemax",
)
MIRROR_PENDING = Gauge(
    "bellwether_mirror_pending_runs",
    "Training runs that the tracker does not have yet.",
    multiprocess_mode="livemax",
)
MIRROR_PUSHED = Counter(
    "bellwether_mirror_pushed_runs_total", "Training runs pushed to the tracker."
)
MIRROR_FAILURES = Counter(
    "bellwether_mirror_failures_total", "Training runs that the tracker did not take."
)
INGESTED_ROWS = Counter(
    "bellwether_ingested_rows_total",
    "Rows told by sources, by result: added, revised, unchanged, rejected.",
    ["result"],
)
INGEST_SECONDS = Histogram("bellwether_ingest_seconds", "Time of one ingestion.", buckets=MINUTES)
INGEST_FAILURES = Counter("bellwether_ingest_failures_total", "Ingestions that failed whole.")
MATERIALISE_SECONDS = Histogram(
    "bellwether_materialise_seconds", "Time of one build of the feature store.", buckets=MINUTES
)
MATERIALISED_ROWS = Counter(
    "bellwether_materialised_rows_total", "Feature vectors written to the feature store."
)
QUALITY_FLAGS = Gauge(
    "bellwether_quality_flags",
    "Flags and rejected rows of the newest inspection on record, by kind of fault.",
    ["kind"],
    multiprocess_mode="livemax",
)
QUALITY_SHARE = Gauge(
    "bellwether_quality_share",
    "Share of sessions without fault in the newest inspection on record, 0 to 1.",
    multiprocess_mode="livemin",
)
QUALITY_BARS = Counter("bellwether_quality_inspected_bars_total", "Bars that were inspected.")
QUALITY_SECONDS = Histogram(
    "bellwether_quality_seconds", "Time of one inspection.", buckets=MINUTES
)
QUALITY_FAILURES = Counter(
    "bellwether_quality_failures_total", "Inspections after an ingestion that failed."
)
QUALITY_REFUSALS = Counter(
    "bellwether_quality_refusals_total", "Times the quality gate refused, ignored or not."
)
TRAIN_SECONDS = Histogram(
    "bellwether_training_seconds", "Time of one training run.", buckets=MINUTES
)
TRAIN_RUNS = Counter(
    "bellwether_training_runs_total",
    "Training runs answered, by outcome: trained, reused.",
    ["outcome"],
)
TRAIN_FAILURES = Counter("bellwether_training_failures_total", "Training runs that failed.")
RELEASES_PACKED = Counter(
    "bellwether_releases_packed_total", "Releases packed, by kind of model.", ["model"]
)
REPLAYED = Counter(
    "bellwether_replayed_predictions_total",
    "Stored predictions replayed, by outcome: equal, different.",
    ["outcome"],
)
JOBS_STARTED = Counter(
    "bellwether_jobs_started_total",
    "Runs of jobs that a process took up, those left by a crash included, by kind.",
    ["kind"],
)
JOBS_FINISHED = Counter(
    "bellwether_jobs_finished_total",
    "Runs of jobs that ended, by kind and outcome: done, failed.",
    ["kind", "outcome"],
)
JOB_STEP_SECONDS = Histogram(
    "bellwether_job_step_seconds",
    "Time of one attempt at a step of a job, by kind and step.",
    ["kind", "step"],
    buckets=MINUTES,
)
JOB_STEP_FAILURES = Counter(
    "bellwether_job_step_failures_total",
    "Attempts at a step of a job that failed, by kind and step.",
    ["kind", "step"],
)
SESSIONS_BEHIND = Gauge(
    "bellwether_schedule_sessions_behind",
    "Sessions that are due and whose work has not ended.",
    multiprocess_mode="livemax",
)
