"""The link: what all users of one Redis share.

Nothing connects before it is used. No call waits much longer than `timeout_s`, and only a lost
connection is tried again, once: a server that is slow is not asked twice. Notices of planned
maintenance are switched off, because on receiving one the library would stretch its deadlines.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import parse_url
from redis.exceptions import (
    AskError,
    ChildDeadlockedError,
    ClusterError,
    IncorrectPolicyType,
    NoScriptError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from bellwether.core.errors import ConfigError, StorageError
from bellwether.links.breaker import Breaker
from bellwether.links.redis.readers import ClusterReader, NodeReader, Reader

SERVER = "redis"
HEALTH_CHECK_S = 15
AWAY: tuple[type[Exception], ...] = (
    redis.ConnectionError,  # among them: loading its data, wrong password, no connection left
    redis.TimeoutError,
    OSError,
    ReadOnlyError,  # a replica, after a failover
    ClusterError,  # the cluster is down
    RedisClusterException,  # no node can be reached, or a slot is served by none
    AskError,  # slots are moving
    TryAgainError,
)
OTHER: tuple[type[Exception], ...] = (redis.RedisError, ChildDeadlockedError, IncorrectPolicyType)


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua program that Redis runs as one step, called by the hash of its text."""

    source: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


class RedisLink:
    """What all users of one Redis share.

    Parameters
    ----------
    url
        redis://, rediss:// or unix://.
    cluster
        Whether that is a node of a Redis Cluster.
    timeout_s
        Seconds that connecting, and each answer, may take.

    Raises
    ------
    ConfigError
        If `url` cannot be used.
    """

    def __init__(self, url: str, *, cluster: bool = False, timeout_s: float = 0.25) -> None:
        self.timeout_s = timeout_s
        self.cluster = cluster
        self.breaker = Breaker(SERVER, AWAY)
        self._url = url
        self._connecting = threading.Lock()
        self._options: dict[str, Any] = {
            "protocol": 3,
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            "decode_responses": False,
            "driver_info": None,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        }
        _check(url, self._options, cluster=cluster)
        self._client: redis.Redis | None = None if cluster else self._single()

    def _single(self) -> redis.Redis:
        once = Retry(NoBackoff(), 1, (redis.ConnectionError,))
        return redis.Redis.from_url(
            self._url, retry=once, health_check_interval=HEALTH_CHECK_S, **self._options
        )

    def ping(self) -> None:
        """Ask for a sign of life.

        Raises
        ------
        Unavailable
            If there is none.
        """
        with self.guard():
            self.client().ping()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Guard calls by the breaker, and raise every error of the library as one of ours.

        Raises
        ------
        Unavailable
            If Redis is away, or was a moment ago.
        StorageError
            If Redis answered that it will not do what was asked.
        """
        try:
            with self.breaker.guard():
                yield
        except OTHER as error:
            raise StorageError(SERVER, str(error) or type(error).__name__) from error

    def client(self) -> redis.Redis:
        """Return the blocking client; a cluster's is made, and so connected, at its first use."""
        if self._client is None:
            if not self._connecting.acquire(timeout=self.timeout_s):
                raise redis.TimeoutError("another thread is still connecting to the cluster")
            try:
                if self._client is None:
                    self._client = self._cluster()
            finally:
                self._connecting.release()
        return self._client

    def _cluster(self) -> redis.Redis:
        once = Retry(NoBackoff(), 1)
        # It takes the same commands by the same names, though it shares no base class.
        return cast("redis.Redis", RedisCluster.from_url(self._url, retry=once, **self._options))

    def run(self, script: Script, keys: Sequence[bytes], *values: bytes | float) -> Any:
        """Run `script`; a server that does not know it, or forgot it, is sent its text."""
        client = self.client()
        arguments = cast("list[str]", [*keys, *values])  # the library's types know text only
        try:
            return client.evalsha(script.sha, len(keys), *arguments)
        except NoScriptError:
            return client.eval(script.source, len(keys), *arguments)

    def pool(self, key: bytes) -> redis.ConnectionPool:
        """Return the connections to the server that keeps `key`."""
        client: Any = self.client()
        node = client.get_node_from_key(key).redis_connection if self.cluster else client
        return cast("redis.ConnectionPool", node.connection_pool)

    def own_connection(self, key: bytes) -> Any:
        """Return a new connection, in no pool, to the server that keeps `key`; not connected."""
        pool = self.pool(key)
        options = {**pool.connection_kwargs, "retry": None, "health_check_interval": 0}
        return pool.connection_class(**options)

    def reader(self) -> Reader:
        """Return a reader for the running event loop; not connected yet."""
        if self.cluster:
            return ClusterReader(self._url, self._options, self.timeout_s)
        return NodeReader(self._url, self._options, self.timeout_s)

    def close(self) -> None:
        """Close what is open."""
        with suppress(*AWAY):
            if self._client is not None:
                self._client.close()


def _check(url: str, options: dict[str, Any], *, cluster: bool) -> None:
    try:
        told = parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:  # whose text may quote a piece of a password
        why = "it must be redis://, rediss:// or unix://, with percent-encoded names and passwords"
        raise ConfigError("redis_url", why) from None
    ours = sorted({*options, "retry", "health_check_interval"} & {*told})
    if ours:
        raise ConfigError("redis_url", f"{', '.join(ours)} cannot be chosen in the address")
    if cluster and ("path" in told or told.get("db")):
        raise ConfigError("redis_url", "a cluster has no socket file and only database 0")
