"""What the pages say can be typed, clicked and found: commands, generators, parameters, links and modules."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import cli
from bridge.cli import values
from engines.formats.registry import format_named
from engines.hosts import HOSTS
from engines.kinds import Kind
from generators.catalog import Catalog, load

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
ELSEWHERE = {"image.checker", "live.negative"}
"""What the page for authors of generators declares itself."""
ROOMS = ("bridge", "engines", "benchmarks", "generators")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def each(pattern: str) -> Iterator[tuple[str, str]]:
    """Page and match, for every match on every page."""
    for page in PAGES:
        for found in re.findall(pattern, page.read_text("utf-8")):
            yield page.name, found


def commands() -> list[tuple[str, str]]:
    """Every `scenecast …` that stands on a line of its own or between backticks, without what is left open."""
    written = [*each(r"(?m)^scenecast ([^\n#]+)"), *each(r"`scenecast ([^`]+)`"), *each(r"&& scenecast ([^\n#]+)")]
    return [(page, text.strip()) for page, text in written if "…" not in text and "|" not in text]


@pytest.mark.parametrize(("page", "command"), commands(), ids=lambda value: value[:60])
def test_a_command_is_taken_as_it_is_written(page: str, command: str, catalog: Catalog) -> None:
    words = shlex.split(command)
    assert words[0] in cli.COMMANDS, f"{page}: scenecast {words[0]}"
    if len(words) == 1:
        return  # the command is named, not shown
    given = cli._parser(words).parse_args(words)
    if words[0] == "run" and given.generator not in ELSEWHERE:
        spec = catalog.spec(given.generator)
        row = next(row for row in catalog.rows([]) if row.spec is spec)
        catalog.check(spec.id, values.typed(values.pairs(given.param, "-p"), row.schema))
        assert set(values.pairs(given.input, "-i")) <= {port.name for port in spec.takes}, page
        assert given.host in (*HOSTS, "NAME"), page
        for kind, form in values.pairs(given.format, "--format").items():
            format_named(form, Kind(kind))


def test_every_generator_that_is_named_is_there(catalog: Catalog) -> None:
    known = {row.spec.id for row in catalog.rows([])}
    rooms = {name.split(".")[0] for name in known}
    named = {(page, name) for page, name in each(r"`([a-z]+\.[a-z_]+)`") if name.split(".")[0] in rooms}
    assert len(named) > 30
    messages = set(re.findall(r"`([a-z.]+)`", (ROOT / "docs" / "protocol.md").read_text("utf-8")))
    assert not {(page, name) for page, name in named if name not in known | ELSEWHERE | messages}


def test_links_lead_somewhere() -> None:
    lost = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                lost.append((page.name, target))
    assert not lost


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them (GitHub's rule: lower case, no punctuation, hyphens for spaces)."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_modules_that_are_to_be_run_are_there() -> None:
    named = set(each(r"python -m ((?:" + "|".join(ROOMS) + r")[.\w]*)"))
    assert len(named) >= 5
    assert not [(page, module) for page, module in named if importlib.util.find_spec(module.rstrip(".")) is None]


def test_files_that_are_named_are_there() -> None:
    named = set(each(r"`((?:bridge|engines|generators|python_client|blender_addon|tests|examples|docs)/[\w./]+)`"))
    assert len(named) > 15
    assert not [(page, file) for page, file in named if not (ROOT / file).exists()]
