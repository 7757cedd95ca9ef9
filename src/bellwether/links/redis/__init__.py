"""One Redis for all its users in a process: its clients, its breaker, and what counts as away."""

from bellwether.links.redis.link import AWAY, OTHER, SERVER, RedisLink, Script
from bellwether.links.redis.readers import Reader

__all__ = ["AWAY", "OTHER", "SERVER", "Reader", "RedisLink", "Script"]
