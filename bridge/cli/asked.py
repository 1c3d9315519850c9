"""What a command line asks of a generator, checked before anything runs: its name, its files, where results go."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bridge.cli.console import UsageError
from python_client import Client, Refused
from python_client.messages import Generator, Port

_DIGEST = re.compile(r"[0-9a-f]{64}")


def generator(client: Client, name: str) -> Generator:
    """The row of that id. Raises `UsageError` with what was probably meant."""
    rows = {row.id: row for row in client.generators}
    if name in rows:
        return rows[name]
    near = difflib.get_close_matches(name, rows, n=3)
    near += [other for other in rows if name in other and other not in near][: 3 - len(near)]
    meant = f"did you mean {' or '.join(near)}?" if near else "`scenecast generators` shows what there is"
    raise UsageError(f"there is no generator {name!r}", remedy=meant)


def check_formats(row: Generator, formats: Mapping[str, str]) -> None:
    """Raise `UsageError` for a format of a kind that the generator does not make: it would change nothing."""
    for kind in formats:
        if kind not in row.gives:
            gives = " and ".join(row.gives) or "pictures, live"
            raise UsageError(f"{row.id} makes no {kind}", remedy=f"it gives {gives}, as in --format {gives}=FORMAT")


def check_names(row: Generator, names: Iterable[str]) -> None:
    """Raise `UsageError` for a parameter that there is not, before any file is sent."""
    known = list(row.params.get("properties", {}))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"its parameters are {', '.join(known) or 'none'}"
            raise UsageError(f"{row.id} has no parameter {name!r}", remedy=remedy)


def digests(client: Client, row: Generator, inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs by port, files uploaded. Raises `UsageError` that names the file, as the person called it."""
    ports = [port.name for port in row.takes]
    for port in inputs:
        if port not in ports:
            near = difflib.get_close_matches(port, ports, n=1)
            known = f"its inputs are {', '.join(ports)}" if ports else "it takes none"
            raise UsageError(f"{row.id} has no input {port!r}", remedy=f"did you mean {near[0]}?" if near else known)
    for wanted in row.takes:
        if not wanted.optional and wanted.name not in inputs:
            remedy = f"give one with -i {wanted.name}=FILE. {wanted.help}".strip()
            raise UsageError(f"{row.id} needs {wanted.name} ({' or '.join(wanted.kinds)})", remedy=remedy)
    return {port.name: _digest(client, port, inputs[port.name]) for port in row.takes if port.name in inputs}


def _digest(client: Client, port: Port, source: str) -> str:
    if _DIGEST.fullmatch(source):
        return source
    path = Path(source).expanduser()
    if not path.exists():
        raise UsageError(f"there is no file {source!r} for {port.name}", remedy=_beside(path))
    if path.is_dir() and "capture" not in port.kinds:
        raise UsageError(f"{source} is a folder; {port.name} takes {' or '.join(port.kinds)}", remedy=_within(path))
    if path.is_file() and path.stat().st_size == 0:
        raise UsageError(f"{source} is empty (0 bytes)", remedy="export or download it again")
    try:
        return client.upload(path).digest
    except Refused as error:
        words = re.sub(r"\b[0-9a-f]{64}\b", source, error.message)
        raise UsageError(words if source in words else f"{source}: {words}", remedy=error.remedy) from error


def _within(folder: Path) -> str:
    """A file of that folder, as an example of what to name instead."""
    first = next((path for path in sorted(folder.iterdir()) if path.is_file()), None)
    return f"name a file in it, such as {first}" if first else "name a file"


def _beside(path: Path) -> str:
    """What lies where the file should be and is called nearly so."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {str(folder)!r} either"
    near = difflib.get_close_matches(path.name, sorted(other.name for other in folder.iterdir()), n=1)
    return f"did you mean {folder / near[0]}?" if near else f"look for it with `ls {folder}`"


def folder_for_results(folder: Path) -> Path:
    """The folder, made if need be. Raises `UsageError` before anything is computed that could not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".scenecast-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"results cannot be written to {folder}: {why}", remedy="choose another with --out") from error
    return folder
