"""Moto's S3 for container tests: what it holds in memory is laid into a folder when it is stopped."""

import logging
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import quote, unquote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

HELD = Path(os.environ.get("S3_STANDIN_DATA", "/data"))
PORT = 9000
REGION = "us-east-1"

store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def recall() -> int:
    """Take the buckets and objects from the folder, and say how many objects there were."""
    for bucket in HELD.iterdir():
        store.create_bucket(bucket.name, REGION)
        for held in bucket.iterdir():
            store.put_object(bucket.name, unquote(held.name), held.read_bytes())
    return sum(len(bucket.keys) for bucket in store.buckets.values())


def remember() -> int:
    """Lay the buckets and objects into the folder, and say how many objects there are."""
    for name, bucket in store.buckets.items():
        shutil.rmtree(HELD / name, ignore_errors=True)
        (HELD / name).mkdir()
        for key, held in bucket.keys.items():
            (HELD / name / quote(key, safe="")).write_bytes(held.value)
    return sum(len(bucket.keys) for bucket in store.buckets.values())


logging.getLogger("werkzeug").setLevel(logging.WARNING)
stopped = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda _number, _frame: stopped.set())
sys.stdout.write(f"recalled {recall()} objects\n")
server = ThreadedMotoServer("0.0.0.0", PORT, verbose=False)  # noqa: S104 - a container's own network
server.start()
stopped.wait()
server.stop()
sys.stdout.write(f"remembered {remember()} objects\n")
