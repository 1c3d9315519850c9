"""The benches' own command line: it tells what there is, loads only what is asked for, and its lines can be read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.__main__ import BENCHES, main, promise_of
from benchmarks.figures import Figure

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_name_it_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for name in BENCHES:
        assert f"  {name} " in said.err and promise_of(name) in said.err


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_has_its_file_and_says_what_it_measures(name: str) -> None:
    assert len(promise_of(name)) > 20
    assert "\ndef run() -> Iterator[Figure]:" in (ROOT / "benchmarks" / f"{name}.py").read_text("utf-8")


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nothing"])
    assert ended.value.code == 2 and "nothing" in capsys.readouterr().err


def test_figures_come_as_one_json_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> Iterator[Figure]:
        yield Figure("bridge", "a job", 2.0, "ms", "goal ≤ 4 ms", 4.0)

    monkeypatch.setitem(sys.modules, "benchmarks.bridge", SimpleNamespace(run=run))
    assert main(["bridge", "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert {"bench", "figure", "value", "unit", "against", "ratio"} <= set(told)
    assert (told["bench"], told["value"], told["ratio"]) == ("bridge", 2.0, 0.5)


def test_help_loads_no_bench() -> None:
    program = (
        "import sys\nfrom benchmarks.__main__ import main\nmain([])\n"
        "assert not {'torch', 'numba', 'numpy'} & set(sys.modules), 'help loads what it need not'"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
