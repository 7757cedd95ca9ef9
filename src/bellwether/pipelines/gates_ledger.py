"""What the ledger says of the audit and of the bars behind a release or a backtest."""

import json
from datetime import datetime

from bellwether.core.ports import Ports
from bellwether.evaluation.gate_conduct import data_quality, leak_audit
from bellwether.evaluation.gate_policy import Verdict


def audited(view: str, horizon: int, watermark: datetime, ports: Ports) -> Verdict:
    """Ask for the newest audit of a view and horizon at a state of the lake."""
    subject = f"{view} h={horizon}"
    row = ports.ledger.newest_audit(subject, watermark)
    if row is None:
        return leak_audit(None, 0, subject)
    return leak_audit(row.verdict, len(json.loads(row.report).get("alarms", ())), subject)


def inspected(watermark: datetime, ports: Ports) -> Verdict:
    """Ask for the newest inspection of the bars at a state of the lake."""
    rows = [r for r in ports.ledger.quality_reports() if r.watermark == watermark]
    if not rows:
        return data_quality(passed=None, share=None, bar=None)
    summary = json.loads(rows[-1].summary)
    share, bar = summary.get("share"), (summary.get("gate") or {}).get("bar")
    return data_quality(passed=rows[-1].verdict == "passed", share=share, bar=bar)
