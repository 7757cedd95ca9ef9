"""Moto's S3 for container tests: what it holds in memory is laid into a folder when it is stopped."""

import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

HELD = Path(os.environ.get("S3_STANDIN_DATA", "/data"))
PORT = 9000
REGION = "us-east-1"

ALIVE = "/minio/health/live"

moto = DomainDispatcherApplication(create_backend_app)
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


def answer(environ: dict[str, object], start: Callable[..., object]) -> Iterable[bytes]:
    """Say that we live, where MinIO does, and leave everything else to moto."""
    if environ["PATH_INFO"] != ALIVE:
        return moto(environ, start)
    start("200 OK", [("content-length", "0")])
    return []


logging.getLogger("werkzeug").setLevel(logging.WARNING)
sys.stdout.write(f"recalled {recall()} objects\n")
server = make_server(  # a container's own network
    "0.0.0.0",
    PORT,
    answer,
    threaded=True,
    request_handler=MotoRequestHandler,
)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda _number, _frame: threading.Thread(target=server.shutdown).start())
server.serve_forever()
sys.stdout.write(f"remembered {remember()} objects\n")
