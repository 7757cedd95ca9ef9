"""A vector is the same after it was bytes, and no other bytes are taken for one."""

import struct
from datetime import UTC, date, datetime, timedelta
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.core.errors import SchemaViolation
from bellwether.core.types import FeatureVector
from bellwether.featurestore.codec import (
    decode,
    decode_symbols,
    encode,
    encode_symbols,
    is_damaged,
    key_of,
    pattern_of,
    view_of,
    written_at,
)

INSTANTS = st.datetimes(timezones=st.just(UTC))
VECTORS = st.builds(
    FeatureVector,
    symbol=st.text(),
    session=st.dates(),
    view=st.text(),
    watermark=INSTANTS,
    # Any bytes are float64: every NaN, whatever it carries, among them.
    values=st.lists(st.binary(min_size=8, max_size=8), max_size=70).map(b"".join),
    last_close=st.floats(allow_nan=False),
)
ONE = FeatureVector("A", date(2024, 1, 2), "v", datetime(2024, 1, 2, tzinfo=UTC), bytes(24), 1.5)
RAW = encode(ONE, ONE.watermark)


@given(VECTORS, INSTANTS)
def test_a_vector_survives_the_way_there_and_back(vector: FeatureVector, at: datetime) -> None:
    raw = encode(vector, at)

    assert decode(raw, vector.symbol, vector.view) == vector
    assert written_at(raw) == at
    assert not is_damaged(raw)
    assert len(raw) == 37 + len(vector.values)


def test_a_close_that_is_no_number_keeps_its_bits() -> None:
    (close,) = struct.unpack("<d", bytes.fromhex("efbeaddeadbef47f"))
    raw = encode(FeatureVector("A", ONE.session, "v", ONE.watermark, b"", close), ONE.watermark)

    found = decode(raw, "A", "v")

    assert found is not None
    assert struct.pack("<d", found.last_close) == struct.pack("<d", close)


def test_the_layout_is_the_one_that_is_written_down() -> None:
    assert RAW[:2] == b"BW"
    assert RAW[2] == 1
    assert struct.unpack_from("<iqqdHI", RAW, 3) == (
        19_724,
        1_704_153_600_000_000,
        1_704_153_600_000_000,
        1.5,
        3,
        crc32(RAW[37:], crc32(RAW[:33])),
    )


@given(st.binary(max_size=120))
def test_bytes_of_another_origin_are_no_vector(raw: bytes) -> None:
    assert decode(raw, "A", "v") is None


@given(st.integers(0, len(RAW) * 8 - 1))
def test_a_flipped_bit_is_noticed(bit: int) -> None:
    changed = bytearray(RAW)
    changed[bit // 8] ^= 1 << (bit % 8)

    assert decode(bytes(changed), "A", "v") is None


@given(st.integers(0, len(RAW) - 1), st.binary(min_size=1, max_size=16))
def test_a_piece_and_more_than_the_whole_are_no_vector(length: int, more: bytes) -> None:
    assert decode(RAW[:length], "A", "v") is None
    assert decode(RAW + more, "A", "v") is None


def test_a_later_version_is_not_read_and_not_called_damaged() -> None:
    later = RAW[:2] + b"\x02" + RAW[3:]

    assert decode(later, "A", "v") is None
    assert not is_damaged(later)
    assert is_damaged(RAW[:-1])
    assert not is_damaged(None)


def test_a_day_that_no_calendar_has_is_no_vector() -> None:
    head = struct.pack("<2sBiqqdH", b"BW", 1, 2**31 - 1, 0, 0, 1.0, 0)

    assert decode(head + struct.pack("<I", crc32(head)), "A", "v") is None


@pytest.mark.parametrize("size", [1, 7, 9, 8 * 65_536])
def test_values_that_cannot_be_counted_are_refused(size: int) -> None:
    vector = FeatureVector("A", ONE.session, "v", ONE.watermark, bytes(size), 1.0)

    with pytest.raises(SchemaViolation):
        encode(vector, ONE.watermark)


@given(st.text(), st.text(), st.text(), st.text())
def test_different_vectors_have_different_keys(a: str, view_a: str, b: str, view_b: str) -> None:
    assert (key_of(a, view_a) == key_of(b, view_b)) == ((a, view_a) == (b, view_b))
    assert view_of(key_of(a, view_a)) == view_a


@given(st.text())
def test_all_keys_of_a_symbol_lie_in_one_slot(symbol: str) -> None:
    from redis.crc import key_slot

    tagged = key_of(symbol, "v@1")[3:].partition(b"}:")[0][1:]

    if symbol:  # an empty tag is none: the whole key is hashed, as the cluster does
        assert key_slot(key_of(symbol, "v@1")) == key_slot(tagged) == key_slot(key_of(symbol, "w"))
    assert pattern_of(symbol).endswith(b"}:*")


@given(st.lists(st.text()))
def test_a_message_says_whose_vectors_were_replaced(symbols: list[str]) -> None:
    assert decode_symbols(encode_symbols(symbols)) == symbols


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b"\xff", b'"A"', b"[" * 100_000])
def test_a_message_that_cannot_be_read_says_so(payload: bytes) -> None:
    assert decode_symbols(payload) is None


def test_instants_of_any_zone_are_the_same_instant() -> None:
    from datetime import timezone

    there = ONE.watermark.astimezone(timezone(timedelta(hours=-5)))
    vector = FeatureVector("A", ONE.session, "v", there, b"", 1.0)

    assert decode(encode(vector, there), "A", "v") == vector
