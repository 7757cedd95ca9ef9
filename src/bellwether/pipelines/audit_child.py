"""The process that runs a user's view under audit: `python -m ... FOLDER hunt|cold`.

The folder holds job.json, bars.parquet, universe.parquet and labels.parquet; the answer is written
to answer.json there. What the view prints goes to standard error.
"""

import contextlib
import json
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bellwether.audit import worlds
from bellwether.audit.causal import THOROUGH, audit
from bellwether.audit.cells import differences, tidy
from bellwether.audit.chain import audit_chain
from bellwether.audit.found import Alarm, Findings, Note, Panel, Subject
from bellwether.audit.hunt import shown
from bellwether.audit.numbers import too_good
from bellwether.audit.outside import outside_knowledge
from bellwether.audit.warmup import warm_up
from bellwether.core.errors import BellwetherError, BrokenView
from bellwether.pipelines import view_file
from bellwether.pipelines.audit_report import told
from bellwether.pipelines.files_read import watched
from bellwether.pipelines.other_clock import far_away


def main(folder: Path, mode: str) -> None:
    """Do one job and write its answer."""
    job = json.loads((folder / "job.json").read_text())
    limit = job["memory_mb"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    panel = Panel(
        pl.read_parquet(folder / "bars.parquet"), pl.read_parquet(folder / "universe.parquet")
    )
    path = Path(job["view"])
    with contextlib.redirect_stdout(sys.stderr):
        try:
            found = (_hunted if mode == "hunt" else _cold)(path, panel, job, folder)
            answer: dict[str, Any] = told(found)
        except BrokenView as error:
            answer = {"broken": error.why, "trace": error.trace}
        except BellwetherError as error:
            answer = {"broken": f"cannot be used: {error}", "trace": ""}
        except MemoryError:
            answer = {"broken": f"needs more than {job['memory_mb']} MB of memory", "trace": ""}
    (folder / f"answer-{mode}.json").write_text(json.dumps(answer))


def _subject(path: Path, panel: Panel, **how: Any) -> Subject:
    return view_file.subject_of(view_file.load(path), panel, **how)


def _guarded(path: Path, subject: Subject, panel: Panel) -> pl.DataFrame:
    """Compute the whole panel once; what is raised here makes the view a broken one."""
    try:
        return tidy(subject.features(panel))
    except BellwetherError:
        raise
    except MemoryError:
        raise
    except BaseException as error:
        trace = view_file.tell(error, path)
        raise BrokenView(path.name, "raises on the bars it is given", trace) from error


def _hunted(path: Path, panel: Panel, job: dict[str, Any], folder: Path) -> Findings:
    opened = watched(folder)
    subject = _subject(path, panel)
    _guarded(path, subject, panel).write_parquet(folder / "full.parquet")
    ends = time.monotonic() + job["budget_s"]
    hunt = audit(subject, panel, job["seed"], THOROUGH, lambda: time.monotonic() > ends)
    try:
        hunt.found.add(audit_chain(subject, panel, hunt.full, hunt.rng))
    except BellwetherError:
        raise
    except Exception as error:
        trace = view_file.tell(error, path)
        raise BrokenView(path.name, "raises beside its features", trace) from error
    labels = pl.read_parquet(folder / "labels.parquet")
    suspected = hunt.full.drop(c for c in hunt.full.columns if c in hunt.blamed)
    if len(suspected.columns) > 2:  # noqa: PLR2004 - a feature beside the keys
        hunt.found.add(too_good(suspected, labels, hunt.rng, job["horizon"]))
    hunt.found.notes += warm_up(subject, panel, hunt.full)
    hunt.found.notes += outside_knowledge(subject, panel, hunt.full)
    if opened:
        said = f"The view reads {', '.join(sorted(opened)[:3])}: what is in files cannot be audited"
        hunt.found.notes.append(Note("files", "(all)", said))
    return hunt.found


def _cold(path: Path, panel: Panel, job: dict[str, Any], folder: Path) -> Findings:
    """Ask in a process that has seen nothing: first the past, then the whole, at another time."""
    full = pl.read_parquet(folder / "full.parquet")
    found = Findings()
    sessions = panel.bars["session"].unique().sort().to_list()
    rng = np.random.default_rng(job["seed"] + 1)  # noqa: TID251 - of the run's seed
    cuts = [sessions[int(x * (len(sessions) - 2))] for x in (0.55, 0.9, 0.3)]
    if job["clock"]:
        far_away()
    try:
        subject = _subject(path, panel, backwards=job["clock"])
    except BrokenView as error:  # it was whole in the first process
        found.notes.append(Note("fresh process", "(all)", f"could not be asked there: {error.why}"))
        return found
    for cut in cuts:
        world = worlds.FUTURES["cut" if cut != cuts[1] else "noise"](panel, cut, rng)
        _same(found, subject, world, full, cut, job)
    _same(found, subject, panel, full, sessions[-1], job)
    return found


def _same(
    found: Findings,
    subject: Subject,
    world: Panel,
    full: pl.DataFrame,
    cut: Any,
    job: dict[str, Any],
) -> None:
    check = "another clock" if job["clock"] else "fresh process"
    try:
        other = tidy(subject.features(world))
    except Exception as error:  # noqa: BLE001 - the view's own, told as what it is
        last = "".join(traceback.format_exception_only(error)).strip()
        found.notes.append(Note(check, "(all)", f"could not be computed up to {cut}: {last[:200]}"))
        return
    found.looked(check, other.height * (other.width - 2))
    for d in differences(full, other, cut, subject.tolerance):
        if d.feature in found.blamed():
            continue
        why = (
            "it keeps a state from one call to the next, reads the clock, or depends on the order "
            "of its calls"
        )
        said = (
            f"{d.feature} of {d.symbol} on {d.session} is {shown(d.other)} with what was known by "
            f"{cut} in a {'process at another time' if job['clock'] else 'fresh process'} and "
            f"{shown(d.known)} where the whole history had been seen: {why}"
        )
        found.alarms.append(
            Alarm(check, "state", d.feature, d.symbol, d.session, cut, d.other, d.known, said,
                  cells=d.cells)
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
