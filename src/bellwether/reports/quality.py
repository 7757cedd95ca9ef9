"""The page of a quality report: one file, no address outside it, light and dark, fit to print."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from bellwether.reports import charts
from bellwether.reports.markup import Html, fill, joined, template, text_of
from bellwether.reports.words import count

PACKAGE = "bellwether.reports"
ROWS = 2_000
REJECTED_ROWS = 500
CHIPS = 5
Told = Mapping[str, Any]

_NONE = Html('<p class="empty">Nothing was flagged.</p>')
_HEAD = (
    "<thead><tr><th>Symbol</th><th>Session</th><th>Severity</th><th>Kind</th><th>Field</th>"
    "<th>Score</th><th>Source</th><th>Why</th></tr></thead>"
)


def page(report: Told, drawn: Sequence[Told]) -> Html:
    """Render a report.

    Parameters
    ----------
    report : mapping
        `QualityReport.as_json()`: flags worst first.
    drawn : sequence of mapping
        symbol, sessions and closes (USD, on the share basis of the last session) of the symbols
        that get a picture.
    """
    kinds = _by_kind(report)
    gate = report["gate"]
    style = text_of(PACKAGE, "static/base.css") + text_of(PACKAGE, "static/report.css")
    return template(
        PACKAGE,
        "quality.html",
        style=Html(style),
        script=Html(text_of(PACKAGE, "static/report.js")),
        as_of=report["as_of"],
        sources=", ".join(report["sources"]) or "none",
        watermark=str(report["watermark"] or "none")[:16].replace("T", " "),
        headline=f"{share(report['share'])} of {report['judged']:,} sessions without fault",
        tone="pass" if gate["passed"] else "fail",
        verdict=f"gate {report['verdict']}",
        reading=_reading(gate),
        failing=_failing(gate),
        tiles=_tiles(report),
        kinds=_kinds(kinds),
        shades=_shades(),
        years=charts.heat_map(_by_year(report), list(kinds)),
        worst=_worst(report, drawn),
        cut=_cut(len(report["flags"]), ROWS),
        flags=_flags(report["flags"], sorted({f["kind"] for f in report["flags"]})),
        rejected=_rejected(report["rejected"]),
        **_policy(report["policy"]),
    )


def share(value: float) -> str:
    """Write a share so that what is not all never reads as 100 %."""
    text = f"{value:.2%}"
    return "99.99%" if value < 1.0 and text == "100.00%" else text


def _reading(gate: Told) -> str:
    bar = share(gate["bar"])
    if gate["passed"]:
        return f"Each symbol, and all together, have at least {bar} of their sessions without fault: models may be trained on them."
    return f"The gate refuses to train on these bars. It passes when {gate['passes_when']}."


def _failing(gate: Told) -> Html:
    if not gate["failing"]:
        return Html("")
    rows = [
        fill(
            "<li><b>$symbol</b> $share: $kinds</li>",
            symbol=s["symbol"],
            share=share(s["share"]),
            kinds=", ".join(f"{n:,} {_words(k)}" for k, n in s["faults"].items()),
        )
        for s in gate["failing"][:10]
    ]
    more = len(gate["failing"]) - len(rows)
    tail = fill("<li>and $n more</li>", n=more) if more > 0 else Html("")
    return fill("<ul>$rows$tail</ul>", rows=joined(rows), tail=tail)


def _tiles(report: Told) -> Html:
    levels = report["severities"]
    tiles = [
        ("Bars", count(report["bars"]), ""),
        ("Symbols", count(len(report["symbols"])), ""),
        ("Sessions with a fault", count(report["faulty"]), ""),
        ("Faults", count(levels["fault"]), "fault"),
        ("Suspects", count(levels["suspect"]), "suspect"),
        ("Notes", count(levels["note"]), "note"),
        ("Rejected rows", count(len(report["rejected"])), "rejected"),
    ]
    return joined(
        fill(
            '<div class="tile"><dt>$swatch$name</dt><dd>$value</dd></div>',
            swatch=fill('<span class="swatch $tone"></span>', tone=tone) if tone else Html(""),
            name=name,
            value=value,
        )
        for name, value, tone in tiles
    )


def _by_kind(report: Told) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for flag in report["flags"]:
        found[flag["kind"]][flag["severity"]] += 1
    for row in report["rejected"]:
        found[row["kind"]]["rejected"] += 1
    return dict(sorted(found.items(), key=lambda item: (-item[1].total(), item[0])))


def _kinds(kinds: Mapping[str, Counter[str]]) -> Html:
    if not kinds:
        return _NONE
    most = max(n.total() for n in kinds.values())
    rows = joined(
        fill(
            '<span>$kind</span><span title="$title">$bar</span><b>$n</b>',
            kind=_words(kind),
            title=", ".join(f"{n[level]:,} {level}" for level in charts.LEVELS if n[level]),
            bar=charts.stacked(n, most),
            n=count(n.total()),
        )
        for kind, n in kinds.items()
    )
    return fill('<div class="kinds panel">$rows</div>', rows=rows)


def _by_year(report: Told) -> Counter[tuple[str, int]]:
    told = [*report["flags"], *report["rejected"]]
    return Counter((f["kind"], int(f["session"][:4])) for f in told if f["session"])


def _shades() -> Html:
    words = ("1", "10", "100", "1,000")
    return joined(
        fill('<span class="shade h$i"></span> from $n', i=i + 1, n=n) for i, n in enumerate(words)
    )


def _worst(report: Told, drawn: Sequence[Told]) -> Html:
    flags: dict[str, list[Told]] = defaultdict(list)
    for flag in report["flags"]:
        flags[flag["symbol"]].append(flag)
    about = {s["symbol"]: s for s in report["symbols"]}
    cards = [_card(d, about[d["symbol"]], flags[d["symbol"]]) for d in drawn]
    if not cards:
        return Html('<p class="empty">No symbol has a fault or a suspect.</p>')
    return fill('<div class="worst">$cards</div>', cards=joined(cards))


def _card(drawn: Told, about: Told, flags: Sequence[Told]) -> Html:
    marks = [
        charts.Mark(f["session"], f["severity"], f"{_words(f['kind'])}: {f['detail']}")
        for f in flags
    ]
    kinds = list(about["counts"].items())
    chips = [
        fill('<span class="chip">$n $kind</span>', n=count(n), kind=_words(k))
        for k, n in kinds[:CHIPS]
    ]
    if len(kinds) > CHIPS:
        chips.append(fill('<span class="chip">$n more kinds</span>', n=len(kinds) - CHIPS))
    return fill(
        '<article class="card"><header><h3>$symbol</h3><p class="note">$share of $n without fault'
        '</p></header>$chart<p class="chips">$chips</p></article>',
        symbol=drawn["symbol"],
        share=share(about["share"]),
        n=count(about["judged"]),
        chart=charts.price([str(d) for d in drawn["sessions"]], drawn["closes"], marks),
        chips=joined(chips),
    )


def _cut(n: int, most: int) -> str:
    if n <= most:
        return "Worst first."
    return f"The {most:,} worst of {n:,}, worst first; all of them: bellwether quality --json."


def _flags(flags: Sequence[Told], kinds: Sequence[str]) -> Html:
    if not flags:
        return _NONE
    options = joined(
        fill('<option value="$kind">$words</option>', kind=k, words=_words(k)) for k in kinds
    )
    form = fill(
        '<form class="filters"><input name="text" type="search" aria-label="Filter" '
        'placeholder="Filter: symbol, day, word">'
        '<select name="level" aria-label="Severity"><option value="">every severity</option>'
        "<option>fault</option><option>suspect</option><option>note</option></select>"
        '<select name="kind" aria-label="Kind"><option value="">every kind</option>$options'
        "</select><output></output></form>",
        options=options,
    )
    return fill(
        '$form<div class="scroll tall" tabindex="0" role="region" aria-labelledby="all">'
        '<table class="compact flags" id="flags">$head<tbody>$rows</tbody></table></div>',
        form=form,
        head=Html(_HEAD),
        rows=joined(_flag(f) for f in flags[:ROWS]),
    )


def _flag(f: Told) -> Html:
    return fill(
        '<tr data-level="$level" data-kind="$kind"><th scope="row">$symbol</th><td>$session</td>'
        '<td class="level $level">$level</td><td>$words</td><td>$field</td>'
        '<td class="score">$score</td><td>$source</td><td class="why">$why</td></tr>',
        level=f["severity"],
        kind=f["kind"],
        symbol=f["symbol"],
        session=f["session"],
        words=_words(f["kind"]),
        field=f["field"],
        score=f"{f['score']:,.1f}",
        source=f["source"],
        why=f["detail"],
    )


def _rejected(rows: Sequence[Told]) -> Html:
    if not rows:
        return Html("")
    body = joined(
        fill(
            '<tr><th scope="row">$place</th><td>$symbol</td><td>$session</td><td>$kind</td>'
            '<td>$counts</td><td class="why">$why</td></tr>',
            place=r["location"],
            symbol=r["symbol"] or "",
            session=r["session"] or "",
            kind=_words(r["kind"]),
            counts="no bar stands there" if r["counts"] else "",
            why=r["detail"],
        )
        for r in rows[:REJECTED_ROWS]
    )
    return fill(
        '<section aria-labelledby="refused"><div class="heading"><h2 id="refused">Rejected at the '
        'door</h2><p class="legend">$cut</p></div><div class="scroll tall" tabindex="0" '
        'role="region" aria-labelledby="refused"><table class="compact flags"><thead><tr>'
        "<th>Place</th><th>Symbol</th><th>Session</th><th>Kind</th><th>Left</th><th>Why</th></tr>"
        "</thead><tbody>$body</tbody></table></div></section>",
        cut="" if len(rows) <= REJECTED_ROWS else f"The first {REJECTED_ROWS:,} of {len(rows):,}.",
        body=body,
    )


def _policy(policy: Told) -> dict[str, Html | str]:
    meaning = policy["meaning"]
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind, treated in policy["treatments"].items():
        kinds[treated].append(_words(kind))
    kinds[policy["notes"]].append("every note, of any kind")
    kinds[policy["rejected_rows"]].append("a row that breaks a rule")

    def table(pairs: Sequence[tuple[str, object]]) -> Html:
        return joined(
            fill('<tr><th scope="row">$a</th><td>$b</td></tr>', a=_words(a), b=b) for a, b in pairs
        )

    return {
        "rule": "A fault counts, a suspect and a note do not; so does a rejected row that leaves a session without a bar.",
        "treatments": joined(
            fill(
                '<tr><th scope="row">$treatment</th><td>$kinds</td><td>$meaning</td></tr>',
                treatment=t,
                kinds=", ".join(names),
                meaning=meaning[t],
            )
            for t, names in kinds.items()
        ),
        "missing": table(list(policy["missing_values"].items())),
        "thresholds": table([(k, f"{v}") for k, v in policy["thresholds"].items()]),
    }


def _words(name: str) -> str:
    return name.replace("_", " ")
