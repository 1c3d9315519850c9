"""The process that writes assets in a host's conventions, so that no codec ever runs in the bridge itself.

`python -m bridge.exporter PARENT_PID` reads one order per line on stdin and answers with one line on stdout, both
JSON. It ends with its parent: by the end of stdin everywhere, by the kernel's word on Linux even while it encodes.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Literal

import msgspec

from bridge.disk import DISK_FULL, hash_of

_PR_SET_PDEATHSIG = 1
_MEMORY_SHARE = 0.9


class ExportOrder(msgspec.Struct, kw_only=True):
    """Write one stored asset into an empty folder."""

    manifest: str
    """Path of the manifest."""
    parts: dict[str, str]
    """Path of every part, by digest."""
    host: str
    folder: str
    formats: dict[str, str] = {}
    """Format name by kind."""


class Written(msgspec.Struct, kw_only=True):
    """One file in the folder."""

    name: str
    role: str
    media_type: str
    size_bytes: int
    sha256: str
    colour_space: str = ""


class ExportAnswer(msgspec.Struct, kw_only=True):
    """The files, or why there are none."""

    files: list[Written] = []
    error: Literal["", "host", "format", "asset", "disk", "memory", "defect"] = ""
    message: str = ""
    remedy: str = ""


def perform(order: ExportOrder) -> ExportAnswer:
    """Export as ordered; every failure is an answer in words."""
    from engines import errors, export, hosts, manifest, neutral
    from engines.kinds import Kind

    try:
        listed = manifest.manifest_from_bytes(Path(order.manifest).read_bytes())
        asset = neutral.read(listed, lambda digest: Path(order.parts[digest]))
        formats = {Kind(kind): name for kind, name in order.formats.items()}
        folder = Path(order.folder)
        written = export.export(
            asset, hosts.host(order.host), folder, formats=formats, provenance=dict(listed.provenance)
        )
    except errors.UnknownHost as error:
        return ExportAnswer(error="host", message=error.message, remedy=error.remedy)
    except (errors.UnknownFormat, errors.FormatUnavailable) as error:
        return ExportAnswer(error="format", message=error.message, remedy=error.remedy)
    except errors.EnginesError as error:
        return ExportAnswer(error="asset", message=error.message, remedy=error.remedy)
    except MemoryError:
        traceback.print_exc()
        return ExportAnswer(error="memory", message="writing it takes more memory than this machine has for it")
    except OSError as error:
        traceback.print_exc()
        full = error.errno in DISK_FULL
        return ExportAnswer(error="disk" if full else "defect", message=f"{type(error).__name__}: {error}"[:2000])
    except Exception as error:  # a codec's defect must not end the process; the log has the rest
        traceback.print_exc()
        return ExportAnswer(error="defect", message=f"{type(error).__name__}: {error}"[:2000])
    rows = [
        Written(
            name=file.file,
            role=file.role,
            media_type=file.media_type,
            size_bytes=file.bytes,
            sha256=hash_of(folder / file.file),
            colour_space=file.colour_space or "",
        )
        for file in written
    ]
    return ExportAnswer(files=rows)


def _die_with(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(0)


def limit_memory() -> int:
    """Keep a codec's defect from taking the whole machine's memory: Linux only; the limit in bytes, 0 for none.

    What counts is memory of the process's own that it may write (RLIMIT_DATA), not files that it maps or addresses
    that it only keeps for itself.
    """
    if not sys.platform.startswith("linux"):
        return 0
    import resource

    from engines.memory import machine_bytes

    most = int((machine_bytes() + _swap_bytes()) * _MEMORY_SHARE)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if most <= 0 or 0 <= hard <= most:
        return 0
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    return most


def _swap_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    found = next((line.split() for line in lines if line.startswith("SwapTotal:")), ["", "0"])
    return int(found[1]) * 1024


def main() -> None:
    """Answer orders until stdin ends; nothing that is printed meanwhile can reach the answers."""
    _die_with(int(sys.argv[1]))
    limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from engines import export, hosts, neutral  # noqa: F401 - loaded before the first order asks for them

    for line in sys.stdin.buffer:
        answer = perform(msgspec.json.decode(line, type=ExportOrder))
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()  # a raw write may stop in the middle of a long answer


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the bridge, which then ends stdin
    main()
