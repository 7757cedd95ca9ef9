"""Files of long work are whole or not there, in a folder and in a bucket."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.object_servers import S3

from bellwether.core.errors import ConfigError, InvalidRequest, StorageError
from bellwether.core.ports import WorkFiles
from bellwether.registry.work import ObjectWorkFiles


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WorkFiles]:
    if request.param == "folder":
        yield ObjectWorkFiles(str(tmp_path / "work"))
        return
    s3: S3 = request.getfixturevalue("s3")
    yield ObjectWorkFiles(f"{s3.fresh()}/some/prefix", s3.options)


def test_what_was_kept_is_read(files: WorkFiles) -> None:
    assert files.works() == []
    assert files.read("w1", "a") is None
    files.keep("w1", "b.parquet", b"one")
    files.keep("w1", "a", b"")
    files.keep("w2", "a", bytes(range(256)) * 100)
    files.keep("w1", "b.parquet", b"two")

    assert files.read("w1", "b.parquet") == b"two"
    assert files.read("w1", "a") == b""
    assert files.read("w2", "a") == bytes(range(256)) * 100
    assert files.names("w1") == ["a", "b.parquet"]
    assert files.names("w3") == []
    assert files.works() == ["w1", "w2"]
    files.drop("w1")
    files.drop("w1")
    assert files.works() == ["w2"]


@pytest.mark.parametrize("bad", ["", "..", "a/b", "/a", "a b", "x" * 200, ".hidden"])
def test_names_stay_names(files: WorkFiles, bad: str) -> None:
    with pytest.raises(InvalidRequest):
        files.keep(bad, "a", b"")
    with pytest.raises(InvalidRequest):
        files.read("w", bad)


def test_writers_of_one_name_leave_one_whole_file(files: WorkFiles) -> None:
    contents = [bytes([n]) * 100_000 for n in range(8)]
    threads = [threading.Thread(target=files.keep, args=("w", "a", c)) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.read("w", "a") in contents


def test_damaged_bytes_count_as_none(tmp_path: Path) -> None:
    files = ObjectWorkFiles(str(tmp_path))
    files.keep("w", "a", b"content")
    path = tmp_path / "w" / "a"
    for bad in (path.read_bytes()[:-1], b"", path.read_bytes()[:-1] + b"x"):
        path.write_bytes(bad)
        assert files.read("w", "a") is None


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((ConfigError, StorageError)):
        ObjectWorkFiles(str(tmp_path / "file")).keep("w", "a", b"")
    with pytest.raises(ConfigError):
        ObjectWorkFiles("s3://")
