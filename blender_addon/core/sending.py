# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of one run on their way to the bridge: folders are packed first, then everything is sent."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path

from .client_core import Client, ScenecastError, Upload
from .landing import discard
from .packing import Packing
from .runs import Run, Source


class Sending:
    """All inputs of a run that the bridge does not have; `folder` is where they may wait meanwhile.

    Raises `ScenecastError` when one cannot be read.
    """

    def __init__(self, client: Client, run: Run, folder: Path) -> None:
        self.error: ScenecastError | None = None
        self._client, self._run, self._folder = client, run, folder
        self._packings: dict[str, Packing] = {}
        self._uploads: dict[str, Upload] = {}
        self._packed = False
        try:
            for port, source in run.order.inputs.items():
                if source.path and os.path.isdir(source.path):
                    archive = folder / uuid.uuid4().hex[:12] / "capture.zip"
                    self._packings[port] = Packing(source.path, archive)
                elif not source.digest:
                    self._upload(port, source, source.path or source.data)
        except ScenecastError:
            self.stop("another input cannot be read")
            raise

    @property
    def needed(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._packings or self._uploads)

    @property
    def packing(self) -> bool:
        """Whether a folder waits to be packed."""
        return bool(self._packings)

    def step(self, end: float) -> bool:
        """Go on until `time.perf_counter()` is `end`; True when the bridge has everything, and the run says so.

        What goes wrong is kept in `error`.
        """
        try:
            self._pack(end)
        except ScenecastError as error:
            self.error = error
            return False
        for upload in self._uploads.values():
            if upload.done and upload.error is not None:
                self.error = ScenecastError(
                    f"The input could not be sent: {upload.error.message}", remedy=upload.error.remedy
                )
                return False
        self._say()
        if self._packings or not all(upload.done for upload in self._uploads.values()):
            return False
        inputs = self._run.order.inputs
        for port, upload in self._uploads.items():
            row = upload.value
            discard(inputs[port].path, self._folder)
            inputs[port] = replace(inputs[port], digest=row.digest, kind=row.kind, data=b"", path="")
        return True

    def stop(self, reason: str) -> None:
        """Send no more of it."""
        for packing in self._packings.values():
            packing.stop()
        for upload in self._uploads.values():
            if not upload.done:
                upload.fail(ScenecastError(reason))

    def _pack(self, end: float) -> None:
        while self._packings and time.perf_counter() < end:
            port, packing = next(iter(self._packings.items()))
            if packing.step():
                del self._packings[port]
                self._packed = True
                self._upload(port, self._run.order.inputs[port], str(packing.archive))
                self._uploads[port].then(partial(discard, str(packing.archive), self._folder))

    def _upload(self, port: str, source: Source, what: str | bytes) -> None:
        self._uploads[port] = self._client.start_upload(what, name=source.title, media_type=source.media_type)

    def _say(self) -> None:
        """How far it is: packing is the first third of the bar where there is any."""
        if self._packings:
            size = sum(packing.size_bytes for packing in self._packings.values())
            self._run.stage = "packing the photographs"
            self._run.fraction = sum(packing.packed_bytes for packing in self._packings.values()) / max(1, size) / 3
            return
        size = sum(upload.size_bytes for upload in self._uploads.values())
        sent = sum(upload.sent_bytes for upload in self._uploads.values()) / max(1, size)
        self._run.stage = "sending the photographs" if self._packed else ""
        self._run.fraction = 1 / 3 + sent * 2 / 3 if self._packed else sent
