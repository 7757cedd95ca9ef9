"""`bellwether sentiment score|check` with what users type and files hold, good and bad."""

import json
from pathlib import Path

import polars as pl
import pytest
from tests import text_models
from typer.testing import CliRunner, Result

from bellwether.cli.main import app

TRUTHS = ["positive", "Negative ", "neutral", "neutral"]
SENTENCES = ["Strong earnings", "Shares plunge", "The board met", "Profit warning"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BELLWETHER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sentiment", *arguments])


def labelled(path: Path, **columns: object) -> Path:
    frame = pl.DataFrame({"sentence": SENTENCES, "label": TRUTHS} | columns)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


def check(path: Path, *options: str) -> Result:
    return run("check", "--frame", str(path), *options)


def test_scores_for_people() -> None:
    done = run("score", "Strong earnings", "The board met")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "+1.0000  positive  Strong earnings",
        "+0.0000  neutral   The board met",
        "+0.5000  the mean, by lexicon-v1",
    ]


def test_scores_of_a_model_for_programs(tmp_path: Path) -> None:
    folder = text_models.folder(tmp_path / "m")

    told = json.loads(run("score", "profit rose", "", "--model", str(folder), "--json").stdout)

    expected = text_models.by_hand(text_models.ids_of("profit", "rose"))
    assert told["method"].startswith("finbert-")
    assert told["texts"][0]["text"] == "profit rose"
    for label, share in expected.items():
        assert told["texts"][0][label] == pytest.approx(share, abs=1e-5)
    assert told["texts"][1]["label"] == "neutral"
    assert told["score"] == pytest.approx(told["texts"][0]["score"] / 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scorer", "finbert"), "sentiment_model"),
        (("--scorer", "vader"), "sentiment"),
        (("--scorer", "lexicon", "--model", "m"), "counts no words"),
        (("--scorer", "finbert", "--words", "w.csv"), "runs no model"),
        (("--model", "m", "--words", "w.csv"), "counts no words"),
        (("--model", "/nowhere"), "/nowhere: there is no such folder"),
        (("--model", "some/model"), "some--model: there is no such folder"),
        (("--words", "/nowhere.csv"), "/nowhere.csv: No such file"),
    ],
    ids=lambda told: "_".join(told) if isinstance(told, tuple) else "",
)
def test_a_scorer_that_cannot_be_is_wrong_use(options: tuple[str, ...], said: str) -> None:
    done = run("score", "Strong earnings", *options)

    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_used_is_a_failure(tmp_path: Path) -> None:
    folder = text_models.folder(tmp_path / "m", id2label={"0": "LABEL_0"})

    done = run("score", "Strong earnings", "--model", str(folder))

    assert done.exit_code == 1
    assert "id2label has to name positive, negative and neutral" in done.stderr


@pytest.mark.parametrize("name", ["f.csv", "f.parquet"])
def test_a_check_counts_by_label(tmp_path: Path, name: str) -> None:
    told = json.loads(check(labelled(tmp_path / name), "--json").stdout)

    assert (told["n"], told["accuracy"]) == (4, 0.75)
    assert (told["majority"], told["majority_accuracy"]) == ("neutral", 0.5)
    assert told["confusion"]["neutral"] == {"positive": 0, "negative": 1, "neutral": 1}
    negative = {"n": 1, "given": 2, "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert told["labels"]["negative"] == negative
    assert told["accuracy_low"] < 0.75 < told["accuracy_high"]


def test_a_check_takes_numbers_by_their_sign(tmp_path: Path) -> None:
    frame = labelled(tmp_path / "f.csv", label=[0.4, -1.0, 0.0, 0.001])

    told = json.loads(check(frame, "--json").stdout)

    assert told["accuracy"] == 0.75
    assert told["confusion"]["positive"] == {"positive": 1, "negative": 1, "neutral": 0}


def test_a_check_for_people_leaves_open_what_cannot_be_said(tmp_path: Path) -> None:
    frame = labelled(tmp_path / "f.csv", label=["neutral"] * 4)

    done = check(frame)

    assert done.exit_code == 0
    assert "lexicon-v1 on 4 sentences: 25.0% (" in done.stdout
    assert "always neutral 100.0%" in done.stdout
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("positive"))
    assert row.split() == ["positive", "0", "0", "0", "0.0%", "-", "0.0%"]


def test_a_check_by_a_model(tmp_path: Path) -> None:
    folder = text_models.folder(tmp_path / "m", eight_bits=True)

    done = check(labelled(tmp_path / "f.csv"), "--model", str(folder), "--json")

    assert json.loads(done.stdout)["method"].startswith("finbert-")


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"label": ["good", *TRUTHS[1:]]}, (), "'good' in row 1 is neither"),
        ({"label": [*TRUTHS[:3], None]}, (), "None in row 4 is neither"),
        ({"label": ["nan", *TRUTHS[1:]]}, (), "'nan' in row 1 is neither"),
        ({"label": ["inf", *TRUTHS[1:]]}, (), "'inf' in row 1 is neither"),
        ({"sentence": [None, *SENTENCES[1:]]}, (), "has no sentence in row 1"),
        ({}, ("--sentence", "text"), "text"),
        ({}, ("--label", "truth"), "truth"),
    ],
    ids=["other", "missing", "nan", "infinite", "no_sentence", "no_sentences", "no_labels"],
)
def test_rows_that_cannot_be_meant_are_named(
    tmp_path: Path, columns: dict[str, object], options: tuple[str, ...], said: str
) -> None:
    done = check(labelled(tmp_path / "f.csv", **columns), *options)

    assert done.exit_code == 2
    assert said in done.stderr


def test_columns_that_hold_no_text_are_named(tmp_path: Path) -> None:
    done = check(labelled(tmp_path / "f.parquet", sentence=[1, 2, 3, 4]))

    assert done.exit_code == 2
    assert "holds Int64, not sentences" in done.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b"sentence,label\n", b"sentence,label\nSch\xf6n,positive\n", b"PAR1"],
    ids=["empty", "header", "latin", "cut"],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ("f.parquet" if content == b"PAR1" else "f.csv")
    path.write_bytes(content)

    done = check(path)

    assert done.exit_code == 2
    assert path.name in done.stderr
