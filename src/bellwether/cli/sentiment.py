"""`bellwether sentiment`: score texts, check a scorer against labels, make the folder of a model."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bellwether.cli.frame import edge, say, settings, tell

if TYPE_CHECKING:
    from bellwether.core.ports import SentimentScorer

sentiment = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[
    str | None, typer.Option("--scorer", help="lexicon or finbert; that of the settings else.")
]
Model = Annotated[
    str | None, typer.Option(help="Folder of the model, or the name it was exported under.")
]
Words = Annotated[str | None, typer.Option(help="CSV of words (Word, Positive, Negative).")]


@sentiment.command()
def score(
    texts: Annotated[list[str], typer.Argument(help="Each text in quotes.")],
    by: By = None,
    model: Model = None,
    words: Words = None,
    as_json: Json = False,
) -> None:
    """Score texts in [-1, 1], bad to good.

    Example: bellwether sentiment score "Strong earnings" "Shares plunge"
    """
    with edge(as_json=as_json):
        scorer = _scorer(by, model, words)
        tones = scorer.tones(texts)
        told = [{"text": text, **asdict(t)} for text, t in zip(texts, tones, strict=True)]
        if as_json:
            tell({"method": scorer.method, "score": scorer.score(texts), "texts": told})
            return
        for text, tone in zip(texts, tones, strict=True):
            say(f"{tone.score:+.4f}  {tone.label:<8}  {text}")
        say(f"{scorer.score(texts):+.4f}  the mean, by {scorer.method}")


@sentiment.command()
def check(
    frame: Annotated[Path, typer.Option(help="CSV or Parquet with sentences and labels.")],
    sentence: Annotated[str, typer.Option(help="Column of the sentences.")] = "sentence",
    label: Annotated[
        str, typer.Option(help="Column of the labels: positive, negative or neutral.")
    ] = "label",
    by: By = None,
    model: Model = None,
    words: Words = None,
    as_json: Json = False,
) -> None:
    """Say how often a scorer labels sentences as people did, beside always saying one label.

    Example: bellwether sentiment check --frame labelled.csv --scorer lexicon
    """
    with edge(as_json=as_json):
        from bellwether.pipelines import sentiment_check as use

        report = use.run(use.CheckConfig(frame, sentence, label), _scorer(by, model, words))
        if as_json:
            tell(report.as_json())
            return
        for line in report.lines():
            say(line)


@sentiment.command()
def export(
    model: Annotated[str, typer.Option(help="Folder, or name on the Hugging Face hub.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to make; else one in the home, by the model's name.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch on the hub; a commit cannot change.")
    ] = None,
    max_difference: Annotated[
        float, typer.Option(min=0, help="How far a probability may move by going to eight bits.")
    ] = 0.1,
    pickled: Annotated[
        bool, typer.Option("--pickled", help="Also read pytorch_model.bin; of it, tensors alone.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the folder that headlines are scored from: eight bits, ONNX, no PyTorch to serve.

    Example: bellwether sentiment export --model ProsusAI/finbert --out models/finbert
    """
    with edge(as_json=as_json):
        from bellwether.bootstrap import exported
        from bellwether.pipelines import sentiment_export as use
        from bellwether.settings import model_folder

        place = out or model_folder(settings().home, model)
        config = use.ExportConfig(model, place, revision, max_difference, pickled)
        report = use.run(config, lambda folder: exported(folder, 1))
        if as_json:
            tell(asdict(report))
            return
        for line in report.lines():
            say(line)


def _scorer(by: str | None, model: str | None, words: str | None) -> "SentimentScorer":
    from bellwether.bootstrap import loaded
    from bellwether.core.errors import InvalidRequest

    if model and (words or by == "lexicon"):
        raise InvalidRequest("--model", "is read by finbert, which counts no words")
    if words and by == "finbert":
        raise InvalidRequest("--words", "are counted by lexicon, which runs no model")
    by = by or ("finbert" if model else "lexicon" if words else None)
    return loaded(settings(sentiment=by, sentiment_model=model, sentiment_words=words))
