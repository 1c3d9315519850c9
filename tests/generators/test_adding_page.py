"""docs/adding_a_generator.md, done as it says: its code is a package that works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "adding_a_generator.md"
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

LIVE = """
import numpy as np
from my_package.negative import start
from my_package.specs import SPECS
from generators.catalog import Catalog

catalog = Catalog(SPECS)
assert not catalog.broken and set(catalog.specs) == {"image.checker", "live.negative"}, catalog.broken
picture = np.zeros((4, 4, 3), np.uint8)
answer = start(None, None)
[shown] = list(answer(type("Frame", (), {"colour": picture})()))
assert (np.asarray(shown.pixels) == 255).all()
"""


def block(words: str) -> str:
    [found] = [text for text in BLOCKS if words in text]
    return found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package as the page lets its reader write it."""
    folder = tmp_path / "my_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    specs = block("my_package/specs.py")
    negative = block("NEGATIVE = GeneratorSpec")
    assert "put NEGATIVE into SPECS" in negative
    (folder / "specs.py").write_text(f"{negative}\n{specs.rstrip()[:-1]}    NEGATIVE,\n)\n", "utf-8")
    (folder / "checker.py").write_text(block("my_package/checker.py"), "utf-8")
    (folder / "negative.py").write_text(block("my_package/negative.py"), "utf-8")
    return tmp_path


@pytest.mark.parametrize("script", [block("from my_package.checker import run"), LIVE], ids=["job", "live"])
def test_the_pages_package_works(script: str, package: Path) -> None:
    code = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(package)!r}]\n{script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
