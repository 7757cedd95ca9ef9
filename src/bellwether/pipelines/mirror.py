"""Push the runs of the ledger that the tracker does not have yet, so that people can look at them."""

from dataclasses import dataclass

from bellwether.core.errors import BellwetherError, Unavailable
from bellwether.core.ports import Ports, Progress, RunRow, quiet
from bellwether.inference.standing import REFUSED, UNASKED, standings
from bellwether.telemetry import MIRROR_FAILURES, MIRROR_PENDING, MIRROR_PUSHED

STEP = "Mirroring to MLflow"


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """Which runs were pushed, how many still wait, and why the first of them does."""

    mirrored: tuple[str, ...]
    waiting: int
    why: str | None

    def lines(self) -> list[str]:
        """Say it in words."""
        done = len(self.mirrored)
        head = f"{done} run{'' if done == 1 else 's'} mirrored to MLflow."
        return [head, *self.notes()]

    def notes(self) -> tuple[str, ...]:
        """Say what is not as it should be; nothing where all runs are mirrored."""
        if not self.waiting:
            return ()
        what = "1 run waits" if self.waiting == 1 else f"{self.waiting} runs wait"
        return (f"{what} to be mirrored ({self.why}); the next training or `mirror` tries again.",)


def run(ports: Ports, progress: Progress = quiet) -> MirrorReport:
    """Push every run not mirrored yet, oldest first, and note each in the ledger.

    A run that cannot be pushed is passed over and waits; once a server is found to be away, all
    that is left waits. Nothing is raised for either, because nothing that matters is lost.
    """
    waiting = ports.ledger.runs(unmirrored=True)
    held = _releases(ports) if waiting else {}
    mirrored: list[str] = []
    why: str | None = None
    for done, row in enumerate(waiting):
        progress(STEP, done, len(waiting))
        try:
            _push(row, held.get(row.run_id, []), ports)
            mirrored.append(row.run_id)
        except Unavailable as error:
            why = why or str(error)
            break
        except BellwetherError as error:
            why = why or f"run {row.run_id}: {error}"
    progress(STEP, len(waiting), len(waiting))
    left = len(waiting) - len(mirrored)
    MIRROR_PENDING.set(left)
    return MirrorReport(tuple(mirrored), left, why)


def _push(row: RunRow, releases: list[str], ports: Ports) -> None:
    with MIRROR_FAILURES.count_exceptions():
        ports.tracker.mirror(row, [ports.releases.load(release) for release in releases])
        ports.ledger.mark_mirrored(row.run_id)
    MIRROR_PUSHED.inc()


def _releases(ports: Ports) -> dict[str, list[str]]:
    """Return the releases of each run that go with it: what a gate refused is nobody's model."""
    by_run: dict[str, list[str]] = {}
    stand = standings(ports.ledger)
    for row in ports.ledger.releases():
        if stand.get(row.release_id, UNASKED).state == REFUSED:
            continue
        by_run.setdefault(row.run_id, []).append(row.release_id)
    return by_run
