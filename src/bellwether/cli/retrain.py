"""`bellwether retrain`: train again what answers, or say why not."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bellwether.cli.frame import FAILED, REFUSED, edge, ports, progress_bar, say, settings, tell
from bellwether.cli.gates import Rules, Skill, policy_file, skill_mode

if TYPE_CHECKING:
    from bellwether.pipelines.retrain import RetrainReport

app = typer.Typer()
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def retrain(  # noqa: PLR0913, PLR0917 - one option a thing a user may want to say
    release: Annotated[
        str | None, typer.Argument(help="What is trained again; the newest that answers.")
    ] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Of the newest that answers.")] = None,
    sessions: Annotated[int, typer.Option(min=1, help="New sessions that are a reason.")] = 21,
    cool_down_days: Annotated[
        float, typer.Option(min=0, max=36500, help="None again for so long.")
    ] = 7.0,
    budget_minutes: Annotated[
        float, typer.Option(min=0.001, max=525600, help="It may take so long.")
    ] = 60.0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Without reason or cool-down.")] = False,
    skill: Skill = None,
    policy: Rules = None,
    as_json: Json = False,
) -> None:
    """Train again what answers, if there is a reason and nothing forbids it; or do nothing, and say why.

    The new release answers where the gates do not refuse it and it is not worse beyond chance.
    Exit code 0 also where nothing was done, 1 where the budget was spent, 3 where a gate refused.

    Example: bellwether retrain --sessions 63 --budget-minutes 30
    """
    with edge(as_json=as_json), ports() as wired, progress_bar(silent=as_json) as progress:
        from bellwether.pipelines import retrain as use

        limits = (sessions, timedelta(days=cool_down_days), timedelta(minutes=budget_minutes))
        config = use.RetrainConfig(
            *(release, horizon, *limits),
            anyway=anyway,
            **_given(skill, policy),
        )
        _told(use.run(config, wired.ports, progress), as_json=as_json)


def _given(skill: str | None, policy: Path | None) -> dict[str, Any]:
    """Return the policy, and what this machine's settings say of training."""
    from bellwether.pipelines.gates import declared

    found = settings()
    return {
        "policy": declared(policy_file(policy), skill_mode(skill)),
        "by": found.acting,
        "workers": found.workers,
        "quality_bar": found.quality_bar,
    }


def _told(done: "RetrainReport", *, as_json: bool) -> None:
    if as_json:
        tell(done.as_json())
    else:
        for line in done.lines():
            say(line)
    if done.row.action == "stopped":
        raise typer.Exit(FAILED)
    if done.refused:
        raise typer.Exit(REFUSED)
