# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that arrived become files on disk that Blender can read: by path at once, from memory in small steps."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from .client_core import Delivery
from .delivered import Delivered, DeliveredFile
from .runs import Run

RATHER_FIRST = ("description",)
"""Roles that are never an asset's principal file."""


STEP_BYTES = 256 << 10
"""Written in one step: 0.2 ms, up to 2 ms on a busy disk."""


class Landing:
    """One delivery on its way to disk, a piece in each `step`."""

    def __init__(self, run: Run, digest: str, delivery: Delivery, folder: Path) -> None:
        self.run = run
        self.digest = digest
        self._delivery = delivery
        self._folder = folder / digest[:32]
        self._paths: list[str] = []
        self._part: IO[bytes] | None = None

    def step(self) -> bool:
        """Write the next piece; True when all files are there. Raises OSError when the disk refuses."""
        files = self._delivery.files
        while len(self._paths) < len(files):
            incoming = files[len(self._paths)]
            if incoming.path:
                self._paths.append(incoming.path)
                continue
            try:
                whole = self._write(incoming.row.name, memoryview(incoming.data or b""))
            except OSError:
                self.stop()
                raise
            if whole:
                self._paths.append(str(self._folder / incoming.row.name))
            break
        return len(self._paths) == len(files)

    def delivered(self) -> Delivered:
        """The asset with its files, once `step` said True."""
        said, run = self._delivery.announced, self.run
        rows = [
            DeliveredFile(row.name, row.role, row.media_type, row.colour_space, path)
            for row, path in zip(said.files, self._paths, strict=True)
        ]
        rows.sort(key=lambda row: row.role in RATHER_FIRST)
        return Delivered(
            digest=self.digest,
            kind=said.kind,
            name=asset_name(run, self.digest, said.name, said.kind),
            meta=dict(said.meta),
            provenance=dict(said.provenance),
            files=tuple(rows),
            job_id=run.job_id,
            generator=run.order.generator,
            seed=run.seed,
            params=dict(run.order.params),
            time=run.ended,
        )

    def _write(self, name: str, data: memoryview) -> bool:
        """Go on with a file; True when it is whole, and only then has it its name."""
        if self._part is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._part = open(self._folder / f"{name}.part", "wb")  # noqa: SIM115 - written in steps
        at = self._part.tell()
        self._part.write(data[at : at + STEP_BYTES])
        if at + STEP_BYTES < len(data):
            return False
        self._part.close()
        self._part = None
        os.replace(self._folder / f"{name}.part", self._folder / name)
        return True

    def stop(self) -> None:
        """Let go of a file that is half written; a full disk refuses its closing too."""
        if self._part is not None:
            with contextlib.suppress(OSError):
                self._part.close()
            self._part = None


def asset_name(run: Run, digest: str, announced: str, kind: str) -> str:
    """What the artist will see: the asset's own name, or what was asked for."""
    own = next((made.name for made in run.assets if made.digest == digest and made.name), "")
    return own or (announced if announced != "result" else "") or run.order.label or run.order.title or kind


def sweep(folder: Path, keep: Iterable[str]) -> None:
    """Remove every folder in it that has none of these names."""
    kept = set(keep)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def discard(path: str, folder: Path) -> None:
    """Remove a file that has been sent with the folder it is in, when it was made for that: it lies in `folder`."""
    if path and Path(path).parent.parent == folder:
        shutil.rmtree(Path(path).parent, ignore_errors=True)
