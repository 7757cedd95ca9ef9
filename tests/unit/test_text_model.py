"""A text model in a folder: its numbers by hand, and every way in which the folder can be wrong."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests import text_models
from tests.text_models import by_hand, ids_of

from bellwether.core.errors import (
    BellwetherError,
    TamperedArtifact,
    UnloadableArtifact,
    UnreadableFile,
)
from bellwether.sentiment.finbert import FinbertScorer

Spoil = Callable[[Path], object]

ORDERS = [
    ("positive", "negative", "neutral"),
    ("neutral", "positive", "negative"),
    (" NEGATIVE ", "Neutral", "Positive"),
]


@pytest.mark.parametrize("labels", ORDERS)
def test_the_configuration_says_which_output_is_which(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    named = {str(number): label for number, label in enumerate(labels)}
    scorer = FinbertScorer(text_models.folder(tmp_path / "m", id2label=named))
    expected = by_hand(ids_of("profit", "rose", "."), [label.strip() for label in labels])

    (tone,) = scorer.tones(["Profit ROSE."])

    assert tone.positive == pytest.approx(expected["positive"], abs=1e-5)
    assert tone.negative == pytest.approx(expected["negative"], abs=1e-5)
    assert tone.neutral == pytest.approx(expected["neutral"], abs=1e-5)
    assert tone.score == tone.positive - tone.negative
    assert tone.label == max(expected, key=expected.__getitem__)


def test_eight_bits_stay_near(tmp_path: Path) -> None:
    scorer = FinbertScorer(text_models.folder(tmp_path / "m", eight_bits=True))
    expected = by_hand(ids_of("shares", "fell"))

    (tone,) = scorer.tones(["shares fell"])

    assert tone.positive == pytest.approx(expected["positive"], abs=0.05)


def test_a_text_is_read_to_the_models_last_place(tmp_path: Path) -> None:
    scorer = FinbertScorer(text_models.folder(tmp_path / "m", max_position_embeddings=6))

    long, cut = scorer.score_each(["profit rose up strong fell loss", "profit rose up strong"])

    assert long == cut


def test_token_types_are_given_where_the_graph_asks(tmp_path: Path) -> None:
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    three = FinbertScorer(text_models.folder(tmp_path / "three", inputs=inputs))
    one = FinbertScorer(text_models.folder(tmp_path / "one", inputs=("input_ids",)))

    assert three.score(["profit rose"]) == one.score(["profit rose"])


def test_texts_side_by_side_score_what_they_score_one_by_one(tmp_path: Path) -> None:
    folder = text_models.folder(tmp_path / "m", eight_bits=True)
    texts = [f"{one} {two}" for one in text_models.WORDS for two in text_models.WORDS]
    alone = FinbertScorer(folder)

    assert FinbertScorer(folder, threads=4).score_each(texts) == [
        score for text in texts for score in alone.score_each([text])
    ]


def setting(**entries: object) -> Spoil:
    """Return what changes entries of the configuration."""

    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return change


def labels(*names: str) -> Spoil:
    return setting(id2label={str(number): name for number, name in enumerate(names)})


def writing(name: str, content: bytes) -> Spoil:
    return lambda folder: (folder / name).write_bytes(content)


def removing(name: str) -> Spoil:
    return lambda folder: (folder / name).unlink()


def class_weights(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Return what changes the last matrix of the graph."""

    def spoil(folder: Path) -> None:
        model = onnx.load(folder / "model.onnx")
        (head,) = (w for w in model.graph.initializer if w.name == "head")
        head.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(head)), "head"))
        onnx.save_model(model, folder / "model.onnx")

    return spoil


def two_outputs(folder: Path) -> None:
    class_weights(lambda head: np.ascontiguousarray(head[:, :2]))(folder)
    model = onnx.load(folder / "model.onnx")
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2
    onnx.save_model(model, folder / "model.onnx")


def other_inputs(folder: Path) -> None:
    onnx.save_model(text_models.graph(inputs=("input_ids", "position_ids")), folder / "model.onnx")


SPOILT: dict[str, tuple[Spoil, str]] = {
    "no_graph": (removing("model.onnx"), "model.onnx: is missing; the folder needs"),
    "no_tokenizer": (removing("tokenizer.json"), "tokenizer.json: is missing"),
    "no_configuration": (removing("config.json"), "config.json: is missing"),
    "empty_graph": (writing("model.onnx", b""), "model.onnx cannot be loaded"),
    "text_as_graph": (writing("model.onnx", b"not a graph"), "model.onnx cannot be loaded"),
    "empty_tokenizer": (writing("tokenizer.json", b"{}"), "tokenizer.json cannot be loaded"),
    "tokenizer_no_text": (
        writing("tokenizer.json", b"\xff\xfe"),
        "tokenizer.json cannot be loaded",
    ),
    "empty_configuration": (
        writing("config.json", b""),
        "config.json cannot be loaded: it is no JSON",
    ),
    "configuration_no_text": (
        writing("config.json", b"\xff\xfe{}"),
        "config.json cannot be loaded: it is no JSON",
    ),
    "list_as_configuration": (writing("config.json", b"[]"), "it is no JSON object"),
    "no_labels": (setting(id2label=None), "id2label has to name positive, negative and neutral"),
    "unnamed_labels": (labels("LABEL_0", "LABEL_1", "LABEL_2"), "it is {'0': 'LABEL_0'"),
    "two_labels": (labels("positive", "negative"), "id2label has to name"),
    "four_labels": (labels("positive", "negative", "neutral", "mixed"), "id2label has to name"),
    "label_twice": (labels("positive", "positive", "neutral"), "id2label has to name"),
    "no_length": (setting(max_position_embeddings=None), "max_position_embeddings is None"),
    "short_length": (setting(max_position_embeddings=2), "max_position_embeddings is 2"),
    "small_vocabulary": (setting(vocab_size=10), "it knows 27 pieces, the model 10"),
    "nan_logits": (class_weights(lambda head: head * np.nan), "not three finite numbers"),
    "infinite_logits": (
        class_weights(lambda head: head * np.float32(np.inf)),
        "not three finite numbers",
    ),
    "two_outputs": (two_outputs, "not three finite numbers"),
    "other_inputs": (other_inputs, "its inputs are ['input_ids', 'position_ids']"),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path, spoil: Spoil, said: str) -> None:
    folder = text_models.folder(tmp_path / "m")
    spoil(folder)

    with pytest.raises((UnreadableFile, UnloadableArtifact)) as caught:
        FinbertScorer(folder)

    assert said in str(caught.value)


def test_a_folder_that_is_not_there_or_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nowhere", "file"):
        with pytest.raises(UnreadableFile, match="there is no such folder"):
            FinbertScorer(tmp_path / name)


def test_numbers_that_turn_bad_later_are_an_error_and_no_score(tmp_path: Path) -> None:
    """One piece has a row that is not finite: texts without it score, texts with it do not."""
    folder = text_models.folder(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    (pieces,) = (w for w in model.graph.initializer if w.name == "pieces")
    rows = numpy_helper.to_array(pieces).copy()
    rows[text_models.VOCABULARY["loss"]] = math.nan
    pieces.CopyFrom(numpy_helper.from_array(rows, "pieces"))
    onnx.save_model(model, folder / "model.onnx")
    scorer = FinbertScorer(folder, threads=2)

    assert scorer.score(["profit rose"]) is not None
    with pytest.raises(UnloadableArtifact, match="not three finite numbers"):
        scorer.score(["profit rose", "a loss"])


def manifest(folder: Path, **files: str) -> None:
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


def test_a_byte_that_differs_from_the_manifest_is_refused(tmp_path: Path) -> None:
    folder = text_models.folder(tmp_path / "m")
    manifest(folder, **{"model.onnx": "0" * 64})

    with pytest.raises(TamperedArtifact, match="Export it again"):
        FinbertScorer(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 1}'])
def test_a_manifest_that_says_nothing_is_refused(tmp_path: Path, content: str) -> None:
    folder = text_models.folder(tmp_path / "m")
    (folder / "manifest.json").write_text(content)

    with pytest.raises(BellwetherError):
        FinbertScorer(folder)
