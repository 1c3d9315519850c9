"""What a job made: files with a path or bytes, to be saved, opened or read as arrays."""

from __future__ import annotations

import mmap
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Union

from . import npy
from .errors import ScenecastError
from .transfers import Delivery, Incoming

if TYPE_CHECKING:
    from .jobs import Job

Folder = Union[str, "os.PathLike[str]"]


class File:
    """One delivered file."""

    def __init__(self, incoming: Incoming) -> None:
        row = incoming.row
        self.name = row.name
        self.role = row.role
        """What it is for: base_color, orm, mesh, …; an array part keeps its own name."""
        self.media_type = row.media_type
        self.size_bytes = row.size_bytes
        self.sha256 = row.sha256
        self.colour_space = row.colour_space
        self.dtype = row.dtype
        """numpy's name of an array part's type; empty for other files."""
        self.shape = tuple(row.shape)
        self._incoming = incoming

    def __repr__(self) -> str:
        return f"<File {self.name} {self.role} {self.size_bytes} bytes>"

    @property
    def path(self) -> str:
        """Where a copy lies on this disk, to be read, not changed; empty when the bytes are only in memory."""
        return self._incoming.path

    def view(self) -> memoryview:
        """The bytes without a copy: the received ones, or the file mapped into memory; read-only."""
        if self._incoming.data is not None:
            return memoryview(self._incoming.data).toreadonly()
        if not self.size_bytes:
            return memoryview(b"")
        with open(self.path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def read(self) -> bytes:
        """The bytes as a copy of one's own."""
        return bytes(self.view())

    def save(self, path: Folder) -> str:
        """Write the file; a file of that name is replaced in one step. Returns the path."""
        target = os.fspath(path)
        part = f"{target}.part-{os.getpid()}"
        if self.path:
            shutil.copyfile(self.path, part)
        else:
            with open(part, "wb") as file:
                file.write(self.view())
        os.replace(part, target)
        return target


class Asset:
    """One produced asset in a host's conventions: its files and what is known of it."""

    def __init__(self, delivery: Delivery, name: str = "") -> None:
        said = delivery.announced
        self.digest = said.digest
        self.kind = said.kind
        self.host = said.host
        self.name = name or said.name or said.kind
        self.meta: dict[str, Any] = said.meta
        self.provenance: dict[str, Any] = said.provenance
        self.files: list[File] = [File(incoming) for incoming in delivery.files]

    def __repr__(self) -> str:
        return f"<Asset {self.kind} {self.name!r} for {self.host}: {', '.join(file.name for file in self.files)}>"

    def file(self, role: str) -> File:
        """The file of that role or name. Raises `ScenecastError` naming those there are."""
        for file in self.files:
            if role in (file.role, file.name):
                return file
        roles = ", ".join(sorted({file.role for file in self.files}))
        raise ScenecastError(f"this {self.kind} has no file {role!r}", remedy=f"It has {roles}.")

    def array(self, name: str) -> npy.Array:
        """An array part of an asset delivered as `neutral`, without a copy. Raises `TransferFailed`."""
        return npy.parse(self.file(name).view())

    def save(self, folder: Folder) -> list[str]:
        """Write all files into the folder, made if need be; the paths."""
        where = os.fspath(folder)
        os.makedirs(where, exist_ok=True)
        return [file.save(os.path.join(where, file.name)) for file in self.files]


class Result(Sequence[Asset]):
    """The assets of one job; most jobs make one."""

    def __init__(self, job: Job, deliveries: Sequence[Delivery]) -> None:
        self.job = job
        self.assets = [Asset(one, job.names.get(one.announced.digest, "")) for one in deliveries]

    def __len__(self) -> int:
        return len(self.assets)

    def __getitem__(self, index: Any) -> Any:
        return self.assets[index]

    def __iter__(self) -> Iterator[Asset]:
        return iter(self.assets)

    def __repr__(self) -> str:
        return f"<Result {self.assets!r}>"

    @property
    def files(self) -> list[File]:
        """The files of all assets."""
        return [file for asset in self.assets for file in asset.files]

    def file(self, role: str) -> File:
        """The first asset's file of that role or name."""
        return self._first().file(role)

    def array(self, name: str) -> npy.Array:
        """The first asset's array part of that name."""
        return self._first().array(name)

    def save(self, folder: Folder) -> list[str]:
        """Write all files: straight into the folder for one asset, into one folder each for several."""
        if len(self.assets) == 1:
            return self.assets[0].save(folder)
        paths: list[str] = []
        taken: dict[str, int] = {}
        for asset in self.assets:
            name = re.sub(r"[^\w.-]+", "_", asset.name).strip("._") or asset.kind
            taken[name] = taken.get(name, 0) + 1
            if taken[name] > 1:
                name = f"{name}_{taken[name]}"
            paths += asset.save(os.path.join(os.fspath(folder), name))
        return paths

    def _first(self) -> Asset:
        if not self.assets:
            raise ScenecastError("the job made no asset")
        return self.assets[0]
