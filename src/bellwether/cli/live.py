"""Commands around live bars: who sends them, who works on them, and what waits."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import edge, ports, say, settings, tell

if TYPE_CHECKING:
    from bellwether.bootstrap import Wired
    from bellwether.core.ports import BarFeed

live = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SIGNS_PER_LEASE = 4


@live.command("publish")
def publish(
    path: Annotated[Path, typer.Option(help="CSV or Parquet file, or folder, of bars.")],
    source: Annotated[str, typer.Option("--as", help="Who tells these bars.")] = "live",
    as_json: Json = False,
) -> None:
    """Send the bars of files to the feed, session by session, as a vendor's connector would.

    Example: bellwether live publish --path today.csv --as vendor
    """
    with edge(as_json=as_json), ports() as wired:
        from bellwether.pipelines import live as work

        done = work.publish(str(path), source, wired.ports, _feed_of(wired))
        refused = [f"{r.location}: {r.detail}" for r in done.rejections]
        if as_json:
            tell({"sent": done.sent, "rejected": refused})
            return
        say(f"{done.sent:,} bars sent, {len(refused):,} rejected")
        for line in refused[:12]:
            say(f"  {line}")


@live.command("consume")
def consume(
    name: Annotated[str | None, typer.Option(help="This consumer's name in the log.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Bars that go to the lake together.")] = 1000,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port.", min=1, max=65535)
    ] = None,
) -> None:
    """Bring live bars into the lake and their features to the online store, until stopped.

    Start as many as you like: each works on its share of the symbols.

    Example: bellwether live consume --name live-1
    """
    with edge():
        import socket

        import uuid_utils

        from bellwether import telemetry
        from bellwether.cli.frame import patiently
        from bellwether.pipelines.live import LiveConsumer

        chosen = settings()
        telemetry.configure(chosen.log_format, secrets=chosen.secrets)
        if metrics_port is not None:
            telemetry.serve_metrics(metrics_port, chosen.host)
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: stopped.set())
        who = f"{name or socket.gethostname()}-{uuid_utils.uuid4().hex[:8]}"
        with patiently(stopped) as wired:
            feed = _feed_of(wired)
            every_s = chosen.live_lease_s / SIGNS_PER_LEASE
            consumer = LiveConsumer(wired.ports, feed, who, every_s, batch)
            say(f"consuming as {who}")
            done = consumer.run(stopped.is_set, stopped.wait)
        say(
            f"stopped; {done.accepted:,} bars accepted, {done.rejected:,} rejected, "
            f"{done.vectors:,} vectors"
        )


@live.command("status")
def status(as_json: Json = False) -> None:
    """Say what waits in the feed, and who works on it.

    Example: bellwether live status --json
    """
    with edge(as_json=as_json), ports() as wired:
        from dataclasses import asdict

        states = _feed_of(wired).states()
        waiting = sum(state.waiting for state in states)
        if as_json:
            tell({"waiting": waiting, "shards": [asdict(state) for state in states]})
            return
        holders = sorted({state.holder for state in states if state.holder is not None})
        say(f"{waiting:,} bars wait; {len(holders)} consumers: {', '.join(holders) or 'none'}")
        for state in states:
            if state.waiting:
                say(f"  shard {state.shard}: {state.waiting:,} wait, held by {state.holder}")


def _feed_of(wired: "Wired") -> "BarFeed":
    from bellwether.core.errors import ConfigError

    if wired.ports.feed is None:
        raise ConfigError("redis_url", "live bars travel through a Redis server; set its address.")
    return wired.ports.feed
