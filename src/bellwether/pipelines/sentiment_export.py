"""Make the folder that headlines are scored from: a classifier of the hub in eight bits, as ONNX."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bellwether.core.errors import InvalidRequest, MissingExtra, UnloadableArtifact, UnreadableFile
from bellwether.core.ports import SentimentScorer
from bellwether.core.types import Tone

EXTRA = "nlp"
LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime")
FLOAT, GRAPH, MANIFEST = "float.onnx", "model.onnx", "manifest.json"
KEPT = (GRAPH, "tokenizer.json", "config.json")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""In the order in which every model of this family takes them."""
OPSET = 17
MOST_PIECES = 512
MOST_UNKNOWN = 0.5
MAX_DIFFERENCE = 0.1

SENTENCES = (
    "Operating profit rose to 13.1 million euros from 8.7 million a year earlier.",
    "The company raised its full-year guidance after record quarterly sales.",
    "Shares plunge as earnings miss estimates and the outlook is cut.",
    "The bank issued a profit warning and suspended its dividend.",
    "Net loss widened to 4.2 million dollars.",
    "The board will meet on Tuesday in Helsinki.",
    "The plant is located in the north of the country and employs 120 people.",
    "Results were not as good as expected, yet margins improved.",
    "Regulators opened an investigation into the accounts of the subsidiary.",
    "It won an order worth 30 million euros for delivery next year.",
    "Costs fell, debt was repaid and the rating was upgraded.",
    "The terms of the agreement were not disclosed.",
)


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """A folder or a hub's name, which revision of it, and the folder to make.

    `max_difference` is how far a probability may move by going to eight bits. `pickled` says that
    weights may also be a pickle (pytorch_model.bin), of which PyTorch then reads tensors alone.
    """

    model: str
    out: Path
    revision: str | None = None
    max_difference: float = MAX_DIFFERENCE
    pickled: bool = False


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was made, and how its probabilities and labels compare with the model in 32 bits."""

    out: Path
    method: str
    sentences: int
    max_difference: float
    agreement: float
    unknown_pieces: float
    megabytes: float

    def lines(self) -> list[str]:
        """Say it in words."""
        return [
            f"{self.out} holds {self.method}, {self.megabytes:.1f} MB in eight bits.",
            f"Beside the model in 32 bits, on {self.sentences} sentences:",
            f"  largest difference of a probability {self.max_difference:.4f}",
            f"  labels that agree {self.agreement:.0%}",
            f"  pieces that its vocabulary does not know {self.unknown_pieces:.0%}",
            "Use it with BELLWETHER_SENTIMENT=finbert and BELLWETHER_SENTIMENT_MODEL naming it.",
        ]


def run(config: ExportConfig, opened: Callable[[Path], SentimentScorer]) -> ExportReport:
    """Export, bring to eight bits, open as serving does, compare; the folder appears whole or not.

    `opened` loads a folder into a scorer.

    Raises
    ------
    MissingExtra
        If PyTorch or transformers is not installed.
    InvalidRequest
        If the folder to make is there already.
    UnreadableFile
        If there is no such model, or it has no weights of a kind that may be read.
    UnloadableArtifact
        If weights are missing, it is no classifier of three named tones, its vocabulary does not know the language, or
        eight bits move a probability by more than is allowed.
    """
    if any(find_spec(library) is None for library in ("torch", "transformers")):
        raise MissingExtra("Exporting a text model", EXTRA)
    if config.out.exists():
        raise InvalidRequest("--out", f"{config.out} is there already; name another folder")
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with _quiet(), TemporaryDirectory(prefix=".export-", dir=config.out.parent) as kept:
        made = Path(kept) / "model"
        made.mkdir()
        tokenizer, model = _loaded(config)
        _write(tokenizer, model, made)
        scorer = opened(made)
        compared = _compared(scorer.tones(SENTENCES), _by_torch(tokenizer, model, SENTENCES))
        report = _report(config, scorer.method, compared, _unknown(tokenizer), made)
        (made / MANIFEST).write_text(json.dumps(_manifest(config, report, made), indent=1))
        made.rename(config.out)
    return report


def _loaded(config: ExportConfig) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    local = Path(config.model).is_dir()
    where = {"revision": config.revision or "main", "local_files_only": local}
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            config.model, trust_remote_code=False, use_fast=True, **where
        )
        model, told = AutoModelForSequenceClassification.from_pretrained(
            config.model,
            use_safetensors=None if config.pickled else True,
            weights_only=True,
            trust_remote_code=False,
            attn_implementation="eager",
            dtype=torch.float32,
            output_loading_info=True,
            **where,
        )
    except Exception as error:  # the library raises whatever its parts raise
        why = f"cannot be loaded: {(str(error).splitlines() or ['?'])[0]}"
        kinds = "" if config.pickled else " (weights are read from safetensors; see --pickled)"
        raise UnreadableFile(config.model, why + kinds) from error
    if lacking := sorted(told["missing_keys"]):
        raise UnloadableArtifact(config.model, f"its weights lack {', '.join(lacking)}")
    return tokenizer, model.eval()


def _write(tokenizer: Any, model: Any, folder: Path) -> None:
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = [name for name in INPUTS if name in tokenizer.model_input_names]
    example = tokenizer(SENTENCES[0], return_tensors="pt")
    with TemporaryDirectory(dir=folder.parent) as scratch:
        wide = Path(scratch) / FLOAT
        torch.onnx.export(
            model,
            tuple(example[name] for name in names),
            str(wide),
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "texts", 1: "pieces"} for name in names},
            opset_version=OPSET,
            dynamo=False,
        )
        # Seven bits of eight for the weights: processors without VNNI would overflow on more.
        quantize_dynamic(
            wide,
            folder / GRAPH,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    model.config.to_json_file(folder / "config.json")


def _by_torch(tokenizer: Any, model: Any, texts: Sequence[str]) -> list[dict[str, float]]:
    """Return the probabilities that the model in 32 bits gives, by label in lower case."""
    import torch

    most = min(MOST_PIECES, model.config.max_position_embeddings)
    found = []
    with torch.inference_mode():
        for text in texts:
            asked = tokenizer(text, truncation=True, max_length=most, return_tensors="pt")
            shares = model(**asked).logits[0].double().softmax(-1).tolist()
            labels = (model.config.id2label[i].strip().lower() for i in range(len(shares)))
            found.append(dict(zip(labels, shares, strict=True)))
    return found


def _compared(found: Sequence[Tone], wide: Sequence[dict[str, float]]) -> tuple[float, float]:
    """Return the largest difference of a probability, and the share of labels that agree."""
    pairs = list(zip(found, wide, strict=True))
    differences = [abs(getattr(tone, k) - p) for tone, shares in pairs for k, p in shares.items()]
    same = [tone.label == max(shares, key=shares.__getitem__) for tone, shares in pairs]
    return max(differences), sum(same) / len(same)


def _unknown(tokenizer: Any) -> float:
    pieces = [i for text in SENTENCES for i in tokenizer(text, add_special_tokens=False).input_ids]
    return pieces.count(tokenizer.unk_token_id) / max(1, len(pieces))


def _report(
    config: ExportConfig, method: str, compared: tuple[float, float], unknown: float, made: Path
) -> ExportReport:
    difference, agreement = compared
    if unknown > MOST_UNKNOWN:
        why = f"its vocabulary does not know {unknown:.0%} of the pieces of English sentences"
        raise UnloadableArtifact(config.model, why)
    if not difference <= config.max_difference:
        why = (
            f"in eight bits a probability differs by {difference:.3f}, more than "
            f"{config.max_difference:g}; allow it with --max-difference"
        )
        raise UnloadableArtifact(config.model, why)
    size = sum((made / name).stat().st_size for name in KEPT) / 1e6
    n = len(SENTENCES)
    return ExportReport(config.out, method, n, difference, agreement, unknown, size)


def _manifest(config: ExportConfig, report: ExportReport, made: Path) -> dict[str, object]:
    content = {name: hashlib.sha256((made / name).read_bytes()).hexdigest() for name in KEPT}
    return {
        "files": content,
        "model": config.model,
        "revision": config.revision,
        "libraries": {name: version(name) for name in LIBRARIES},
        "max_difference": report.max_difference,
        "agreement": report.agreement,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' advice and progress bars from the terminal."""
    import logging

    from transformers.utils import logging as told

    told.set_verbosity_error()
    told.disable_progress_bar()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
