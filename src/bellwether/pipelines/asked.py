"""What an ingestion was asked for, as the ledger keeps it and as people read it."""

import json
import re
from dataclasses import fields
from typing import Any

from bellwether.core.ports import IngestionRow, SourceQuery

UNKNOWN = "recorded before requests were kept"
FIELDS = {"first": "from", "last": "to"}
LEFT_OUT = ("spells",)  # what the lake knew is no part of what was asked
SHOWN = 6
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")
_PARAMETERS = re.compile(r"(?<=[?&;])([^=&;#]+)=[^&;#]*")


def request_of(source: str, query: SourceQuery) -> str:
    """Return the request as JSON: what was said, and nothing secret.

    Of an address the credentials and the values of its parameters are left out.
    """
    said = {f.name: getattr(query, f.name) for f in fields(query) if f.name not in LEFT_OUT}
    told = {FIELDS.get(name, name): value for name, value in said.items() if value is not None}
    if query.columns is not None:
        told["columns"] = dict(query.columns)
    if query.path is not None:
        told["path"] = without_secrets(query.path)
    return json.dumps({"source": source, **told}, default=str, sort_keys=True)


def without_secrets(path: str) -> str:
    """Return a path or address without the credentials and parameters that it may hold."""
    if "://" not in path:
        return path
    return _PARAMETERS.sub(r"\1=(hidden)", _CREDENTIALS.sub("", path))


def request_in(row: IngestionRow) -> dict[str, Any] | None:
    """Return what an ingestion was asked for; None where that was not kept."""
    try:
        told = json.loads(row.request)
    except json.JSONDecodeError:
        return None
    return told if isinstance(told, dict) and told else None


def in_words(row: IngestionRow) -> str:
    """Say what an ingestion was asked for."""
    told = request_in(row)
    if told is None:
        return UNKNOWN
    parts = [f"{k} {_value(v)}" for k, v in told.items() if k not in ("source", "adjusted")]
    if told.get("adjusted", "none") != "none":
        parts.append(f"adjusted {told['adjusted']}")
    return ", ".join(parts) or "all it has"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items())
    if isinstance(value, list):
        more = f" and {len(value) - SHOWN} more" if len(value) > SHOWN else ""
        return ",".join(map(str, value[:SHOWN])) + more
    return str(value)
