"""Files of long work, in a folder or a bucket, each with the hash of its bytes before them."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from bellwether.core.errors import ConfigError, InvalidRequest
from bellwether.links.bucket import BucketLink, for_objects, is_remote
from bellwether.telemetry import get_logger

HASH_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class ObjectWorkFiles:
    """The WorkFiles port over object stores, of which a folder is one.

    A file appears whole: a folder's by renaming, a bucket's by nature.

    Parameters
    ----------
    url
        A folder, s3://bucket or s3://bucket/prefix.
    options
        Endpoint, region and keys of a bucket, by the names that Delta gives them.

    Raises
    ------
    ConfigError
        If `url` or an option cannot be used.
    """

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        self._link = BucketLink("work", url, (BaseError, OSError))
        try:
            if is_remote(url):
                self._store: S3Store | LocalStore = S3Store.from_url(
                    url, **for_objects(options or {})
                )
            else:
                self._store = LocalStore(Path(url).absolute(), mkdir=True)
        except (BaseError, ValueError, OSError) as error:
            raise ConfigError(
                "work_url", f"{url} is no folder and not s3://bucket/prefix"
            ) from error

    def keep(self, work: str, name: str, content: bytes) -> None:
        """Keep a file; one of the same name is replaced."""
        path = _path(work, name)
        with self._link.guard():
            self._store.put(path, hashlib.sha256(content).digest() + content)

    def read(self, work: str, name: str) -> bytes | None:
        """Return a file; None where there is none, or where its bytes were damaged."""
        path = _path(work, name)
        with self._link.guard():
            try:
                raw = bytes(self._store.get(path).bytes())
            except FileNotFoundError:
                return None
        content = raw[HASH_BYTES:]
        if hashlib.sha256(content).digest() != raw[:HASH_BYTES]:
            get_logger(__name__).warning("work_file_damaged", work=work, name=name)
            return None
        return content

    def names(self, work: str) -> list[str]:
        """List the names of a work's files, sorted."""
        return sorted(path.partition("/")[2] for path in self._paths(_checked(work) + "/"))

    def works(self) -> list[str]:
        """List the works that have files, sorted."""
        return sorted({path.partition("/")[0] for path in self._paths(None)})

    def drop(self, work: str) -> None:
        """Remove all files of a work."""
        paths = self._paths(_checked(work) + "/")
        with self._link.guard():
            if paths:
                self._store.delete(paths)

    def _paths(self, prefix: str | None) -> list[str]:
        with self._link.guard():
            return [entry["path"] for batch in self._store.list(prefix) for entry in batch]


def _path(work: str, name: str) -> str:
    return f"{_checked(work)}/{_checked(name)}"


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        why = f"{name!r} is not of letters, digits, dot, dash and underscore"
        raise InvalidRequest("name", why)
    return name
