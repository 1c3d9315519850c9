"""Files on their way to the bridge: hashed in small steps, offered by digest, sent in chunks when wanted."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any, BinaryIO, Optional, Union

from . import folders
from .errors import ScenecastError
from .frames import encode
from .messages import AssetRow, UploadState
from .replies import Reply
from .transfers import Spool

HASH_BYTES = 1 << 20
"""Hashed in one step; about half a millisecond."""
Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]


class Upload(Reply[AssetRow]):
    """One file on its way; its `value` is the asset that the bridge made of it."""

    def __init__(self, request_id: str, source: Source, *, name: str = "", media_type: str = "") -> None:
        super().__init__()
        self.request_id = request_id
        self.name = name
        self._file = self._open(source)
        self.size_bytes = self._file.seek(0, os.SEEK_END)
        self._file.seek(0)
        self.media_type = media_type
        """What the sender claims; empty leaves it to the bridge, which reads the content in any case."""
        self.digest = ""
        """SHA-256, once the whole file has been read."""
        self.sent_bytes = 0
        self.skipped = False
        """True when the bridge had the file already."""
        self._hash = hashlib.sha256()
        self._upload = ""
        self.bridge_name = ""
        """What the bridge calls the upload; its refusal of the bytes names that."""
        self.then(self._file.close)

    def _open(self, source: Source) -> BinaryIO:
        if isinstance(source, (bytes, bytearray, memoryview)):
            return io.BytesIO(source)
        path = os.fspath(source)
        self.name = self.name or os.path.basename(path)
        try:
            return open(path, "rb")
        except OSError as error:
            raise ScenecastError(f"{path} cannot be read: {error.strerror}") from error

    def hash_step(self) -> bool:
        """Hash the next portion; True when the digest is known."""
        data = self._file.read(HASH_BYTES)
        self._hash.update(data)
        if not data:
            self.digest = self._hash.hexdigest()
        return bool(self.digest)

    def offer(self) -> dict[str, Any]:
        """What to say to the bridge, also again after a reconnect."""
        self._upload = ""
        return {
            "type": "upload.offer",
            "request_id": self.request_id,
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "media_type": self.media_type,
            "name": self.name,
        }

    def told(self, state: UploadState) -> None:
        """What the bridge said about it."""
        if state.done:
            if state.asset is None:
                self.fail(ScenecastError("the bridge took the file but named no asset"))
                return
            self.skipped = self.sent_bytes == 0 and self.size_bytes > 0
            self.resolve(state.asset)
        elif state.upload:
            self._upload = self.bridge_name = state.upload
            self._file.seek(state.offset)
            self.sent_bytes = state.offset

    @property
    def sending(self) -> bool:
        """True while chunks are wanted."""
        return bool(self._upload) and not self.done

    def next_chunk(self, size_bytes: int) -> Optional[bytes]:
        """The next chunk's frame; None when all is sent."""
        data = self._file.read(size_bytes)
        if not data:
            self._upload = ""
            return None
        header = {"type": "upload.chunk", "upload": self._upload, "offset": self.sent_bytes}
        self.sent_bytes += len(data)
        return encode(header, data)

    def lost(self) -> None:
        """The connection is gone; the bridge will say where to go on."""
        self._upload = ""


def prepared(request_id: str, source: Source, *, name: str, media_type: str, spool: Spool) -> Upload:
    """An upload of a file; a folder of photographs is packed into the spool first, which blocks."""
    packed = ""
    if not isinstance(source, (bytes, bytearray, memoryview)) and os.path.isdir(source):
        packed = spool.new()
        folders.pack(os.fspath(source), packed)
        name = name or os.path.basename(os.path.realpath(source))
    upload = Upload(request_id, packed or source, name=name, media_type=media_type)
    if packed:
        upload.then(lambda: spool.remove(packed))
    return upload
