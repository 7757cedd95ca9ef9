"""One Redis for all its users in a process: its clients, its breaker, and what counts as away."""

from bellwether.redis_link.link import AWAY, OTHER, SERVER, RedisLink, Script
from bellwether.redis_link.readers import Reader

__all__ = ["AWAY", "OTHER", "SERVER", "Reader", "RedisLink", "Script"]
