"""The servers beside us: breakers, online store, event bus, request queue."""

from bellwether.telemetry.instruments import ROWS, SECONDS, Counter, Gauge, Histogram

BREAKER_STATE = Gauge(
    "bellwether_circuit_breaker_state",
    "0 closed, 1 half open, 2 open, by server; the worst of all workers.",
    ["server"],
    multiprocess_mode="livemax",
)
BREAKER_OPENED = Counter(
    "bellwether_circuit_breaker_opened_total", "Times a breaker opened, by server.", ["server"]
)
BREAKER_REFUSED = Counter(
    "bellwether_circuit_breaker_refused_total",
    "Calls refused without being made, by server.",
    ["server"],
)
ONLINE_READ_SECONDS = Histogram(
    "bellwether_online_store_read_seconds",
    "Time of one read of the online store: fetch, get_many, entries, census.",
    ["operation"],
    buckets=SECONDS,
)
ONLINE_READ_SYMBOLS = Histogram(
    "bellwether_online_store_read_batch_symbols",
    "Vectors asked for in one round trip to the online store.",
    buckets=ROWS,
)
ONLINE_READ_BYTES = Counter(
    "bellwether_online_store_read_bytes_total", "Bytes of vectors read from the online store."
)
ONLINE_CORRUPT = Counter(
    "bellwether_online_store_corrupt_total",
    "Values in the online store that are no vector this version can read; they count as missing.",
)
ONLINE_WRITTEN = Counter(
    "bellwether_online_store_written_total", "Vectors written to the online store."
)
ONLINE_REFUSED_OLDER = Counter(
    "bellwether_online_store_refused_older_total",
    "Vectors not written because the online store had a newer one.",
)
ONLINE_MEMORY_ENTRIES = Gauge(
    "bellwether_online_memory_entries",
    "Vectors of the online store that processes hold in memory.",
    multiprocess_mode="livesum",
)
ONLINE_MEMORY_MISSES = Counter(
    "bellwether_online_memory_misses_total", "Vectors asked for that were not held in memory."
)
ONLINE_MEMORY_INVALIDATED = Counter(
    "bellwether_online_memory_invalidated_total",
    "Symbols dropped from memory because their vectors were replaced.",
)
ONLINE_MEMORY_CLEARED = Counter(
    "bellwether_online_memory_cleared_total",
    "Times memory was emptied because messages may have been missed.",
)
EVENTS_PUBLISHED = Counter(
    "bellwether_event_bus_published_total", "Messages sent, by topic.", ["topic"]
)
EVENTS_RECEIVED = Counter(
    "bellwether_event_bus_received_total", "Messages received, by topic.", ["topic"]
)
EVENTS_FAILED = Counter(
    "bellwether_event_bus_listener_failures_total",
    "Messages whose listener raised an error, by topic.",
    ["topic"],
)
EVENTS_LINKS_LOST = Counter(
    "bellwether_event_bus_links_lost_total", "Times the connection to the event bus was lost."
)
EVENTS_CONNECTED = Gauge(
    "bellwether_event_bus_connected",
    "1 while every process listens to the event bus.",
    multiprocess_mode="livemin",
)
QUEUE_SUBMITTED = Counter(
    "bellwether_request_queue_submitted_total", "Requests put into the queue."
)
QUEUE_REFUSED = Counter(
    "bellwether_request_queue_refused_total", "Requests refused because the queue was full."
)
QUEUE_TAKEN = Counter(
    "bellwether_request_queue_taken_total", "Requests handed to a worker, repeats included."
)
QUEUE_REDELIVERED = Counter(
    "bellwether_request_queue_redelivered_total",
    "Requests handed to a worker because another one left them behind.",
)
QUEUE_DONE = Counter("bellwether_request_queue_done_total", "Requests answered.")
QUEUE_DEAD = Counter("bellwether_request_queue_dead_total", "Requests given up.")
QUEUE_REVIVED = Counter(
    "bellwether_request_queue_revived_total", "Requests put back after they were given up."
)
QUEUE_LENGTH = Gauge(
    "bellwether_request_queue_length",
    "Requests in the queue when last counted: waiting, taken, dead.",
    ["state"],
    multiprocess_mode="livemostrecent",
)
LIVE_PUBLISHED = Counter("bellwether_live_bars_published_total", "Live bars sent to the feed.")
LIVE_REFUSED = Counter(
    "bellwether_live_bars_refused_total", "Live bars not sent because the feed was full."
)
LIVE_WAITING = Gauge(
    "bellwether_live_bars_waiting",
    "Live bars that waited when last counted.",
    multiprocess_mode="livemostrecent",
)
LIVE_BARS = Counter(
    "bellwether_live_bars_taken_total",
    "Live bars that were taken off the feed: accepted or rejected.",
    ["outcome"],
)
LIVE_VECTORS = Counter(
    "bellwether_live_vectors_total",
    "Vectors made from live bars: by a push to the stream, or computed anew from the lake.",
    ["how"],
)
LIVE_SECONDS = Histogram(
    "bellwether_live_batch_seconds",
    "From taking bars off the feed until their vectors are in the online store.",
    buckets=SECONDS,
)
