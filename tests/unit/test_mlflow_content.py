"""What MLflow is told of a run is cut into parts, never cut off."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bellwether.core.ports import RunRow
from bellwether.core.types import ReleaseFiles
from bellwether.registry import mlflow_content as content

AT = datetime(2024, 1, 10, tzinfo=UTC)


def run(config: object = None, outcome: object = None) -> RunRow:
    return RunRow("run", "key", AT, AT, AT, json.dumps(config or {}), json.dumps(outcome or {}))


def test_every_number_of_the_outcome_is_a_metric() -> None:
    told = run(outcome={"rows": 3, "table": {"a": {"x": 0.5, "ci": [1, 2], "on": True}}})

    assert content.metrics(told) == {"rows": 3.0, "table.a.x": 0.5}


def test_thousands_of_metrics_go_in_batches_that_add_up() -> None:
    numbers = list(range(2500))

    cut = list(content.batches(numbers, content.METRICS_AT_ONCE))

    assert [len(part) for part in cut] == [1000, 1000, 500]
    assert [n for part in cut for n in part] == numbers


@pytest.mark.parametrize("size", [0, 1, 5999, 6000, 6001, 18_001])
def test_a_long_parameter_is_whole_in_its_parts(size: int) -> None:
    parts = content.params(run({"symbols": "x" * size}))

    assert json.loads("".join(parts.values())) == "x" * size
    assert max(map(len, parts.values())) <= content.PARAM_CHARS


def test_hundreds_of_releases_are_whole_in_the_tags() -> None:
    releases = [ReleaseFiles(f"r{i:020x}", {}, {}) for i in range(700)]

    tags = content.tags(run(outcome={"reading": "No skill."}), releases)
    joined = "".join(text for name, text in tags.items() if name.startswith("bellwether.releases"))

    assert joined.split(",") == [r.release_id for r in releases]
    assert max(map(len, tags.values())) <= content.TAG_CHARS
    assert tags["mlflow.note.content"] == "No skill."


@pytest.mark.parametrize("name", ["^GSPC", "-5e-GSPC", "a/b", "a b", "BRK.B", "é", "x" * 400])
def test_a_name_becomes_one_that_mlflow_takes(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name, _validate_param_name

    _validate_metric_name(content.key(name))
    _validate_param_name(content.key(name))
    assert len(content.key(name)) <= content.KEY_CHARS


def test_different_names_stay_different() -> None:
    names = ["^GSPC", "GSPC", "a/b", "a-b", "ab", "x" * 400, "x" * 401]

    assert len({content.key(name) for name in names}) == len(names)


def test_a_model_is_named_by_its_scope_and_kind() -> None:
    release = ReleaseFiles("r1", {"scope": "BRK/B", "model": "linear"}, {})

    assert content.model_name(release) == "bellwether-BRK-2f-B-linear"


def test_only_what_people_look_at_is_written(tmp_path: Path) -> None:
    files = {"model.onnx": b"\x00", "card.md": b"# card", "walkforward.parquet": b"large"}

    content.write_files(tmp_path, run({"a": 1}), [ReleaseFiles("r1", {"model": "x"}, files)])

    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    expected = {"question.json", "outcome.json", "r1/manifest.json", "r1/card.md", "r1/model.onnx"}
    assert expected == written
