"""Live bars on their way, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FedBar:
    """One message of the feed of live bars: its place in a shard, and what was sent."""

    shard: int
    place: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ShardState:
    """One shard of the feed: bars that wait, and who works on it (None: nobody)."""

    shard: int
    waiting: int
    holder: str | None
