"""The table of file formats: what each holds, and where its encoder and decoder live.

Every file in this folder ends in `FORMATS`, a tuple of `Format` rows. Its top level imports only the standard
library, numpy and this room, so reading all rows is cheap; the codec is imported inside the functions.

The two signatures, the same for every format:

    def encode(asset, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]
        Write `folder / (stem + extension)`, or several files whose names begin with `stem`, and name them in
        the order in which a person would look at them. The asset is neutral: the encoder turns it into what
        the format's specification asks for (GLB and USD are always +Y up and metres, because every
        importer converts). Image encoders write the pixels they are given: packing and the direction of
        normal maps are `engines.packing`'s. `provenance` is a JSON string, embedded where the format has a
        place for it. The same arguments give the same bytes.

    def decode(path: Path, limits: Limits) -> Asset
        Read a file of unknown origin into a neutral asset. Sizes declared in the file are checked against the
        limits and the file's length before memory is asked for. Raises `DamagedFile` or `TooLarge`.

Options that a caller may want to tune are further keyword arguments with defaults.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from engines import formats as _package
from engines.assets import Asset
from engines.conventions import Host
from engines.errors import FormatUnavailable, UnknownFormat
from engines.extras import how_to_get
from engines.kinds import ColourSpace, Kind
from engines.memory import most_decode_bytes

_FURTHER_EXTENSIONS = {".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".mov"}
"""Of files that are read under another name, or only inside captures."""


@dataclass(frozen=True)
class Format:
    """One row: a file format, the kinds of asset it holds, and where its code lives.

    `encode` and `decode` are `"module:function"`; `decode` is None for formats that are only written. `needs`
    are import names of packages beyond numpy.
    """

    name: str
    title: str
    kinds: tuple[Kind, ...]
    extension: str
    """With its dot: ".png"."""
    media_type: str
    encode: str
    decode: str | None = None
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Keyword arguments of `encode` that `engines.export` sets where named here: "depth", "effort", "alpha"."""


@dataclass(frozen=True)
class ExportedFile:
    """One file that was written.

    `role` says what it is for: "image", "clip", "frame", "mesh", "splats", "field", "sound", "scene",
    "capture", the name of a map or packed map ("base_color", "orm"), or "description" for a JSON sidecar.
    """

    file: str
    """Name inside the folder, without any separator."""
    role: str
    media_type: str
    colour_space: ColourSpace | None
    """None when the file is no picture."""
    bytes: int


@dataclass(frozen=True)
class Limits:
    """What a decoder may ask of memory; everything is checked before it is allocated."""

    max_pixels: int = 2**28
    """Width × height of a picture or frame (16384²)."""
    max_clip_pixels: int = 2**31
    """Width × height × frames of a clip."""
    max_samples: int = 2**28
    """Frames × channels of a sound."""
    max_elements: int = 2**26
    """Vertices, faces or splats."""
    max_memory_bytes: int = field(default_factory=most_decode_bytes)
    """All that reading one file may take at its peak."""
    max_file_bytes: int = 2**33
    max_entries: int = 20_000
    """Files in an archive; unpacked they may take `max_file_bytes` together."""


class Encode(Protocol):
    """See the module's docstring."""

    def __call__(
        self, asset: Any, folder: Path, stem: str, *, host: Host, provenance: str = "", **options: Any
    ) -> list[ExportedFile]:
        """Write the asset and name the files."""


class Decode(Protocol):
    """See the module's docstring."""

    def __call__(self, path: Path, limits: Limits) -> Asset:
        """Read a file of unknown origin."""


@cache
def formats() -> Mapping[str, Format]:
    """All rows by name, in the order of their files' names; loads no codec."""
    rows: dict[str, Format] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(_package.__path__)):
        if module == "registry":
            continue
        for row in importlib.import_module(f"{_package.__name__}.{module}").FORMATS:
            if row.name in rows:
                raise ValueError(f"two files declare the format {row.name!r}")
            rows[row.name] = row
    return MappingProxyType(rows)


def format_named(name: str, kind: Kind | None = None) -> Format:
    """The row of that name; with `kind`, only if it holds that kind. Raises `UnknownFormat` naming what would do."""
    row = formats().get(name)
    fitting = [other.name for other in formats().values() if kind is None or kind in other.kinds]
    if row is None or row.name not in fitting:
        thing = "a file" if kind is None else f"an asset of kind {kind}"
        raise UnknownFormat(f"{name!r} is no format for {thing}", remedy=f"use one of {', '.join(fitting)}")
    return row


def without_extension(name: str) -> str:
    """The name of a file without the extension of a format that is known: `rock.glb` is of a `rock`, `v1.2` stays."""
    known = {row.extension for row in formats().values()} | _FURTHER_EXTENSIONS
    found = max((one for one in known if name.lower().endswith(one)), key=len, default="")
    return name[: len(name) - len(found)]


def missing_need(row: Format) -> str:
    """The first package the format lacks on this machine; empty when it is ready to use."""
    for module in row.needs:
        if importlib.util.find_spec(module) is None:
            return module
    return ""


def encoder(row: Format) -> Encode:
    """The row's encoder, its codec present. Raises `FormatUnavailable`."""
    return cast(Encode, _load(row, row.encode))


def decoder(row: Format) -> Decode:
    """The row's decoder, its codec present. Raises `FormatUnavailable`, or `UnknownFormat` if it cannot be read."""
    if row.decode is None:
        readable = ", ".join(other.name for other in formats().values() if other.decode)
        raise UnknownFormat(f"{row.title} files are written, not read", remedy=f"use one of {readable}")
    return cast(Decode, _load(row, row.decode))


def _load(row: Format, where: str) -> object:
    module = missing_need(row)
    if module:
        raise FormatUnavailable(
            f"{row.title} needs the Python package {module!r}, which is not installed",
            remedy=f"beside the bridge: {how_to_get(module)}; or choose another format",
        )
    name, _, function = where.partition(":")
    return cast(object, getattr(importlib.import_module(name), function))
