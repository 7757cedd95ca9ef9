"""Vectors and messages as bytes: what the far online store keeps and what its readers are told.

A vector is one value, little-endian and without padding:

    0  magic        2 bytes    b"BW"
    2  version      uint8      of this layout
    3  session      int32      days since 1970-01-01
    7  watermark    int64      microseconds since 1970-01-01T00:00Z
   15  written_at   int64      microseconds, likewise
   23  last_close   float64    USD
   31  count        uint16     number of values
   33  crc          uint32     CRC-32 of all other bytes
   37  values       float64    count of them, copied bit for bit

Magic, session and watermark keep their places in every version, so that writers of different
versions can tell which vector is newer. Whatever cannot be read counts as missing.
"""

import struct
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zlib import crc32

import msgspec

from bellwether.core.errors import SchemaViolation
from bellwether.core.types import FeatureVector

TOPIC = "features"
"""Where it is told whose vectors were replaced."""

MAGIC = b"BW"
VERSION = 1
_OURS = bytes([VERSION])
VALUE_BYTES = 8
MOST_VALUES = 2**16 - 1
LONGEST_REMEMBERED = 64
_HEAD = struct.Struct("<2sBiqqdHI")
_CRC = struct.Struct("<I")
_CHECKED = _HEAD.size - _CRC.size
_DAY_0 = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ESCAPES = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})
_GLOB = str.maketrans({c: f"\\{c}" for c in "\\*?[]^-"})


def encode(vector: FeatureVector, written_at: datetime) -> bytes:
    """Return `vector` as the bytes of one value.

    Raises
    ------
    SchemaViolation
        If its values are no whole number of float64, or more than the layout can count.
    """
    count, rest = divmod(len(vector.values), VALUE_BYTES)
    if rest or count > MOST_VALUES:
        size = len(vector.values)
        raise SchemaViolation("feature vector", f"{size} bytes are not 0 to {MOST_VALUES} float64")
    days = vector.session.toordinal() - _DAY_0
    marks = _micros(vector.watermark), _micros(written_at)
    head = _HEAD.pack(MAGIC, VERSION, days, *marks, vector.last_close, count, 0)[:_CHECKED]
    return b"".join((head, _CRC.pack(crc32(vector.values, crc32(head))), vector.values))


def decode(raw: bytes, symbol: str, view: str) -> FeatureVector | None:
    """Return the vector of one value; None if it is not one this version can read."""
    if len(raw) < _HEAD.size:
        return None
    magic, version, days, watermark, _, last_close, count, crc = _HEAD.unpack_from(raw)
    if magic != MAGIC or version != VERSION or len(raw) != _HEAD.size + VALUE_BYTES * count:
        return None
    values = raw[_HEAD.size :]
    if crc32(values, crc32(raw[:_CHECKED])) != crc:
        return None
    try:
        return FeatureVector(symbol, _session(days), view, _instant(watermark), values, last_close)
    except (ValueError, OverflowError):  # a day that no calendar has
        return None


def is_damaged(raw: bytes | None) -> bool:
    """Say whether a value claims to be of this version and is not: nothing it says can be true.

    One of a later version is left alone, because its writer knew what it meant.
    """
    if raw is None or raw[: len(MAGIC)] != MAGIC or raw[len(MAGIC) : len(MAGIC) + 1] != _OURS:
        return False
    return decode(raw, "", "") is None


def written_at(raw: bytes) -> datetime:
    """Return when a value that `decode` could read was written."""
    return _instant(_HEAD.unpack_from(raw)[4])


def key_of(symbol: str, view: str) -> bytes:
    """Return the key of a vector; all keys of one symbol lie in one slot of a cluster."""
    make = _key if len(symbol) <= LONGEST_REMEMBERED else _key.__wrapped__
    return make(symbol, view)


@lru_cache(maxsize=65_536)
def _key(symbol: str, view: str) -> bytes:
    # What asks for a symbol may be any text: a lone surrogate is no error, only never found.
    return f"bw:{{{symbol.translate(_ESCAPES)}}}:{view}".encode(errors="surrogatepass")


def pattern_of(symbol: str) -> bytes:
    """Return the SCAN pattern of all keys of one symbol."""
    name = symbol.translate(_ESCAPES).translate(_GLOB)
    return f"bw:{{{name}}}:*".encode(errors="surrogatepass")


PATTERN_OF_ALL = b"bw:{*}:*"


def view_of(key: bytes) -> str:
    """Return the view version that a key is of."""
    return key.partition(b"}:")[2].decode(errors="replace")


def encode_symbols(symbols: Iterable[str]) -> bytes:
    """Return the message that the vectors of `symbols` were replaced."""
    return msgspec.json.encode(list(symbols))


def decode_symbols(payload: bytes) -> list[str] | None:
    """Return whose vectors were replaced; None for a message that cannot be read."""
    try:
        return msgspec.json.decode(payload, type=list[str])
    except msgspec.DecodeError:
        return None


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


# Thousands of vectors share a few sessions and watermarks.
@lru_cache(maxsize=4096)
def _session(days: int) -> date:
    return date.fromordinal(days + _DAY_0)


@lru_cache(maxsize=4096)
def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
