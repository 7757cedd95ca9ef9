"""Puts what the platform's own record says into gauges, whichever process did the work."""

import json
from contextlib import suppress

from bellwether.core.errors import StorageError
from bellwether.core.ports import Ports
from bellwether.core.schemas import FLAG_KINDS
from bellwether.telemetry import (
    LAKE_WATERMARK,
    MIRROR_PENDING,
    NEWEST_SESSION,
    QUALITY_FLAGS,
    QUALITY_SHARE,
    QUARANTINED_ROWS,
)


class RecordGauges:
    """Looks at the ledger; at the quarantine only after an ingestion."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._ingestions = 0
        self._inspected = ""
        self._kinds = set(FLAG_KINDS)

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
        self._quality()

    def _quality(self) -> None:
        newest = self._ports.ledger.newest_quality()
        if newest is None or newest.report_id == self._inspected:
            return
        summary = json.loads(newest.summary)
        QUALITY_SHARE.set(summary["share"])
        counts = summary["counts"]
        self._kinds |= counts.keys()
        for kind in self._kinds:  # workers share files: what is gone has to be set to none
            QUALITY_FLAGS.labels(kind).set(counts.get(kind, 0))
        self._inspected = newest.report_id
