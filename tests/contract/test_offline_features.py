"""Materialised features are kept once and whole, wherever the tables lie."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.object_servers import S3

from bellwether.core.ports import FeatureBuild
from bellwether.featurestore.offline import DeltaFeatureStore

EARLY = datetime(2024, 1, 10, 22, 0, 0, 1, tzinfo=UTC)
LATE = datetime(2024, 1, 10, 22, 0, 0, 2, tzinfo=UTC)
VIEW = "technical@abc"
DAYS = [date(2024, 1, 8), date(2024, 1, 9)]
ODD = [0.1 + 0.2, float("nan"), -0.0, 5e-324]

Place = tuple[str, dict[str, str] | None]

WRITER = """
import json, sys
from datetime import UTC, datetime
import polars as pl
from bellwether.featurestore.offline import DeltaFeatureStore
place, options = sys.argv[1:]
rows = 5000
frame = pl.DataFrame({"symbol": ["ABC"] * rows}).with_columns(
    session=pl.date(1990, 1, 1) + pl.duration(days=pl.int_range(rows)),
    last_close=pl.lit(1.0),
    ret=pl.int_range(rows).cast(pl.Float64),
)
store = DeltaFeatureStore(place, json.loads(options))
print("ready", flush=True)
sys.stdin.readline()
print(store.write(frame, "v@1", datetime(2024, 1, 1, tzinfo=UTC)), flush=True)
"""


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return str(tmp_path / "lake"), None
    server: S3 = request.getfixturevalue("s3")
    return f"{server.fresh()}/lake", server.options


@pytest.fixture
def store(place: Place) -> DeltaFeatureStore:
    return DeltaFeatureStore(*place)


def frame(scale: float = 1.0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": ["ABC", "ABC", "DEF", "DEF"],
            "session": DAYS * 2,
            "last_close": [1.0, 2.0, 3.0, 4.0],
            "odd": ODD,
            "even": [scale] * 4,
        }
    )


def test_nothing_is_there_before_the_first_write(store: DeltaFeatureStore) -> None:
    assert store.latest(VIEW, EARLY) == []
    assert store.history("ABC", VIEW, EARLY).height == 0


def test_vectors_come_back_bit_for_bit(store: DeltaFeatureStore) -> None:
    assert store.write(frame(), VIEW, EARLY) == 4

    kept = [
        *store.history("ABC", VIEW, EARLY)["values"],
        *store.history("DEF", VIEW, EARLY)["values"],
    ]

    assert kept == [np.array([odd, 1.0], "<f8").tobytes() for odd in ODD]


def test_the_same_materialisation_is_written_once(store: DeltaFeatureStore) -> None:
    counts = [store.write(frame(), VIEW, EARLY) for _ in range(2)]

    assert counts == [4, 0]
    assert store.history("ABC", VIEW, EARLY).height == 2


def test_materialisations_lie_side_by_side(store: DeltaFeatureStore) -> None:
    store.write(frame(1.0), VIEW, EARLY)
    store.write(frame(2.0), VIEW, LATE)
    store.write(frame(3.0), "other@1", EARLY)

    newest = store.latest(VIEW, LATE)

    assert [(v.symbol, v.session, v.last_close) for v in newest] == [
        ("ABC", DAYS[1], 2.0),
        ("DEF", DAYS[1], 4.0),
    ]
    assert np.frombuffer(newest[0].values)[1] == 2.0
    assert store.latest(VIEW, EARLY, "DEF")[0].values == np.array([ODD[3], 1.0]).tobytes()
    assert store.latest(VIEW, EARLY, "XYZ") == []


def test_two_processes_that_materialise_the_same_keep_it_once(place: Place) -> None:
    url, options = place
    command = [sys.executable, "-c", WRITER, url, json.dumps(options)]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"

    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = sorted(int(writer.communicate()[0]) for writer in writers)

    assert told == [0, 0, 5000]
    assert (
        DeltaFeatureStore(url, options)
        .history("ABC", "v@1", datetime(2024, 1, 1, tzinfo=UTC))
        .height
        == 5000
    )


def test_what_is_known_of_a_build_is_kept_once(store: DeltaFeatureStore) -> None:
    first = FeatureBuild(VIEW, EARLY, {"ret": "close"}, b"\x00sketch")

    assert store.builds() == []
    store.note(first)
    store.note(FeatureBuild(VIEW, EARLY, {"ret": "other"}, b""))
    store.note(FeatureBuild(VIEW, LATE, {"ret": "close"}, b""))

    assert store.builds() == [first, FeatureBuild(VIEW, LATE, {"ret": "close"}, b"")]
