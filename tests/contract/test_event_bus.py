"""Every event bus keeps the one contract."""

import threading
from collections.abc import Iterator

import pytest
from tests import servers
from tests.waiting import until

from bellwether.core.ports import EventBus
from bellwether.events.inprocess import InProcessBus
from bellwether.events.redis_bus import RedisBus
from bellwether.links.redis import RedisLink


class Ear:
    """Remembers what it heard."""

    def __init__(self, bus: EventBus, topic: str = "features") -> None:
        self.heard: list[bytes] = []
        self.links: list[bool] = []
        bus.subscribe(topic, self.heard.append, self.links.append)
        until(lambda: self.links, "the subscription")


@pytest.fixture(params=["in-process", "redis"])
def bus(request: pytest.FixtureRequest, redis_server: servers.Redis) -> Iterator[EventBus]:
    link = RedisLink(redis_server.url, timeout_s=5.0)
    made: EventBus = RedisBus(link) if request.param == "redis" else InProcessBus()
    yield made
    made.close()
    link.close()


def test_every_listener_hears_every_message_in_order(bus: EventBus) -> None:
    first, second = Ear(bus), Ear(bus)
    sent = [bytes([i]) * i for i in range(200)]

    for payload in sent:
        bus.publish("features", payload)

    until(lambda: len(second.heard) >= 200)
    assert first.heard == second.heard == sent
    assert first.links == second.links == [True]


def test_topics_are_apart(bus: EventBus) -> None:
    one, other = Ear(bus, "one"), Ear(bus, "other")

    bus.publish("other", b"b")
    bus.publish("one", b"a")
    bus.publish("nobody listens", b"c")

    until(lambda: one.heard and other.heard)
    assert (one.heard, other.heard) == ([b"a"], [b"b"])


def test_nothing_is_kept_for_who_comes_later(bus: EventBus) -> None:
    Ear(bus)
    bus.publish("features", b"early")
    late = Ear(bus)

    bus.publish("features", b"late")

    until(lambda: late.heard)
    assert late.heard == [b"late"]


@pytest.mark.parametrize("payload", [b"", b"\x00\xff\r\n", b"x" * 1_000_000])
def test_any_bytes_pass(bus: EventBus, payload: bytes) -> None:
    ear = Ear(bus)

    bus.publish("features", payload)

    until(lambda: ear.heard)
    assert ear.heard == [payload]


def test_a_listener_that_fails_deafens_no_other(bus: EventBus) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a listener's own fault")

    bus.subscribe("features", fail, fail)
    ear = Ear(bus)

    bus.publish("features", b"1")
    bus.publish("features", b"2")

    until(lambda: len(ear.heard) == 2)
    assert ear.heard == [b"1", b"2"]


def test_a_listener_may_publish(bus: EventBus) -> None:
    answers = Ear(bus, "answers")
    bus.subscribe("questions", lambda p: bus.publish("answers", p + b"!"), lambda _: None)
    Ear(bus, "questions")

    bus.publish("questions", b"why")

    until(lambda: answers.heard)
    assert answers.heard == [b"why!"]


def test_many_threads_may_publish(bus: EventBus) -> None:
    ear = Ear(bus)

    def publish(n: int) -> None:
        for i in range(50):
            bus.publish("features", f"{n}.{i}".encode())

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: len(ear.heard) == 200)
    assert sorted(ear.heard) == sorted(f"{n}.{i}".encode() for n in range(4) for i in range(50))


def test_a_closed_bus_is_silent(bus: EventBus) -> None:
    ear = Ear(bus)

    bus.close()
    bus.close()
    bus.publish("features", b"late")

    assert ear.heard == []
    assert "event bus" not in {thread.name for thread in threading.enumerate()}
