"""Every request queue keeps the one contract."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests import servers
from tests.fakes import MemoryQueue
from tests.waiting import until

from bellwether.core.errors import Overloaded
from bellwether.core.ports import RequestQueue
from bellwether.core.types import DeadLetter, QueueCounts, QueuedRequest
from bellwether.events.redis_queue import RedisRequestQueue
from bellwether.links.redis import RedisLink

Make = Callable[..., RequestQueue]
NOW = datetime(2024, 1, 2, 21, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest, redis_server: servers.Redis) -> Iterator[Make]:
    """Build queues with an empty store under them."""
    link = RedisLink(redis_server.url, timeout_s=5.0)

    def memory(capacity: int = 100, visibility_s: float = 60.0) -> RequestQueue:
        return MemoryQueue(capacity, visibility_s)

    def real(capacity: int = 100, visibility_s: float = 60.0) -> RequestQueue:
        with redis.Redis(port=redis_server.port) as client:
            client.flushall()
        return RedisRequestQueue(link, capacity=capacity, visibility_s=visibility_s)

    yield real if request.param == "redis" else memory
    link.close()


def ids(requests: list[QueuedRequest]) -> list[str]:
    return [request.request_id for request in requests]


def test_requests_come_in_the_order_they_were_asked(make: Make) -> None:
    queue = make()
    for i in range(5):
        queue.submit(f"r{i}", bytes([i, 0, 255]))

    first = queue.take("a", 2, 0)
    rest = queue.take("b", 10, 0)

    assert ids(first) == ["r0", "r1"]
    assert [(r.request_id, r.body, r.deliveries) for r in rest] == [
        (f"r{i}", bytes([i, 0, 255]), 1) for i in (2, 3, 4)
    ]
    assert queue.take("a", 10, 0) == []
    assert queue.counts() == QueueCounts(0, 5, 0)


def test_a_request_waits_until_it_is_done(make: Make) -> None:
    queue = make()
    assert not queue.is_waiting("r")
    queue.submit("r", b"x")
    assert queue.is_waiting("r")

    (taken,) = queue.take("a", 1, 0)
    assert queue.is_waiting("r")
    queue.done(taken)
    queue.done(taken)

    assert not queue.is_waiting("r")
    assert queue.counts() == QueueCounts(0, 0, 0)


def test_the_same_request_is_kept_once(make: Make) -> None:
    queue = make()
    queue.submit("r", b"first")
    queue.submit("r", b"second")
    (taken,) = queue.take("a", 10, 0)
    queue.submit("r", b"third")

    assert taken.body == b"first"
    assert queue.counts() == QueueCounts(0, 1, 0)


def test_a_full_queue_says_so_and_takes_what_it_has_already(make: Make) -> None:
    queue = make(capacity=2)
    queue.submit("r0", b"")
    queue.submit("r1", b"")

    queue.submit("r1", b"")
    with pytest.raises(Overloaded) as told:
        queue.submit("r2", b"")

    assert told.value.waiting == 2
    assert not queue.is_waiting("r2")
    queue.done(queue.take("a", 1, 0)[0])
    queue.submit("r2", b"")
    assert queue.is_waiting("r2")


def test_what_was_left_behind_goes_to_another_before_what_is_new(make: Make) -> None:
    queue = make(visibility_s=0.05)
    queue.submit("left", b"x")
    (lost,) = queue.take("died", 1, 0)
    queue.submit("new", b"y")

    again: list[QueuedRequest] = []
    until(lambda: again.extend(queue.take("b", 1, 0)) or "left" in ids(again))

    assert again[-1] == QueuedRequest("left", b"x", 2, lost.token)
    queue.done(again[-1])
    assert not queue.is_waiting("left")


def test_many_left_behind_are_all_found(make: Make) -> None:
    queue = make(visibility_s=0.02)
    for i in range(60):
        queue.submit(f"r{i:02}", b"")
    assert len(queue.take("died", 60, 0)) == 60

    found: list[QueuedRequest] = []

    def all_again() -> bool:
        for request in queue.take("b", 7, 0):
            found.append(request)
            queue.done(request)
        return len(found) == 60

    until(all_again)
    assert sorted(ids(found)) == [f"r{i:02}" for i in range(60)]
    assert {request.deliveries for request in found} >= {2}


def test_what_was_left_behind_is_found_behind_what_is_worked_on(make: Make) -> None:
    queue = make(visibility_s=0.5)
    for i in range(41):
        queue.submit(f"r{i:02}", b"")
    queue.take("died", 41, 0)
    until(lambda: queue.take("busy", 40, 0))

    assert ids(queue.take("b", 1, 0)) == ["r40"]


def test_who_waits_is_given_what_comes(make: Make) -> None:
    queue = make()
    found: list[QueuedRequest] = []
    thread = threading.Thread(target=lambda: found.extend(queue.take("a", 5, 10)))
    thread.start()

    queue.submit("r", b"x")
    thread.join(10)

    assert ids(found) == ["r"]


def test_who_waits_is_given_what_was_left_behind(make: Make) -> None:
    queue = make(visibility_s=0.05)
    queue.submit("r", b"x")
    queue.take("died", 1, 0)

    assert ids(queue.take("b", 1, 10)) == ["r"]


@pytest.mark.parametrize("limit", [0, -1])
def test_nothing_asked_is_nothing_taken(make: Make, limit: int) -> None:
    queue = make()
    queue.submit("r", b"")

    assert queue.take("a", limit, 10) == []
    assert queue.counts().waiting == 1


def test_a_buried_request_is_a_dead_letter_until_it_is_revived(make: Make) -> None:
    queue = make()
    queue.submit("r", b"\x00x")
    (taken,) = queue.take("a", 1, 0)

    queue.bury(taken, "it cannot be answered: ünlucky", NOW)
    queue.bury(taken, "twice", NOW)
    queue.submit("r", b"again")

    letter = DeadLetter("r", b"\x00x", "it cannot be answered: ünlucky", NOW)
    assert queue.dead() == queue.dead("r") == [letter]
    assert not queue.is_waiting("r")
    assert queue.counts() == QueueCounts(0, 0, 1)
    assert queue.revive("r")
    assert not queue.revive("r")
    assert queue.dead("r") == []
    assert [(r.body, r.deliveries) for r in queue.take("b", 1, 0)] == [(b"\x00x", 1)]


def test_the_dead_are_listed_newest_first(make: Make) -> None:
    queue = make()
    for i in range(5):
        queue.submit(f"r{i}", b"")
    for i, request in enumerate(queue.take("a", 5, 0)):
        queue.bury(request, "why", NOW + timedelta(microseconds=i))

    assert [d.request_id for d in queue.dead(limit=3)] == ["r4", "r3", "r2"]
    assert [d.died_at - NOW for d in queue.dead("r4")] == [timedelta(microseconds=4)]
    assert queue.dead(limit=0) == queue.dead("nobody") == []


def test_an_answer_that_comes_late_takes_nothing_newer_away(make: Make) -> None:
    queue = make()
    queue.submit("r", b"x")
    (old,) = queue.take("a", 1, 0)
    queue.bury(old, "too slow", NOW)
    queue.revive("r")

    queue.done(old)

    assert queue.is_waiting("r")
    assert ids(queue.take("b", 1, 0)) == ["r"]


def test_workers_at_the_same_time_share_the_work(make: Make) -> None:
    queue = make(capacity=500)
    for i in range(200):
        queue.submit(f"r{i}", b"")
    answered: list[str] = []
    one_at_a_time = threading.Lock()  # the plain fake has none of its own

    def work(name: str) -> None:
        while True:
            with one_at_a_time:
                taken = queue.take(name, 3, 0)
            if not taken:
                return
            for request in taken:
                answered.append(request.request_id)
                with one_at_a_time:
                    queue.done(request)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answered) == sorted(f"r{i}" for i in range(200))
    assert queue.counts() == QueueCounts(0, 0, 0)


class Both(RuleBasedStateMachine):
    """The plain queue and the real one, side by side."""

    link: RedisLink
    port: int

    def __init__(self) -> None:
        super().__init__()
        with redis.Redis(port=self.port) as client:
            client.flushall()
        self.queues = (MemoryQueue(3, 60), RedisRequestQueue(self.link, capacity=3))
        self.taken: list[tuple[QueuedRequest, ...]] = []
        self.now = NOW

    def same(self, act: Callable[[RequestQueue], object]) -> None:
        plain, real = (outcome(act, queue) for queue in self.queues)
        assert plain == real

    @rule(name=st.sampled_from("abcde"))
    def submit(self, name: str) -> None:
        self.same(lambda queue: queue.submit(name, name.encode()))

    @rule(limit=st.integers(1, 2))
    def take(self, limit: int) -> None:
        plain, real = (queue.take("w", limit, 0) for queue in self.queues)
        assert [(r.request_id, r.body, r.deliveries) for r in plain] == [
            (r.request_id, r.body, r.deliveries) for r in real
        ]
        self.taken += zip(plain, real, strict=True)

    @rule(which=st.integers(0, 9))
    def done(self, which: int) -> None:
        for queue, request in zip(self.queues, self.pick(which), strict=False):
            queue.done(request)

    @rule(which=st.integers(0, 9))
    def bury(self, which: int) -> None:
        self.now += timedelta(seconds=1)
        for queue, request in zip(self.queues, self.pick(which), strict=False):
            queue.bury(request, "why", self.now)

    @rule(name=st.sampled_from("abcde"))
    def revive(self, name: str) -> None:
        self.same(lambda queue: queue.revive(name))

    @invariant()
    def both_say_the_same(self) -> None:
        self.same(lambda queue: (queue.counts(), queue.dead(), queue.dead("a")))
        self.same(lambda queue: [queue.is_waiting(name) for name in "abcde"])

    def pick(self, which: int) -> tuple[QueuedRequest, ...]:
        return self.taken[which % len(self.taken)] if self.taken else ()


def test_redis_does_what_the_plain_queue_does(redis_server: servers.Redis) -> None:
    """Any sequence of steps has the same outcome in both."""
    link = RedisLink(redis_server.url, timeout_s=5.0)
    machine = type("Machine", (Both,), {"link": link, "port": redis_server.port})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30, stateful_step_count=20, suppress_health_check=list(HealthCheck)
        ),
    )
    link.close()


def outcome(act: Callable[[RequestQueue], object], queue: RequestQueue) -> object:
    try:
        return act(queue)
    except Overloaded as error:
        return type(error), error.waiting
