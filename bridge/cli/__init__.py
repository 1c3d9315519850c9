"""`scenecast`: serve | run | demo | doctor | generators | jobs | cancel | pause | resume | finish | gc | token |
blender-addon.

Exit status: 0 when what was asked is done, 1 when it failed, 2 when it was asked for wrongly.
"""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.cli.parsing import Parser

COMMANDS = {
    "run": "make something with a generator and write it to a folder",
    "demo": "make one thing of every kind and a gallery to look at",
    "serve": "run the bridge until Ctrl-C",
    "generators": "what can be made, and the parameters of one generator",
    "jobs": "the history of jobs",
    "cancel": "end a job",
    "pause": "let a job stand still, keeping what it has done",
    "resume": "let a paused job go on",
    "finish": "call a job good enough: it stops here and delivers what it has",
    "gc": "remove results that are no longer needed",
    "token": "show the running bridge's address and token, or set a new token",
    "doctor": "look for what is missing or wrong, and say what to do",
    "blender-addon": "build or install the Blender extension",
}
"""Command and one line of help; each has a module, mostly of its name, with `add_arguments` and `run`."""
INTERRUPTED = 130
"""128 + SIGINT, as shells expect of a program that was interrupted."""
_REMEDIES: dict[int | None, str] = {
    errno.ENOSPC: "make room, or look at `scenecast gc --dry-run`",
    errno.EDQUOT: "make room, or look at `scenecast gc --dry-run`",
    errno.EACCES: "choose a folder that is yours",
    errno.EROFS: "choose a folder that can be written to",
}
MODULES = {"pause": "steer", "resume": "steer", "finish": "steer"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    from bridge.errors import ScenecastError as BridgeError
    from python_client.errors import Refused
    from python_client.errors import ScenecastError as ClientError

    given = _parser(list(sys.argv[1:] if arguments is None else arguments)).parse_args(arguments)
    if not given.command:
        _parser([]).print_help()
        return 2
    command = _module(given.command)
    try:
        return int(command.run(given))
    except (BridgeError, ClientError) as error:
        from bridge.cli.console import complain

        complain(error.message, error.remedy, path=getattr(error, "path", ""))
        asked_wrongly = isinstance(error, Refused) and error.code.startswith("request.")
        return 2 if asked_wrongly or getattr(error, "code", "") in ("settings", "usage") else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 1
    except OSError as error:
        from bridge.cli.console import complain

        complain(
            f"{error.filename}: {error.strerror}" if error.filename else str(error), _REMEDIES.get(error.errno, "")
        )
        return 1


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"bridge.cli.{MODULES.get(command, command.replace('-', '_'))}")


def _parser(arguments: list[str]) -> Parser:
    """The parser; only the module of the command that is called is imported."""
    from bridge.cli.parsing import Parser

    parser = Parser(prog="scenecast", description="Generative models in your scene.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    called = next((word for word in arguments if word in COMMANDS), "")
    for name, help_ in COMMANDS.items():
        child = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
        if name == called:
            _module(name).add_arguments(child)
    return parser
