"""What holds of every module of the project, whatever is in it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 500


@pytest.mark.parametrize("folder", ["eiosniff", "captures", "docs", "tests"])
def test_no_module_is_too_long_to_be_read_in_one_go(folder: str) -> None:
    modules = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".js", ".mjs")]
    assert modules
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
