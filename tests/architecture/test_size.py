"""The house stays small: no long file, no long function."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "src").rglob("*.py"))
MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 40  # docstring not counted
PROTOCOLS_IN_ONE_FILE = {"ports.py"}  # one page of sockets reads better than five


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    doc = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (node.end_lineno or 0) - node.lineno + 1 - doc


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_within_budget(path: Path) -> None:
    text = path.read_text()
    functions = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )

    assert text.count("\n") <= MAX_FILE_LINES or path.name in PROTOCOLS_IN_ONE_FILE
    assert [f.name for f in functions if code_lines(f) > MAX_FUNCTION_LINES] == []
