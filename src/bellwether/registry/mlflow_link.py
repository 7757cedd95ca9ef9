"""Whether an MLflow server is there, asked without MLflow, which takes a second to import."""

import socket
from http.client import HTTPException
from ssl import SSLCertVerificationError
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import urlopen

from bellwether.core.errors import Unavailable

PING_S = 2.0
BROKEN = 500
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def is_remote(uri: str) -> bool:
    """Say whether `uri` is a server's, which can be away, and not a file's."""
    return bool(urlsplit(uri).hostname)


def ping(uri: str) -> None:
    """Ask the server at `uri` for a sign of life.

    Any answer is one but that of a server in trouble. Whether its certificate and the user can be
    trusted is for MLflow to say.

    Raises
    ------
    Unavailable
        If it does not answer within `PING_S`.
    """
    if not is_remote(uri):
        return
    parts = urlsplit(uri)
    try:
        _knock(parts)
    except HTTPError as error:
        error.close()
        if error.code >= BROKEN:
            raise Unavailable("mlflow", f"{_name(parts)} answers {error.code}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, SSLCertVerificationError):
            return
        raise Unavailable("mlflow", f"{_name(parts)} does not answer ({reason})") from error


def _knock(parts: SplitResult) -> None:
    if parts.scheme in ("http", "https"):
        with urlopen(f"{_name(parts)}{parts.path.rstrip('/')}/health", timeout=PING_S):  # noqa: S310
            return
    port = parts.port or DATABASE_PORTS.get(parts.scheme.split("+")[0])
    if port is not None:
        socket.create_connection((parts.hostname, port), PING_S).close()


def _name(parts: SplitResult) -> str:
    """Return the server's address without user, password and path."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
