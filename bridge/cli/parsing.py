"""The command line's parser: what is misspelt is answered with what was probably meant, in our own words."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import NoReturn

from bridge.cli.console import complain

USAGE_STATUS = 2


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors end in a remedy."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and what to do, and leave with status 2."""
        complain(message, remedy_for(message) or f"see `{self.prog} --help`")
        self.exit(USAGE_STATUS)


def remedy_for(message: str) -> str:
    """What to do about one of argparse's complaints; empty when nothing more than its help is known."""
    choice = re.search(r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<known>.*)\)", message)
    if choice:
        near = difflib.get_close_matches(choice["given"], re.findall(r"'([^']*)'", choice["known"]), n=1)
        return f"did you mean {near[0]}?" if near else ""
    stray = re.fullmatch(r"unrecognized arguments: (?P<words>.*)", message)
    if stray and re.match(r"[a-z_0-9]+=", stray["words"]):
        return f"a parameter follows -p, a file -i, as in -p {stray['words']}"
    if stray and not stray["words"].startswith("-"):
        return 'words with spaces go in quotes, as in -p prompt="red bricks"'
    return ""
