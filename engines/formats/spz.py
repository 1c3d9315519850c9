"""SPZ: splats quantised and compressed (Niantic's format), versions 1 to 4.

The format is self-describing: right, up, back (RUB) and metres, which is the neutral convention, so nothing is
turned for any host. (npm splat-transform agrees; some other readers leave out the flip from PLY's axes.) A file may
state other axes in an extension, `SPZ_ADOBE_coordinate_system`; it is followed, all other extensions are skipped.

Body: positions as 24-bit fixed point (version 1: half floats), opacity 8 bits, colour 8 bits, log-scale in
sixteenths, rotation as the three smallest components in 10 bits each (before version 3: x, y, z in 8 bits),
harmonics 8 bits. Versions 1 to 3 are one gzip stream, or bare; version 4 is six zstd streams behind a table. Of
harmonics of degree 4, which neutral clouds have no place for, the first three degrees are read.

What is written comes back within half a step:

- position: 2^-(bits + 1) metres, where `bits` is at most 16 and as many as the extent allows;
- opacity: 1/510; scale: a factor of e^(1/32), held within e^-10 … e^5.9375 metres;
- degree-0 harmonic: 1/76.5, held within ±3.33; higher harmonics: 1/256, held within -1 … 127/128;
- rotation: 0.0007 per small component, which is 0.3° at most. Version 2: 0.004 in x, y, z, while w is what
  remains of length 1, so that near half turns it can be off by 0.1. The sign of the quaternion may change.

Source: the format's reference code and its description, and files of every version made by other tools.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engines.assets import Splats
from engines.conventions import Axes, Direction, Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_splats
from engines.kinds import Kind
from engines.memory import check_splats_memory
from engines.spherical_harmonics import COEFFICIENTS, degree_of
from engines.splat_values import log_from_scale, scale_from_log, unit_quaternions
from engines.transforms import NEUTRAL, Frame, move_splats

MEDIA_TYPE = "application/x-spz"
MAGIC = b"NGSP"
COLOUR_SCALE = 0.15
MOST_FRACTION_BITS = 16
"""15 micrometres: finer costs bytes and shows nothing."""

Version = Literal[2, 3, 4]
_HEADER = struct.Struct("<4sIIBBBB")
_HEADER_V4 = struct.Struct("<4sIIBBBBI12x")
_NAMES = ("positions", "alphas", "colours", "scales", "rotations", "harmonics")
_ANTIALIASED, _EXTENDED = 1, 2
_AXES_EXTENSION = 0xADBE0003
_AXES = (
    "LDB", "RDB", "LUB", "RUB", "LDF", "RDF", "LUF", "RUF", "LFD", "RFD", "LFU", "RFU", "LBD", "RBD", "LBU", "RBU"
)  # fmt: skip
"""What the numbers from 1 on in that extension say of x, y and z."""
_WORDS: dict[str, Direction] = {
    "L": "left", "R": "right", "U": "up", "D": "down", "B": "back", "F": "forward"
}  # fmt: skip
_EXTENSIONS_MOST_BYTES = 1 << 20
_FILE_COEFFICIENTS = (0, 3, 8, 15, 24)
"""Harmonics above degree 0 by degree, as files may have them."""
_SAMPLE_BYTES = 1 << 17
_SQRT_HALF = float(np.sqrt(0.5))


def encode(
    asset: Splats,
    folder: Path,
    stem: str,
    *,
    host: Host,
    provenance: str = "",
    version: Version = 3,
    sh_bits: tuple[int, int] = (8, 8),
    antialiased: bool = False,
) -> list[ExportedFile]:
    """Write `stem.spz`. `sh_bits` keeps fewer bits of degree 1 and of higher degrees (the reference keeps 5, 4).

    Version 3 is read the most widely; 4 is smaller and quicker. `antialiased` sets the flag of a cloud that was trained
    for the Mip-Splatting filter, which a neutral cloud does not tell. Provenance has no place in this format.
    Raises `UnsuitableAsset`.
    """
    check_splats(asset)
    if not all(1 <= bits <= 8 for bits in sh_bits):
        raise UnsuitableAsset(f"harmonics are kept in 1 to 8 bits, not {sh_bits}")
    bits = _fraction_bits(asset)
    streams = _packed(asset, version, bits, sh_bits)
    count, degree = len(asset.positions), degree_of(asset.sh.shape[1])
    flags = _ANTIALIASED if antialiased else 0
    path = folder / f"{stem}.spz"
    if version < 4:
        data = _gzipped([_HEADER.pack(MAGIC, version, count, degree, bits, flags, 0), *streams])
    else:
        data = _v4_file(streams, count, degree, bits, flags)
    path.write_bytes(data)
    return [ExportedFile(path.name, "splats", MEDIA_TYPE, None, len(data))]


def decode(path: Path, limits: Limits) -> Splats:
    """Splats of an SPZ file of any version. Raises `DamagedFile` or `TooLarge`."""
    size = path.stat().st_size
    if size > limits.max_file_bytes:
        raise TooLarge(f"{path.name} has {size} bytes, more than the limit of {limits.max_file_bytes}")
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        return _from_body(_Gunzip(data), limits, path.stem)
    if data[:4] != MAGIC or len(data) < _HEADER.size:
        raise DamagedFile(f"{path.name} is no SPZ file: it begins with neither NGSP nor a gzip header")
    if struct.unpack_from("<I", data, 4)[0] == 4:
        return _from_v4(data, limits, path.stem)
    return _from_body(_Bare(data), limits, path.stem)


def _fraction_bits(splats: Splats) -> int:
    extent = float(np.abs(splats.positions).max(initial=0))
    for bits in range(MOST_FRACTION_BITS, -1, -1):
        if round(extent * 2**bits) < 2**23:
            return bits
    raise UnsuitableAsset(f"SPZ reaches 8388 km from the origin; this cloud reaches {extent:.0f} m")


def _packed(splats: Splats, version: int, bits: int, sh_bits: tuple[int, int]) -> list[bytes]:
    fixed = np.round(splats.positions.astype(np.float64) * 2**bits).astype("<i4")
    positions = fixed.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    quaternions = unit_quaternions(splats.rotations)
    return [
        positions,
        _u8(splats.opacities * 255),
        _u8((splats.sh[:, 0] * COLOUR_SCALE + 0.5) * 255),
        _u8((log_from_scale(splats.scales) + 10) * 16),
        _xyz_bytes(quaternions) if version < 3 else _smallest_three(quaternions),
        _harmonic_bytes(splats.sh, sh_bits),
    ]


def _u8(values: NDArray[Any]) -> bytes:
    codes: NDArray[np.uint8] = np.clip(np.round(values), 0, 255).astype(np.uint8)
    return codes.tobytes()


def _harmonic_bytes(sh: NDArray[np.float32], sh_bits: tuple[int, int]) -> bytes:
    parts = []
    for part, bits in ((sh[:, 1:4], sh_bits[0]), (sh[:, 4:], sh_bits[1])):
        step = 2 ** (8 - bits)
        # Steps are counted from the middle code, 128, so that zero stays exactly zero.
        codes = np.round(part * (128 / step)) * step + 128
        parts.append(np.clip(codes, 0, 255).astype(np.uint8))
    return bytes(np.concatenate(parts, axis=1).tobytes())


def _xyz_bytes(wxyz: NDArray[np.float32]) -> bytes:
    positive = np.where(wxyz[:, :1] < 0, -wxyz, wxyz)
    return _u8((positive[:, 1:] + 1) * 127.5)


def _smallest_three(wxyz: NDArray[np.float32]) -> bytes:
    """32 bits: which of x, y, z, w is largest, then sign and 9 bits of each other one, in that order."""
    xyzw = wxyz[:, [1, 2, 3, 0]]
    largest = np.argmax(np.abs(xyzw), axis=1)
    negate = np.take_along_axis(xyzw, largest[:, None], axis=1)[:, 0] < 0
    packed = largest.astype(np.uint32)
    for at in range(4):
        size = np.minimum(np.round(np.abs(xyzw[:, at]) * (511 / _SQRT_HALF)), 511).astype(np.uint32)
        sign = ((xyzw[:, at] < 0) != negate).astype(np.uint32)
        packed = np.where(largest == at, packed, (packed << np.uint32(10)) | (sign << np.uint32(9)) | size)
    return bytes(packed.astype("<u4").tobytes())


def _gzipped(streams: list[bytes]) -> bytes:
    """One gzip stream of all of them, each by the strategy that suits it.

    Quantised harmonics hardly ever repeat, so looking for repetitions costs fifteen times what Huffman codes and runs
    do, and makes the result larger. Regular clouds do repeat, which a sample tells.
    """
    parts, check, length = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"], 0, 0
    for stream in streams:
        sample = _sample(stream)
        runs, repeats = (len(_deflated(sample, strategy)) for strategy in (zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY))
        parts.append(_deflated(stream, zlib.Z_RLE if runs <= 1.05 * repeats else zlib.Z_DEFAULT_STRATEGY))
        check, length = zlib.crc32(stream, check), length + len(stream)
    ending = zlib.compressobj(wbits=-15).flush()
    return b"".join([*parts, ending, struct.pack("<II", check, length & 0xFFFFFFFF)])


def _sample(stream: bytes) -> bytes:
    start = max(0, len(stream) // 2 - _SAMPLE_BYTES // 2)
    return stream[start : start + _SAMPLE_BYTES]


def _deflated(data: bytes, strategy: int) -> bytes:
    """Raw deflate blocks that end on a byte, without a last one."""
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15, 9, strategy)
    return squeeze.compress(data) + squeeze.flush(zlib.Z_FULL_FLUSH)


def _v4_file(streams: list[bytes], count: int, degree: int, bits: int, flags: int) -> bytes:
    import zstandard

    kept = streams if degree else streams[:-1]
    packed = []
    for stream in kept:
        # As above: what does not repeat is smaller, and ten times as quick, when no repetition is looked for.
        quick, thorough = (zstandard.ZstdCompressor(level=level) for level in (1, 6))
        sample = _sample(stream)
        plain = len(quick.compress(sample)) <= 1.05 * len(thorough.compress(sample))
        packed.append((quick if plain else thorough).compress(stream))
    head = _HEADER_V4.pack(MAGIC, 4, count, degree, bits, flags, len(kept), _HEADER_V4.size)
    table = b"".join(struct.pack("<QQ", len(small), len(large)) for small, large in zip(packed, kept, strict=True))
    return b"".join([head, table, *packed])


class _Bare:
    """Bytes taken from the front of a file that is not compressed."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def rest(self, most: int) -> bytes:
        """What is left, up to `most` bytes."""
        return self._data[self._at : self._at + most]

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises `DamagedFile` if there are fewer."""
        if size > len(self._data) - self._at:
            raise DamagedFile(f"the file ends {size - len(self._data) + self._at} bytes early")
        self._at += size
        return self._data[self._at - size : self._at]


class _Gunzip:
    """Bytes taken from the front of a gzip stream; never inflates more than is asked for."""

    def __init__(self, data: bytes) -> None:
        self._stream, self._rest = zlib.decompressobj(wbits=31), data

    def rest(self, most: int) -> bytes:
        """What is left, up to `most` bytes; what is broken in it is left out."""
        parts, length = [], 0
        while length < most and not self._stream.eof:
            try:
                more = self._stream.decompress(self._rest, most - length)
            except zlib.error:
                break
            self._rest = self._stream.unconsumed_tail
            if not more:
                break
            parts.append(more)
            length += len(more)
        return b"".join(parts)

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises `DamagedFile` if the stream is broken or ends early."""
        if size == 0:
            return b""
        try:
            taken = self._stream.decompress(self._rest, size)
            self._rest = self._stream.unconsumed_tail
            while len(taken) < size and not self._stream.eof:
                more = self._stream.decompress(self._rest, size - len(taken))
                if not more:
                    break
                taken, self._rest = taken + more, self._stream.unconsumed_tail
        except zlib.error as error:
            raise DamagedFile(f"the gzip stream is broken: {error}") from error
        if len(taken) < size:
            raise DamagedFile(f"the file ends {size - len(taken)} bytes early")
        return taken


def _from_body(source: _Bare | _Gunzip, limits: Limits, name: str) -> Splats:
    magic, version, count, degree, bits, flags, _ = _HEADER.unpack(source.take(_HEADER.size))
    if magic != MAGIC or version not in (1, 2, 3):
        raise DamagedFile(f"expected an SPZ header of version 1, 2 or 3, got {magic!r} version {version}")
    sizes = _stream_sizes(version, count, degree, bits, limits)
    cloud = _unpacked([source.take(size) for size in sizes], version, degree, bits, name)
    return _turned(cloud, source.rest(_EXTENSIONS_MOST_BYTES)) if flags & _EXTENDED else cloud


def _from_v4(data: bytes, limits: Limits, name: str) -> Splats:
    import zstandard

    if len(data) < _HEADER_V4.size:
        raise DamagedFile("the file ends within its header")
    _, _, count, degree, bits, flags, streams, at = _HEADER_V4.unpack_from(data)
    sizes = _stream_sizes(4, count, degree, bits, limits)
    wanted = 6 if degree else 5
    if streams < wanted or at + 16 * streams > len(data):
        raise DamagedFile(f"the table names {streams} streams at byte {at}, expected at least {wanted} in the file")
    offset = at + 16 * streams
    parts = []
    for which in range(wanted):
        packed, unpacked = struct.unpack_from("<QQ", data, at + 16 * which)
        if packed > len(data) - offset or unpacked != sizes[which]:
            raise DamagedFile(f"the stream of {_NAMES[which]} has {unpacked} bytes, expected {sizes[which]}")
        try:
            reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(data[offset : offset + packed])
            part = reader.read(sizes[which]) if sizes[which] else b""
        except zstandard.ZstdError as error:
            raise DamagedFile(f"the stream of {_NAMES[which]} is broken: {error}") from error
        if len(part) != sizes[which]:
            raise DamagedFile(f"the stream of {_NAMES[which]} ends early")
        parts.append(part)
        offset += packed
    cloud = _unpacked([*parts, b""][:6], 4, degree, bits, name)
    return _turned(cloud, data[_HEADER_V4.size : at]) if flags & _EXTENDED else cloud


def _turned(cloud: Splats, extensions: bytes) -> Splats:
    """The neutral cloud of one in the axes that its extensions state: records of a type, a length and as many bytes."""
    at = 0
    while at + 8 <= len(extensions):
        kind, size = struct.unpack_from("<II", extensions, at)
        if kind == _AXES_EXTENSION and size == 4 and at + 12 <= len(extensions):
            (number,) = struct.unpack_from("<I", extensions, at + 8)
            if number > len(_AXES):
                raise DamagedFile(f"the file states axes of the number {number}, expected 1 to {len(_AXES)}")
            x, y, z = (_WORDS[letter] for letter in (_AXES[number - 1] if number else "RUB"))
            return move_splats(cloud, NEUTRAL, Frame(Axes(x, y, z)))
        at += 8 + size
    return cloud


def _stream_sizes(version: int, count: int, degree: int, bits: int, limits: Limits) -> list[int]:
    if count > limits.max_elements:
        raise TooLarge(f"the file declares {count} splats, more than the limit of {limits.max_elements}")
    if degree >= len(_FILE_COEFFICIENTS) or bits > 30:
        raise DamagedFile(f"degree {degree} with {bits} fraction bits; up to 4 and 30 are read")
    check_splats_memory(count, 1 + _FILE_COEFFICIENTS[degree], limits.max_memory_bytes, "the file")
    position, rotation = (6 if version == 1 else 9), (3 if version < 3 else 4)
    return [count * each for each in (position, 1, 3, 3, rotation, 3 * _FILE_COEFFICIENTS[degree])]


def _unpacked(streams: list[bytes], version: int, degree: int, bits: int, name: str) -> Splats:
    positions, alphas, colours, scales, rotations, harmonics = (np.frombuffer(part, np.uint8) for part in streams)
    count, kept = len(alphas), min(_FILE_COEFFICIENTS[degree], COEFFICIENTS[-1] - 1)
    sh = np.empty((count, 1 + kept, 3), np.float32)
    sh[:, 0] = (colours.reshape(-1, 3) / np.float32(255) - np.float32(0.5)) / np.float32(COLOUR_SCALE)
    rest = harmonics.reshape(count, _FILE_COEFFICIENTS[degree], 3)[:, :kept]
    sh[:, 1:] = (rest.astype(np.float32) - 128) / 128
    quaternions = _wxyz_from_bytes(rotations) if version < 3 else _wxyz_from_smallest_three(rotations)
    return Splats(
        positions=_half_positions(positions) if version == 1 else _fixed_positions(positions, bits),
        rotations=unit_quaternions(quaternions),
        scales=scale_from_log(scales.reshape(-1, 3) / 16.0 - 10.0),
        opacities=(alphas / 255).astype(np.float32),
        sh=sh,
        name=name,
    )


def _half_positions(data: NDArray[np.uint8]) -> NDArray[np.float32]:
    positions = data.view("<f2").reshape(-1, 3).astype(np.float32)
    if not np.isfinite(positions).all():
        raise DamagedFile("a position is not finite")
    return positions


def _fixed_positions(data: NDArray[np.uint8], bits: int) -> NDArray[np.float32]:
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = data.reshape(-1, 3)  # into the upper bytes, so that the shift below extends the sign
    fixed = (wide.view("<i4")[:, 0] >> 8).reshape(-1, 3)
    return (fixed * 2.0**-bits).astype(np.float32)


def _wxyz_from_bytes(data: NDArray[np.uint8]) -> NDArray[np.float64]:
    xyz = data.reshape(-1, 3) / 127.5 - 1.0
    w = np.sqrt(np.maximum(0.0, 1.0 - (xyz * xyz).sum(axis=1, keepdims=True)))
    return np.concatenate([w, xyz], axis=1)


def _wxyz_from_smallest_three(data: NDArray[np.uint8]) -> NDArray[np.float64]:
    packed = data.view("<u4").astype(np.uint32)
    largest = packed >> 30
    xyzw = np.zeros((len(packed), 4))
    for at in range(3, -1, -1):
        size = (packed & 511) * (_SQRT_HALF / 511)
        value = np.where((packed >> 9) & 1, -size, size)
        xyzw[:, at] = np.where(largest == at, 0.0, value)
        packed = np.where(largest == at, packed, packed >> 10)
    rest = np.sqrt(np.maximum(0.0, 1.0 - (xyzw * xyzw).sum(axis=1)))
    np.put_along_axis(xyzw, largest[:, None].astype(np.int64), rest[:, None], axis=1)
    return xyzw[:, [3, 0, 1, 2]]


FORMATS = (
    Format(
        name="spz",
        title="SPZ",
        kinds=(Kind.SPLATS,),
        extension=".spz",
        media_type=MEDIA_TYPE,
        encode="engines.formats.spz:encode",
        decode="engines.formats.spz:decode",
        needs=("zstandard",),
    ),
)
