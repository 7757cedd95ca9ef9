"""Puts what the platform's own record says into gauges, whichever process did the work."""

from contextlib import suppress

from bellwether.core.errors import StorageError
from bellwether.core.ports import Ports
from bellwether.telemetry import LAKE_WATERMARK, MIRROR_PENDING, NEWEST_SESSION, QUARANTINED_ROWS


class RecordGauges:
    """Looks at the ledger; at the quarantine only after an ingestion."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._ingestions = 0

    def measure(self) -> None:
        """Look once."""
        ledger = self._ports.ledger
        told = ledger.ingestions()
        if len(told) != self._ingestions:
            with suppress(StorageError):  # a lake that is away is named by health, not here
                QUARANTINED_ROWS.set(self._ports.lake.quarantine().height)
                self._ingestions = len(told)
        changed = [row.watermark for row in told if row.added or row.revised]
        if changed:
            LAKE_WATERMARK.set(max(changed).timestamp())
        sessions = [row.last_session for row in told if row.last_session]
        if sessions:
            NEWEST_SESSION.set(self._ports.calendar.close_of(max(sessions)).timestamp())
        MIRROR_PENDING.set(len(ledger.runs(unmirrored=True)))
