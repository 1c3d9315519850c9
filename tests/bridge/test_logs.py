from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator

import pytest

from bridge import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    names = ("bridge", "generators", "websockets")
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names}
    yield io.StringIO()
    for name, (handlers, level) in before.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = handlers, True
        logger.setLevel(level)


def test_one_json_object_per_line_with_extras_and_session(stream: io.StringIO) -> None:
    logs.configure("info", stream=stream)
    token = logs.session_id.set("s1")
    logging.getLogger("bridge.jobs").info("said %s", "so", extra={"job": "j1", "empty": ""})
    logs.session_id.reset(token)
    logging.getLogger("bridge").debug("not told")
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {"level": "info", "from": "bridge.jobs", "message": "said so", "session": "s1", "job": "j1"}


def test_newlines_and_tracebacks_stay_on_one_line(stream: io.StringIO) -> None:
    logs.configure("info", stream=stream)
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("bridge").exception("two\nlines")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: a\nb" in json.loads(line)["traceback"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_at_a_terminal_gets_words(stream: io.StringIO) -> None:
    logger = logging.getLogger("bridge")
    handler = logs.configure("info", secrets=("hunter2",), stream=Terminal())
    record = logger.makeRecord("bridge", 30, "", 0, "disk of %s is full", ("hunter2",), None, extra={"job": "j1"})
    words = handler.format(record)
    assert words.endswith(" warning: disk of *** is full  job=j1") and words[2] == ":"
    try:
        raise ValueError("hunter2")
    except ValueError:
        record = logger.makeRecord("bridge", 20, "", 0, "failed", (), sys.exc_info())
    assert handler.format(record).splitlines()[-1] == "ValueError: ***"


def test_a_client_cannot_write_lines_or_colours_on_the_terminal(stream: io.StringIO) -> None:
    """The name of an upload is its sender's; it must not pass for a line of the bridge's own."""
    logger = logging.getLogger("bridge")
    handler = logs.configure("info", stream=Terminal())
    name = "a\n12:00:00 stopped\x1b[2J\u202e.png"
    record = logger.makeRecord("bridge", 20, "", 0, "refused %s", (name,), None, extra={"file": name})
    words = handler.format(record)
    shown = "a\\n12:00:00 stopped\\x1b[2J\\u202e.png"
    assert words.endswith(f" refused {shown}  file={shown}") and words.isprintable()
    try:
        raise ValueError("\x1b[31m")
    except ValueError:
        record = logger.makeRecord("bridge", 20, "", 0, "failed", (), sys.exc_info())
    assert handler.format(record).splitlines()[-1] == "ValueError: \\x1b[31m"


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_file_whose_name_is_no_text_can_be_told_of(stream: io.StringIO, kind: type[io.StringIO]) -> None:
    told = kind()
    logs.configure("info", stream=told)
    logging.getLogger("bridge").info("cannot be an input", extra={"path": os.fsdecode(b"gr\xf6\xdfe.png")})
    assert "gr\\udcf6\\udcdfe.png" in told.getvalue().encode().decode()


def test_secrets_never_appear(stream: io.StringIO) -> None:
    logs.configure("info", secrets=("hunter2", ""), stream=stream)
    logging.getLogger("bridge").info("token hunter2", extra={"header": "Bearer hunter2"})
    try:
        raise ValueError("hunter2")
    except ValueError:
        logging.getLogger("bridge").exception("failed")
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("***") == 4
