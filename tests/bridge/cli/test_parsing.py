"""What is misspelt on the command line is answered with what was probably meant."""

from __future__ import annotations

import pytest

from bridge import cli
from bridge.cli.parsing import remedy_for


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("argument COMMAND: invalid choice: 'runn' (choose from 'run', 'demo')", "did you mean run?"),
        ("argument COMMAND: invalid choice: 'qqq' (choose from 'run', 'demo')", ""),
        ("unrecognized arguments: prompt=bricks", "a parameter follows -p, a file -i, as in -p prompt=bricks"),
        ("unrecognized arguments: --sed 3", ""),
    ],
)
def test_remedies(message: str, remedy: str) -> None:
    assert remedy_for(message) == remedy


def test_words_outside_quotes_are_seen() -> None:
    assert "quotes" in remedy_for("unrecognized arguments: mossy bricks")


@pytest.mark.parametrize("arguments", [["runn"], ["run"], ["run", "image.noise", "size_px=64"], ["gc", "--json=no"]])
def test_asking_wrongly_ends_with_status_two_and_a_remedy(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    said = capsys.readouterr()
    assert left.value.code == 2 and said.out == "" and "→" in said.err


def test_what_the_disk_refuses_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> int:
        raise OSError(28, "No space left on device", "/somewhere/bricks.png")

    monkeypatch.setattr("bridge.cli.jobs.run", full)
    assert cli.main(["jobs"]) == 1
    said = capsys.readouterr().err
    assert "bricks.png: No space left" in said and "scenecast gc" in said and "Traceback" not in said
