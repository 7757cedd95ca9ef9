"""Membership as people have it: spells, changes, snapshots; every fault is named by line."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from bellwether.core.errors import InvalidRequest, UnreadableFile
from bellwether.core.ports import SourceBatch, SourceQuery
from bellwether.core.schemas import UTC_TIME
from bellwether.sources.membership import UniverseSource

NOW = datetime(2024, 2, 1, tzinfo=UTC)
HEADER = "ticker,start_date,last,end_reason,delisting_return"
GOOD = "ABC,2024-01-02,2024-01-05,,"


def read(
    place: Path, *rows: str, header: str = HEADER, name: str = "u.csv", **query: object
) -> SourceBatch:
    path = place / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return UniverseSource().read(SourceQuery(path=str(path), **query), NOW)  # type: ignore[arg-type]


def refused(batch: SourceBatch) -> list[tuple[str, str]]:
    return [(r.location, r.reason) for r in batch.rejections]


def spells(batch: SourceBatch) -> list[tuple[object, ...]]:
    frame = batch.batches[-1].universe
    assert frame is not None
    return frame.select("symbol", "first", "last").rows()


def kept(*batches: SourceBatch) -> pl.DataFrame:
    """Keep what batches tell as the lake does: a changed fact is the next revision."""
    rows: list[dict[str, object]] = []
    for batch in (b for read in batches for b in read.batches):
        assert batch.universe is not None
        for row in batch.universe.iter_rows(named=True):
            same = [r for r in rows if (r["symbol"], r["first"]) == (row["symbol"], row["first"])]
            told = ("last", "end_reason", "delisting_return")
            if not same or [same[-1][c] for c in told] != [row[c] for c in told]:
                rows.append({**row, "revision": len(same), "ingested_at": NOW})
    return pl.DataFrame(rows, schema_overrides={"ingested_at": UTC_TIME})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../etc,2024-01-03,,,", "bad_symbol"),
        (",2024-01-03,,,", "bad_symbol"),
        ("XYZ,yesterday,,,", "not_a_date"),
        ("XYZ,,,,", "not_a_date"),
        ("XYZ,2024-01-03T10:00:00,,,", "no_zone"),
        ("XYZ,2024-03-01,,,", "not_yet_known"),
        ("XYZ,2040-01-01,,,", "outside_calendar"),
        ("XYZ,2024-01-03,soon,,", "end_not_a_date"),
        ("XYZ,2024-01-03,2024-01-02,,", "end_before_start"),
        ("XYZ,2024-01-13,2024-01-15,,", "end_before_start"),
        ("XYZ,2024-01-03,2024-01-05,gone,", "bad_end_reason"),
        ("XYZ,2024-01-03,,delisted,", "reason_without_end"),
        ("XYZ,2024-01-03,2024-01-05,delisted,-1.5", "bad_delisting_return"),
        ("XYZ,2024-01-03,2024-01-05,delisted,nan", "bad_delisting_return"),
        ("XYZ,2024-01-03,2024-01-05,delisted,inf", "bad_delisting_return"),
        ("XYZ,2024-01-03,2024-01-05,delisted,much", "bad_delisting_return"),
        ("XYZ,2024-01-03,2024-01-05,removed,-0.3", "bad_delisting_return"),
        ("XYZ,2024-01-03,,", "malformed_row"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_its_neighbours_kept(
    tmp_path: Path, row: str, reason: str
) -> None:
    batch = read(tmp_path, GOOD, row, "DEF,2024-01-02,,,")

    assert refused(batch) == [("u.csv:3", reason)]
    assert spells(batch) == [
        ("ABC", date(2024, 1, 2), date(2024, 1, 5)),
        ("DEF", date(2024, 1, 2), None),
    ]
    assert batch.rows_read == 3
    assert json.loads(batch.rejections[0].record)["start_date"] == row.split(",")[1]
    assert "{" not in batch.rejections[0].detail


def test_repeats_are_kept_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        GOOD,
        GOOD,
        "DEF,2024-01-02,2024-01-05,,",
        "DEF,2024-01-02,2024-01-08,,",
        "GHI,2024-01-02,2024-01-09,,",
        "GHI,2024-01-08,,,",
        "JKL,2024-01-02,2024-01-03,,",
        "JKL,2024-01-04,,,",
    )

    assert refused(batch) == [
        ("u.csv:3", "duplicate"),
        ("u.csv:4", "conflicting_duplicate"),
        ("u.csv:5", "conflicting_duplicate"),
        ("u.csv:6", "overlapping_spells"),
        ("u.csv:7", "overlapping_spells"),
    ]
    assert [s[0] for s in spells(batch)] == ["ABC", "JKL", "JKL"]


def test_a_start_and_an_end_are_known_each_at_its_time(tmp_path: Path) -> None:
    batch = read(tmp_path, "ABC,2024-01-02,2024-01-12,delisted,-0.4", "DEF,2024-01-02,,,")

    began, ended = (b.universe for b in batch.batches)
    assert began is not None
    assert ended is not None
    told = ("symbol", "last", "end_reason", "delisting_return", "knowledge_time", "knowledge_basis")
    opened = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    after = datetime(2024, 1, 16, 14, 30, tzinfo=UTC)  # Monday was a holiday
    assert began.select(told).rows() == [
        ("ABC", None, None, None, opened, "effective_session_open")
    ]
    assert ended.select(told).rows() == [
        ("ABC", date(2024, 1, 12), "delisted", -0.4, after, "stated"),
        ("DEF", None, None, None, opened, "effective_session_open"),
    ]


def test_an_end_that_is_not_known_yet_is_left_open(tmp_path: Path) -> None:
    batch = read(tmp_path, "ABC,2024-01-02,2024-02-05,,", "DEF,2024-01-02,9999-12-31,,")

    assert batch.rejections == ()
    assert [s[2] for s in spells(batch)] == [None, None]
    assert [r.reason for r in batch.remarks] == ["end_not_yet_known"]


def test_days_without_a_session_move_inside_the_spell(tmp_path: Path) -> None:
    batch = read(tmp_path, "ABC,2024-01-06,2024-01-15,,")

    assert spells(batch) == [("ABC", date(2024, 1, 8), date(2024, 1, 12))]
    assert [r.reason for r in batch.remarks] == ["no_session"]


@pytest.mark.parametrize(
    ("column", "comes_in", "last"),
    [
        ("end_date", "2024-01-05", date(2024, 1, 4)),
        ("end_date", "2024-01-08", date(2024, 1, 5)),
        ("removed", "2024-01-08", date(2024, 1, 4)),
        ("last", "2024-01-05", date(2024, 1, 5)),
    ],
)
def test_whether_an_end_is_the_last_day_in_or_the_first_day_out(
    tmp_path: Path, column: str, comes_in: str, last: date
) -> None:
    rows = ("ABC,2024-01-02,2024-01-05", f"DEF,{comes_in},")

    batch = read(tmp_path, *rows, header=f"symbol,start_date,{column}")

    assert spells(batch)[0] == ("ABC", date(2024, 1, 2), last)
    assert [r.reason for r in batch.remarks] == ["end_dates_read"] * (column == "end_date")


def test_the_universe_is_named_by_its_column_the_option_or_the_file(tmp_path: Path) -> None:
    by_file = read(tmp_path, GOOD, name="Small_Caps.csv")
    path = tmp_path / "x.csv"
    path.write_text(
        "index,ticker,start_date\nNDX,ABC,2024-01-02\n,DEF,2024-01-02\na b,GHI,2024-01-02\n"
    )
    mixed = UniverseSource().read(SourceQuery(path=str(path), name="sp500"), NOW)

    assert by_file.batches[-1].universe is not None
    assert by_file.batches[-1].universe["universe"].to_list() == ["small_caps"]
    assert mixed.batches[-1].universe is not None
    assert mixed.batches[-1].universe.select("universe", "symbol").rows() == [
        ("ndx", "ABC"),
        ("sp500", "DEF"),
    ]
    assert refused(mixed) == [("x.csv:4", "bad_universe")]
    with pytest.raises(InvalidRequest, match="--name"):
        UniverseSource().read(SourceQuery(path=str(path), name="S&P"), NOW)


CHANGES = ('2024-01-04,"DEF, GHI",ABC', "2024-01-09,,GHI", "2024-01-11,ABC,DEF")
BASE = "ticker,start_date\nABC,2024-01-02\n"
AFTER = [
    ("ABC", date(2024, 1, 2), date(2024, 1, 3)),
    ("ABC", date(2024, 1, 11), None),
    ("DEF", date(2024, 1, 4), date(2024, 1, 10)),
    ("GHI", date(2024, 1, 4), date(2024, 1, 8)),
]


def test_changes_go_on_from_the_spells_beside_them(tmp_path: Path) -> None:
    (tmp_path / "base.csv").write_text(BASE)
    (tmp_path / "changes.csv").write_text("\n".join(["date,add,remove", *CHANGES]) + "\n")

    batch = UniverseSource().read(SourceQuery(path=str(tmp_path), name="u"), NOW)

    assert batch.rejections == ()
    assert spells(batch) == AFTER


def test_changes_go_on_from_what_the_lake_knows_and_may_be_told_again(tmp_path: Path) -> None:
    first = read(tmp_path, "ABC,2024-01-02", header="ticker,start_date")
    lake = kept(first)
    told = read(tmp_path, *CHANGES, header="date,added,removed", spells=lake)
    again = read(tmp_path, *CHANGES, header="date,added,removed", spells=kept(first, told))

    assert told.rejections == again.rejections == ()
    assert spells(told) == spells(again) == AFTER


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-01-04,ABC,", "already_a_member"),
        ("2024-01-04,,XYZ", "not_a_member"),
        ("2024-01-02,,ABC", "not_a_member"),
        ("2024-01-03,,OLD", "conflicting_end"),
        ("2024-01-04,,", "missing_value"),
        ("2024-01-04,$$$,", "bad_symbol"),
        ("2024-03-04,NEW,", "not_yet_known"),
        ("someday,NEW,", "not_a_date"),
        ("2024-01-04,NEW", "malformed_row"),
    ],
)
def test_a_change_that_cannot_be_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    base = read(
        tmp_path, "ABC,2024-01-02,", "OLD,2024-01-02,2024-01-05", header="ticker,start_date,last"
    )

    batch = read(tmp_path, row, header="date,add,remove", spells=kept(base))

    assert refused(batch) == [("u.csv:2", reason)]
    assert batch.batches == ()


SNAPSHOTS = (
    "2023-10-31,ABC",
    "2023-10-31,DEF",
    "2023-11-30,DEF",
    "2023-12-29,DEF",
    "2023-12-29,ABC",
    "2023-12-29,GHI",
)


def test_snapshots_tell_membership_between_them(tmp_path: Path) -> None:
    batch = read(tmp_path, *SNAPSHOTS, "2023-12-29,ABC", header="date,ticker")

    assert refused(batch) == [("u.csv:8", "duplicate")]
    assert spells(batch) == [
        ("ABC", date(2023, 10, 31), date(2023, 10, 31)),
        ("ABC", date(2023, 12, 29), None),
        ("DEF", date(2023, 10, 31), None),
        ("GHI", date(2023, 12, 29), None),
    ]
    began, ended = (b.universe for b in batch.batches)
    assert began is not None
    assert ended is not None
    assert began["knowledge_basis"].to_list() == ["snapshot"]
    assert began["knowledge_time"].to_list() == [datetime(2023, 11, 1, 13, 30, tzinfo=UTC)]
    assert ended["knowledge_time"][0] == datetime(2023, 12, 1, 14, 30, tzinfo=UTC)


def test_the_next_snapshots_go_on_from_the_last(tmp_path: Path) -> None:
    first = read(tmp_path, *SNAPSHOTS[:3], header="date,ticker")
    second = read(tmp_path, *SNAPSHOTS[3:5], header="date,ticker", spells=kept(first))
    again = read(tmp_path, *SNAPSHOTS[:3], header="date,ticker", spells=kept(first, second))
    third = read(tmp_path, "2024-01-30,ABC", header="date,ticker", spells=kept(first, second))

    assert spells(second) == [("ABC", date(2023, 12, 29), None), ("DEF", date(2023, 10, 31), None)]
    assert spells(again) == spells(first)
    assert refused(third) == []
    assert spells(third) == [
        ("ABC", date(2023, 12, 29), None),
        ("DEF", date(2023, 10, 31), date(2024, 1, 29)),
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"ticker,start_date\n", "no row"),
        (b"a,b\n1,2\n", "no column for a spell"),
        (b"ticker\nABC\n", "no column for a spell"),
        (b"add,remove\nA,B\n", "no column for a spell"),
        (b"ticker,ticker,start_date\nA,A,2024-01-02\n", "two columns"),
        (b"ticker,start_date\n\xff\xfe,2024-01-02\n", "UTF-8"),
    ],
)
def test_a_file_that_tells_no_universe_cannot_be_read(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "u.csv"
    path.write_bytes(content)

    with pytest.raises(UnreadableFile, match=why):
        UniverseSource().read(SourceQuery(path=str(path)), NOW)


def test_a_column_by_another_name_is_mapped(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "ABC,2024-01-02",
        header="code,since",
        columns={"symbol": "code", "first": "since"},
    )

    assert spells(batch) == [("ABC", date(2024, 1, 2), None)]
    with pytest.raises(UnreadableFile, match="no column 'Code'"):
        read(tmp_path, "ABC,2024-01-02", header="code,since", columns={"symbol": "Code"})


def test_only_the_symbols_asked_for_are_told(tmp_path: Path) -> None:
    batch = read(tmp_path, GOOD, "DEF,2024-01-02,,,", symbols=("DEF",))

    assert spells(batch) == [("DEF", date(2024, 1, 2), None)]


def test_the_real_membership_and_its_changes_fit(shared_data: Path, tmp_path: Path) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    names = ("sp500_membership_1996_2025.csv", "sp500_changes_2019_2025.csv")
    for name in names:
        (tmp_path / name).symlink_to(shared_data / name)

    alone = UniverseSource().read(SourceQuery(path=str(shared_data / names[0]), name="sp500"), now)
    both = UniverseSource().read(SourceQuery(path=str(tmp_path), name="sp500"), now)

    assert alone.rejections == ()
    assert [b.universe.height for b in alone.batches if b.universe is not None] == [727, 1230]
    assert "648 are days on which names come in" in alone.remarks[0].detail
    assert refused(both) == [
        (f"{names[1]}:50", "conflicting_end"),
        (f"{names[1]}:76", "not_a_member"),
        (f"{names[1]}:76", "already_a_member"),
    ]
