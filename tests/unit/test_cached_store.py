"""What is held in memory is what the far store has, or it is known that it may not be."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bellwether.core.clock import FixedClock
from bellwether.core.errors import Unavailable
from bellwether.core.types import FeatureVector
from bellwether.events.inprocess import InProcessBus
from bellwether.featurestore.cached import CachedOnlineStore
from bellwether.featurestore.codec import encode_symbols
from bellwether.featurestore.online import InProcessOnlineStore

VIEW = "v@1"
OLD = FeatureVector("A", date(2024, 1, 2), VIEW, datetime(2024, 1, 2, tzinfo=UTC), bytes(8), 1.0)
NEW = replace(OLD, session=date(2024, 1, 3), last_close=2.0)


class FarStore(InProcessOnlineStore):
    """A shared store whose reads can be held up after they have read, and counted."""

    def __init__(self) -> None:
        super().__init__(FixedClock(OLD.watermark))
        self.reads: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.away_because: str | None = None

    def get_many(self, symbols: Sequence[str], view: str) -> list[FeatureVector | None]:
        """Read, then let happen what happens meanwhile."""
        if self.away_because:
            raise Unavailable("far", self.away_because)
        self.reads += symbols
        found = super().get_many(symbols, view)
        self.meanwhile()
        return found

    async def fetch(self, symbol: str, view: str) -> FeatureVector | None:
        """Read likewise."""
        await asyncio.sleep(0)
        return self.get_many([symbol], view)[0]

    def away(self) -> str | None:
        """Say what the test wants said."""
        return self.away_because


class Bus(InProcessBus):
    """A bus whose link the test cuts and mends."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[Callable[[bool], None]] = []

    def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_link: Callable[[bool], None]
    ) -> None:
        """Listen only once the link is up."""
        super().subscribe(topic, on_message, lambda _: None)
        self.links.append(on_link)

    def link(self, *, up: bool) -> None:
        """Cut or mend."""
        for on_link in self.links:
            on_link(up)

    def told(self, *symbols: str) -> None:
        """Tell whose vectors were replaced, as another process does."""
        self.publish("features", encode_symbols(symbols))


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def far() -> FarStore:
    store = FarStore()
    store.put([OLD])
    return store


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(far: FarStore, bus: Bus, time: Time) -> CachedOnlineStore:
    made = CachedOnlineStore(far, bus, capacity=10, oldest_s=60, monotonic=time)
    bus.link(up=True)
    return made


Read = Callable[[CachedOnlineStore], FeatureVector | None]


def by_fetch(store: CachedOnlineStore) -> FeatureVector | None:
    return asyncio.run(store.fetch("A", VIEW))


def by_get_many(store: CachedOnlineStore) -> FeatureVector | None:
    return store.get_many(["A"], VIEW)[0]


BOTH = pytest.mark.parametrize("read", [by_fetch, by_get_many])


@BOTH
def test_what_was_read_is_held_and_not_read_again(
    store: CachedOnlineStore, far: FarStore, read: Read
) -> None:
    assert store.held("A", VIEW) is None

    assert [read(store), read(store)] == [OLD, OLD]

    assert store.held("A", VIEW) is OLD
    assert far.reads == ["A"]
    assert store.census().held == 1


@BOTH
def test_what_was_replaced_is_held_no_longer(
    store: CachedOnlineStore, far: FarStore, bus: Bus, read: Read
) -> None:
    read(store)
    far.put([NEW])
    bus.told("B")
    assert store.held("A", VIEW) == OLD

    bus.told("B", "A")

    assert store.held("A", VIEW) is None
    assert read(store) == NEW


@BOTH
def test_a_read_that_began_before_a_replacement_is_not_held(
    store: CachedOnlineStore, far: FarStore, bus: Bus, read: Read
) -> None:
    far.meanwhile = lambda: (far.put([NEW]), bus.told("A"))[0]

    assert read(store) == OLD

    assert store.held("A", VIEW) is None
    far.meanwhile = lambda: None
    assert read(store) == NEW
    assert store.held("A", VIEW) == NEW


def test_a_slow_reader_does_not_hold_what_a_later_one_knows_is_old(
    store: CachedOnlineStore, far: FarStore, bus: Bus
) -> None:
    """The first read is out while a replacement is told and a second reads and holds the new."""

    def meanwhile() -> None:
        far.meanwhile = lambda: None
        far.put([NEW])
        bus.told("A")
        assert by_get_many(store) == NEW

    far.meanwhile = meanwhile

    assert by_get_many(store) == OLD
    assert store.held("A", VIEW) == NEW


@BOTH
@pytest.mark.parametrize("mended", [False, True])
def test_a_read_during_which_the_link_was_lost_is_not_held(
    store: CachedOnlineStore, far: FarStore, bus: Bus, read: Read, *, mended: bool
) -> None:
    def meanwhile() -> None:
        bus.link(up=False)
        far.put([NEW])
        if mended:
            bus.link(up=True)

    far.meanwhile = meanwhile

    assert read(store) == OLD
    assert store.held("A", VIEW) is None


def test_while_nothing_is_heard_what_is_held_stays_and_says_so(
    store: CachedOnlineStore, far: FarStore, bus: Bus, time: Time
) -> None:
    by_get_many(store)
    assert store.away() is None

    bus.link(up=False)
    far.put([NEW, replace(NEW, symbol="B")])
    time.now = 1e6

    assert store.held("A", VIEW) == OLD
    assert "may have been replaced" in (store.away() or "")
    assert store.get_many(["B"], VIEW) == [replace(NEW, symbol="B")]
    assert store.held("B", VIEW) is None

    bus.link(up=True)

    assert store.away() is None
    assert store.held("A", VIEW) is None
    assert by_get_many(store) == NEW


def test_nothing_is_held_before_the_first_word_of_the_bus(far: FarStore, bus: Bus) -> None:
    store = CachedOnlineStore(far, bus)

    assert by_get_many(store) == OLD
    assert store.held("A", VIEW) is None
    assert store.away() is None


def test_what_nobody_speaks_of_is_read_again_in_the_end(
    store: CachedOnlineStore, far: FarStore, time: Time
) -> None:
    by_get_many(store)
    far.put([NEW])
    time.now = 59.9
    assert by_get_many(store) == OLD

    time.now = 60.0

    assert store.held("A", VIEW) is None
    assert by_get_many(store) == NEW
    assert store.census().held == 1


def test_a_message_nobody_can_read_empties_all(store: CachedOnlineStore, bus: Bus) -> None:
    by_get_many(store)

    bus.publish("features", b"\xff")

    assert store.held("A", VIEW) is None
    assert store.census().held == 0


def test_the_memory_is_bounded(store: CachedOnlineStore, far: FarStore) -> None:
    names = [f"S{i}" for i in range(25)]
    far.put([replace(OLD, symbol=name) for name in names])

    store.get_many(names, VIEW)

    assert store.census().held == 10
    assert [store.held(name, VIEW) is not None for name in names] == [False] * 15 + [True] * 10


def test_versions_of_one_symbol_are_held_and_dropped_together(
    store: CachedOnlineStore, far: FarStore, bus: Bus
) -> None:
    far.put([replace(OLD, view="w@1")])
    by_get_many(store)
    store.get_many(["A"], "w@1")
    assert store.census().held == 2

    bus.told("A")

    assert store.census().held == 0
    assert store.held("A", "w@1") is None


def test_what_is_put_here_is_read_here(store: CachedOnlineStore) -> None:
    by_get_many(store)

    store.put([NEW])

    assert by_get_many(store) == NEW


@BOTH
def test_a_read_that_fails_leaves_no_trace(
    store: CachedOnlineStore, far: FarStore, read: Read
) -> None:
    far.away_because = "gone"
    with pytest.raises(Unavailable):
        read(store)
    assert store.away() == "gone"

    far.away_because = None

    assert read(store) == OLD
    assert store.held("A", VIEW) == OLD


def test_under_fire_nothing_old_is_held(far: FarStore, bus: Bus) -> None:
    """Readers, writers and messages from threads: when all is quiet, memory and store agree."""
    store = CachedOnlineStore(far, bus)
    bus.link(up=True)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            store.get_many(["A", "B"], VIEW)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for day in range(1, 300):
        for symbol in "AB":
            far.put([replace(OLD, symbol=symbol, session=OLD.session + timedelta(days=day))])
            bus.told(symbol)
    stop.set()
    for reader in readers:
        reader.join()

    for symbol in "AB":
        assert store.held(symbol, VIEW) in {None, far.held(symbol, VIEW)}
        assert store.get_many([symbol], VIEW) == [far.held(symbol, VIEW)]
