"""A tiny BERT of this test's making, exported and read again without PyTorch."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests import text_models
from typer.testing import CliRunner, Result

from bellwether.cli.main import app

if find_spec("torch") is None:
    pytest.skip("PyTorch is in no lock, and pip's own folder has none", allow_module_level=True)

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,-"
PIECES = (*text_models.MARKS, *CHARACTERS, *(f"##{c}" for c in CHARACTERS), *text_models.WORDS)
LABELS = {0: "Neutral", 1: "Positive", 2: "Negative"}
TEXTS = ["Profit rose, shares fell", "Strong earnings", "the board met " * 40, "loss"]

Kept = list[dict[str, float]]


def tiny(path: Path, pieces: tuple[str, ...] = PIECES, labels: Mapping[int, str] = LABELS) -> Kept:
    """Save a BERT of two layers with drawn weights; return its probabilities of TEXTS."""
    import torch
    import transformers

    tokenizer = transformers.BertTokenizer(vocab={p: i for i, p in enumerate(pieces)})
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(labels),
        label2id={label: number for number, label in labels.items()},
        initializer_range=0.3,
    )
    model = transformers.BertForSequenceClassification(config).eval()
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    found = []
    with torch.inference_mode():
        for text in TEXTS:
            asked = tokenizer(text, truncation=True, max_length=64, return_tensors="pt")
            shares = model(**asked).logits[0].softmax(-1).tolist()
            found.append({labels[i].lower(): share for i, share in enumerate(shares)})
    return found


def export(model: Path | str, out: Path, *options: str) -> Result:
    given = ["sentiment", "export", "--model", str(model), "--out", str(out), *options]
    return CliRunner().invoke(app, given)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Kept, dict[str, Any]]:
    """Return the folder made, what PyTorch said of the texts, and the report."""
    folder = tmp_path_factory.mktemp("export")
    shares = tiny(folder / "tiny")
    done = export(folder / "tiny", folder / "out", "--json")
    assert done.exit_code == 0, done.output
    return folder / "out", shares, json.loads(done.stdout)


def test_the_folder_holds_four_files_and_their_hashes(told: Any) -> None:
    out, _, report = told

    names = {"config.json", "manifest.json", "model.onnx", "tokenizer.json"}
    assert {path.name for path in out.iterdir()} == names
    assert {path.name for path in out.parent.iterdir()} == {"tiny", "out"}
    assert report["method"].startswith("finbert-")
    assert report["max_difference"] <= 0.1
    assert set(json.loads((out / "manifest.json").read_text())["files"]) == names - {
        "manifest.json"
    }


def test_it_scores_as_pytorch_does(told: Any) -> None:
    out, shares, _ = told
    asked = ["sentiment", "score", *TEXTS, "--model", str(out), "--json"]

    found = json.loads(CliRunner().invoke(app, asked).stdout)["texts"]

    for tone, expected in zip(found, shares, strict=True):
        assert {label: tone[label] for label in expected} == pytest.approx(expected, abs=0.05)


def test_serving_imports_neither_pytorch_nor_transformers(told: Any) -> None:
    code = (
        "import sys; from pathlib import Path; from bellwether.bootstrap import exported;"
        "exported(Path(sys.argv[1]), 1).score(['Profit rose']);"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(told[0])], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_name_without_a_network_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # else it tries for a minute

    done = export("some/model", tmp_path / "out")

    assert done.exit_code == 2
    assert done.stderr.startswith("some/model: cannot be loaded: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    done = export(tmp_path, tmp_path / "out")

    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    done = export(tmp_path / "model", tmp_path / "out")

    assert done.exit_code == 2
    assert "cannot be loaded" in done.stderr


def test_pickled_weights_are_read_where_that_was_asked_for(tmp_path: Path, told: Any) -> None:
    """As older models are published: a pickle, and a plain vocabulary."""
    folder = tmp_path / "tiny"
    tiny(folder)
    pickled(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")

    refused = export(folder, tmp_path / "out")
    done = export(folder, tmp_path / "out", "--pickled", "--json")

    assert refused.exit_code == 2
    assert "weights are read from safetensors; see --pickled" in refused.stderr
    assert done.exit_code == 0, done.output
    for name in ("model.onnx", "config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (told[0] / name).read_bytes()


class Code:
    """A pickle of it makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    tiny(tmp_path / "tiny")
    pickled(tmp_path / "tiny", code=Code(tmp_path / "run"))

    done = export(tmp_path / "tiny", tmp_path / "out", "--pickled")

    assert done.exit_code == 2
    assert "cannot be loaded" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"tiny"}


def test_weights_without_a_head_are_refused(tmp_path: Path) -> None:
    """The library would draw one."""
    tiny(tmp_path / "tiny")
    pickled(tmp_path / "tiny", without="classifier.weight")

    done = export(tmp_path / "tiny", tmp_path / "out", "--pickled")

    assert done.exit_code == 1
    assert "its weights lack classifier.weight" in done.stderr


def pickled(folder: Path, without: str = "", **more: object) -> None:
    """Put a pickle of weights in the place of the safe file."""
    import torch
    from safetensors.torch import load_file

    safe = folder / "model.safetensors"
    weights = {name: value for name, value in load_file(safe).items() if name != without}
    torch.save(weights | more, folder / "pytorch_model.bin")
    safe.unlink()


@pytest.mark.parametrize(
    ("spoil", "options", "said"),
    [
        ({"labels": {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}}, (), "id2label has to name"),
        ({"pieces": text_models.MARKS}, (), "does not know 100% of the pieces"),
        ({}, ("--max-difference", "0"), "allow it with --max-difference"),
    ],
    ids=["unnamed", "vocabulary", "difference"],
)
def test_what_cannot_be_served_leaves_no_folder(
    tmp_path: Path, spoil: dict[str, Any], options: tuple[str, ...], said: str
) -> None:
    tiny(tmp_path / "tiny", **spoil)

    done = export(tmp_path / "tiny", tmp_path / "out", *options)

    assert done.exit_code == 1
    assert said in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"tiny"}
