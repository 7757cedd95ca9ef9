"""Stores in buckets: how long they are waited for, and what their libraries' errors mean.

Delta, Polars and obstore all reach S3 through Rust's object_store, each in its own dialect. Left
to their defaults they try for minutes. Here a request ends after `TIMEOUT_S`, a refused connection
after about a second, and only a request that failed at once is tried again.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bellwether.core.errors import StorageError
from bellwether.links.breaker import Breaker

TIMEOUT_S = 5
CONNECT_S = 2
RETRIES = 3
RETRY_FOR_S = 4  # less than TIMEOUT_S: a server that is slow is not asked twice
DOWNLOAD_S = 60  # where the library can tell a long download from silence
MAX_WORDS = 300

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SERVER = re.compile(r"\b(?:GET|PUT|POST|HEAD|DELETE) (\w+://[^/\s]+)")
_BUSY = re.compile(r"non-2xx status code: ((?:408|429|5\d\d)\b[\w ]*)")
_TOLD = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>")
_CAUSE = re.compile(r"HTTP error: (.*?)(?: \(path: \S+\))?$")
_KIND = re.compile(r"kind: (Connect|Timeout|Interrupted)\b")


def is_remote(url: str) -> bool:
    """Say whether `url` is an address and not a folder."""
    return "://" in url


def for_delta(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a Delta table in a bucket, with an end to every wait."""
    return {
        **options,
        "timeout": f"{TIMEOUT_S}s",
        "connect_timeout": f"{CONNECT_S}s",
        "max_retries": str(RETRIES),
        "retry_timeout": f"{RETRY_FOR_S}s",
    }


def for_polars(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the same for a scan by Polars, which wants whole numbers, and asks all twice."""
    return {
        **options,
        "timeout": f"{DOWNLOAD_S}s",
        "read_timeout": f"{TIMEOUT_S * 500}ms",
        "connect_timeout": f"{CONNECT_S}s",
        "max_retries": RETRIES,
        "retry_timeout_ms": RETRY_FOR_S * 500,
    }


def for_objects(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the same as arguments of obstore's stores."""
    plain = options.get("aws_allow_http") == "true"
    return {
        "config": {k: v for k, v in options.items() if k != "aws_allow_http"},
        "client_options": {
            "allow_http": plain,
            "timeout": timedelta(seconds=DOWNLOAD_S),
            "read_timeout": timedelta(seconds=TIMEOUT_S),
            "connect_timeout": timedelta(seconds=CONNECT_S),
        },
        "retry_config": {
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_FOR_S),
        },
    }


class BucketLink:
    """Guards the calls to a store that may lie in a bucket.

    Parameters
    ----------
    store
        What people call it: `lake`, `releases`.
    url
        Its folder or address. A folder is never away.
    errors
        What its library raises.
    """

    def __init__(self, store: str, url: str, errors: tuple[type[Exception], ...]) -> None:
        self._store = store
        self._errors = errors
        # one failure is enough: the library has tried for seconds before it told of it
        self._breaker = Breaker(store, (_Away,), fail_max=1) if is_remote(url) else None

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Raise what the library raises as one of ours, and ask a server that is away seldom.

        Raises
        ------
        Unavailable
            If the server cannot be reached, does not answer in time, or says it cannot now.
        StorageError
            If it answered that it will not do what was asked.
        """
        if self._breaker is None:
            with self._translated():
                yield
            return
        with self._breaker.guard(), self._translated():
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            why = away(error) if self._breaker else None
            if why is not None:
                raise _Away(why) from error
            raise StorageError(self._store, in_words(error)) from error


class _Away(Exception):
    """The server did not answer, or could not."""


def away(error: Exception) -> str | None:
    """Say in words why the server counts as away; None where it answered.

    The three libraries raise the same few types for everything: their words are all there is.
    """
    text = _plain(error)
    server = _SERVER.search(text)
    name = server.group(1) if server else "the object store"
    busy = _BUSY.search(text)
    if busy:
        return f"{name} answers {busy.group(1).strip()}"
    cause = _CAUSE.search(text)
    if cause is None:
        return None
    kind = _KIND.search(str(error))
    detail = kind.group(1) if kind else cause.group(1).rsplit(": ", 1)[-1]
    return f"{name} does not answer ({detail})"


def in_words(error: Exception) -> str:
    """Return what an object store, or the library before it, said, as one line."""
    text = _plain(error)
    told, server = _TOLD.search(text), _SERVER.search(text)
    if told and server:
        return f"{server.group(1)} answers {told.group(1)}: {told.group(2)}"
    return text[:MAX_WORDS] or type(error).__name__


def _plain(error: Exception) -> str:
    """Return the error's text without colours, arrows, line breaks and the library's inside."""
    text = _COLOUR.sub("", str(error)).split("Debug source:")[0]
    lines = re.sub(r"\s*↳\s*|\s*\n\s*(?:Caused by:\s*)?(?:\d+: )?", ": ", text.strip())
    return re.sub(r"\s+", " ", lines).strip(": ")
