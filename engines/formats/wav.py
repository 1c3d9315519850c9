"""WAV (RIFF/WAVE, Microsoft 1991; multichannel 2007): PCM of 16 and 24 bits, and float."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Sound
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.kinds import Kind
from engines.memory import check_memory
from engines.raster import check_file_size

Depth = Literal[16, 24, 32]
"""Bits a sample: 16 and 24 are integers, 32 is float."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST_BYTES = 2**32 - 2**16
_SAMPLE_BYTES = 20
"""A sample as it is stored, in double precision and in single."""
"""RIFF counts its length in 32 bits."""
_IN_DS64 = 2**32 - 1
"""In RF64 the length of the samples stands in the chunk `ds64` where `data` says this."""


def encode(
    asset: Sound, folder: Path, stem: str, *, host: Host, provenance: str = "", depth: Depth = 16
) -> list[ExportedFile]:
    """Write one WAV; 16 bits by default, which every host imports. Samples beyond -1..1 are clipped in PCM.

    A sound that loops gets a `smpl` chunk with one loop over its whole length; provenance goes into `LIST INFO`.
    """
    count, channels = asset.samples.shape
    if not 1 <= channels <= 64 or count * channels * depth // 8 > _MOST_BYTES:
        raise UnsuitableAsset(f"sound {asset.name!r} has {count} × {channels} samples, more than a WAV file holds")
    data = _coded(asset.samples, depth)
    block = channels * depth // 8
    kind = _FLOAT if depth == 32 else _PCM
    chunks = [(b"fmt ", struct.pack("<HHIIHH", kind, channels, asset.rate_hz, asset.rate_hz * block, block, depth))]
    if kind == _FLOAT:
        # Other than PCM asks for an (empty) extension and the count of sample frames.
        chunks = [(b"fmt ", chunks[0][1] + struct.pack("<H", 0)), (b"fact", struct.pack("<I", count))]
    if asset.loops and count:
        period = round(1e9 / asset.rate_hz)
        chunks.append((b"smpl", struct.pack("<15I", 0, 0, period, 60, 0, 0, 0, 1, 0, 0, 0, 0, count - 1, 0, 0)))
    if provenance:
        text = provenance.encode() + b"\x00"
        chunks.append((b"LIST", b"INFO" + b"ICMT" + struct.pack("<I", len(text)) + text + b"\x00" * (len(text) % 2)))
    path = folder / f"{stem}.wav"
    size = _write(path, [*chunks, (b"data", data)])
    return [ExportedFile(path.name, "sound", "audio/wav", None, size)]


def decode(path: Path, limits: Limits) -> Sound:
    """Read PCM of 8 to 32 bits or float of 32 or 64 bits as float32 samples in -1..1. Raises `DamagedFile`, `TooLarge`.

    RF64 (EBU Tech 3306) is read too. What follows the last whole chunk is left aside, as players do.
    """
    check_file_size(path, limits)
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
            raise DamagedFile(f"{path.name} does not begin like a WAV file")
        layout: tuple[int, int, int, int] | None = None
        samples: FloatArray | None = None
        loops, long_size = False, 0
        for name, size in _chunks(file):
            if name == b"fmt ":
                layout = _layout(file.read(min(size, 40)), path.name)
            elif name == b"ds64":
                long_size = int.from_bytes(file.read(min(size, 16))[8:], "little")
            elif name == b"smpl":
                fields = file.read(min(size, 36))
                loops = len(fields) == 36 and struct.unpack("<9I", fields)[7] > 0
            elif name == b"data" and samples is None:
                if layout is None:
                    raise DamagedFile(f"{path.name} has samples before it says what they are")
                told = long_size if long_size and size == _IN_DS64 else size
                samples = _samples(file, told, layout, limits, path.name)
    if layout is None or samples is None:
        raise DamagedFile(f"{path.name} holds no samples")
    return Sound(samples, layout[2], loops, path.stem)


def _coded(samples: FloatArray, depth: Depth) -> bytes:
    if depth == 32:
        return np.ascontiguousarray(samples).astype("<f4", copy=False).tobytes()
    highest = 2 ** (depth - 1)
    scaled = np.nan_to_num(samples.astype(np.float64), nan=0.0) * highest
    codes = np.clip(np.rint(scaled), -highest, highest - 1).astype("<i4")
    # The low bytes of a little-endian integer are the shorter integer.
    low: NDArray[np.uint8] = codes.reshape(-1, 1).view(np.uint8)[:, : depth // 8]
    return low.tobytes()


def _write(path: Path, chunks: list[tuple[bytes, bytes]]) -> int:
    total = 4 + sum(8 + len(body) + len(body) % 2 for _, body in chunks)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", total) + b"WAVE")
        for name, body in chunks:
            file.write(name + struct.pack("<I", len(body)))
            file.write(body + b"\x00" * (len(body) % 2))
        return file.tell()


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and length of every chunk; whatever the caller read of it, the next one is found."""
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        start = file.tell()
        yield head[:4], size
        file.seek(start + size + size % 2)


def _layout(body: bytes, name: str) -> tuple[int, int, int, int]:
    """Sample kind, channels, rate and bits of a `fmt ` chunk."""
    if len(body) < 16:
        raise DamagedFile(f"{name} has a format chunk of {len(body)} bytes, expected 16 or more")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", body[:16])
    if kind == _EXTENSIBLE and len(body) >= 26:
        kind = struct.unpack("<H", body[24:26])[0]
    known = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
    if bits not in known.get(kind, ()) or not 1 <= channels <= 64 or block != channels * bits // 8:
        raise DamagedFile(f"{name} holds samples of kind {kind} with {bits} bits in {channels} channels")
    if not 1 <= rate <= 1_000_000:
        raise DamagedFile(f"{name} declares {rate} samples a second")
    return kind, channels, rate, bits


def _samples(file: BinaryIO, size: int, layout: tuple[int, int, int, int], limits: Limits, name: str) -> FloatArray:
    kind, channels, _, bits = layout
    width = bits // 8
    if size // width > limits.max_samples:
        raise TooLarge(f"{name} has {size // width} samples, more than the limit of {limits.max_samples}")
    check_memory(size // width * _SAMPLE_BYTES, limits.max_memory_bytes, name, "shorten it")
    left = _left(file)
    if size > left:
        raise DamagedFile(f"{name} declares {size} bytes of samples and has {left}")
    data = file.read(size - size % (width * channels))
    return _decoded(data, kind, bits).reshape(-1, channels)


def _left(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end - here


def _decoded(data: bytes, kind: int, bits: int) -> FloatArray:
    if kind == _FLOAT:
        return np.frombuffer(data, f"<f{bits // 8}").astype(np.float32)
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    if bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        codes = wide.view("<i4")[:, 0] >> 8
    else:
        codes = np.frombuffer(data, f"<i{bits // 8}")
    return (codes / np.float64(2 ** (bits - 1))).astype(np.float32)


FORMATS = (
    Format(
        name="wav",
        title="WAV",
        kinds=(Kind.SOUND,),
        extension=".wav",
        media_type="audio/wav",
        encode="engines.formats.wav:encode",
        decode="engines.formats.wav:decode",
    ),
)
