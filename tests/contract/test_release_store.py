"""A release is found whole and unchanged, or not at all, wherever it is kept."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from obstore.store import S3Store
from tests.object_servers import S3

from bellwether.core.errors import MissingRecord, TamperedArtifact
from bellwether.core.ports import ReleaseStore
from bellwether.links.bucket import for_objects
from bellwether.registry.folder import FolderReleases
from bellwether.registry.objects import ObjectReleases

FILES = {"model.onnx": b"\x00\xff" * 100, "card.md": "Güte\n".encode(), "empty": b""}
MANIFEST = {"model": "x", "coverage": 0.1 + 0.2, "skill": {"ABC": {"n": None, "shown": False}}}


class Shelf(Protocol):
    """A place for releases that a test can reach into."""

    def store(self) -> ReleaseStore:
        """Return what a process that has just started sees."""
        ...

    def put(self, path: str, content: bytes) -> None: ...

    def remove(self, path: str) -> None: ...


@dataclass
class Folder:
    root: Path

    def store(self) -> ReleaseStore:
        return FolderReleases(self.root)

    def put(self, path: str, content: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()


class Bucket:
    def __init__(self, server: S3, caches: Path) -> None:
        self.url, self.options = f"{server.fresh()}/some/where", server.options
        self.raw = S3Store.from_url(self.url, **for_objects(self.options))
        self.caches = caches
        self.readers = 0

    def store(self) -> ReleaseStore:
        self.readers += 1
        cache = FolderReleases(self.caches / str(self.readers))
        return ObjectReleases(self.url, self.options, cache)

    def put(self, path: str, content: bytes) -> None:
        self.raw.put(path, content)

    def remove(self, path: str) -> None:
        self.raw.delete(path)


@pytest.fixture(params=["folder", "bucket"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "folder":
        return Folder(tmp_path)
    return Bucket(request.getfixturevalue("s3"), tmp_path)


def test_a_release_is_named_by_its_content(shelf: Shelf) -> None:
    store = shelf.store()

    first = store.save({"a": b"1"}, {"model": "x"})
    again = store.save({"a": b"1"}, {"model": "x"})
    other = store.save({"a": b"2"}, {"model": "x"})

    assert first == again != other
    assert store.ids() == sorted([first, other])
    assert store.load(first).files == {"a": b"1"}


def test_the_same_content_has_the_same_id_everywhere(tmp_path: Path, s3: S3) -> None:
    here, there = Folder(tmp_path / "folder").store(), Bucket(s3, tmp_path / "caches").store()

    assert here.save(FILES, MANIFEST) == there.save(FILES, MANIFEST)


def test_what_was_saved_comes_back_whole_to_whoever_asks(shelf: Shelf) -> None:
    release = shelf.store().save(FILES, MANIFEST)

    found = shelf.store().load(release)

    assert found.release_id == release
    assert found.files == FILES
    assert {k: v for k, v in found.manifest.items() if k != "files"} == MANIFEST


def test_a_large_file_comes_back_whole(shelf: Shelf) -> None:
    large = bytes(range(256)) * 50_000  # 12.8 MB: a bucket takes it in parts

    release = shelf.store().save({"walkforward.parquet": large}, {})

    assert shelf.store().load(release).files == {"walkforward.parquet": large}


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_changed_byte_is_noticed(shelf: Shelf, name: str) -> None:
    release = shelf.store().save(FILES, MANIFEST)
    shelf.put(f"{release}/{name}", b"{}")

    with pytest.raises(TamperedArtifact, match=name):
        shelf.store().load(release)


def test_a_lost_file_is_noticed(shelf: Shelf) -> None:
    release = shelf.store().save(FILES, MANIFEST)
    shelf.remove(f"{release}/model.onnx")

    with pytest.raises(TamperedArtifact, match=r"model\.onnx"):
        shelf.store().load(release)


@pytest.mark.parametrize("name", ["nothing", "../etc", "", ".", "r" + "0" * 20])
def test_a_release_that_is_not_there_is_named(shelf: Shelf, name: str) -> None:
    with pytest.raises(MissingRecord):
        shelf.store().load(name)


def test_nothing_is_listed_before_the_first_release(shelf: Shelf) -> None:
    assert shelf.store().ids() == []


def test_what_a_killed_writer_left_is_no_release(shelf: Shelf) -> None:
    release = "r" + "1" * 20
    shelf.put(f"{release}/model.onnx", b"half of it")

    assert shelf.store().ids() == []
    with pytest.raises(MissingRecord):
        shelf.store().load(release)


def test_what_is_no_release_is_not_listed(shelf: Shelf) -> None:
    shelf.put("notes/manifest.json", b"{}")

    assert shelf.store().ids() == []


def test_many_that_save_the_same_at_once_leave_one_release(shelf: Shelf) -> None:
    stores = [shelf.store() for _ in range(6)]
    start, saved = threading.Barrier(len(stores)), list[str]()

    def save(store: ReleaseStore) -> None:
        start.wait()
        saved.append(store.save(FILES, MANIFEST))

    threads = [threading.Thread(target=save, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(saved) == len(stores)
    assert shelf.store().ids() == sorted(set(saved))
    assert shelf.store().load(saved[0]).files == FILES
