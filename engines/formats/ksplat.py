"""KSPLAT: the container of mkkellogg's GaussianSplats3D (version 0.1), at its three levels of compression.

4096 bytes of header, 1024 for each section, then the sections' data: the sizes of buckets that are not full, the
buckets' centres, the splats. Level 0 holds floats; from level 1 positions are 16-bit steps around a bucket's centre and
the rest half floats; at level 2 harmonics are bytes over a stated range. The axes are those of trained clouds, right,
down, forward, as its readers take them, and metres.

Written at level 1, with harmonics up to degree 2, which is the highest its readers have. That comes back within 0.04 mm
in position (half of 5 m / 65 534), 11 bits in scale, rotation and harmonics, 1/510 in opacity and in colour, which is
held within 0..1.

Source: the reader and writer of that project (SplatBuffer, MIT).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Splats
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_splats, joined_splats
from engines.importance import order_of
from engines.kinds import Kind
from engines.memory import check_memory, splat_bytes
from engines.raster import check_file_size
from engines.splat_values import SCALE_MIN_M, colour_from_dc, dc_from_colour, unit_quaternions
from engines.transforms import NEUTRAL, OPENCV_AXES, Frame, move_splats

MEDIA_TYPE = "application/x-ksplat"
HEADER_BYTES, SECTION_BYTES = 4096, 1024
_HEADER = struct.Struct("<BBxxIIIIHxx3fff")
_SECTION = struct.Struct("<IIIIfHxxIIIIH")
_BLOCK_M, _BUCKET, _RANGE = 5.0, 256, 32767
_MOST_SECTIONS = 1024
_COEFFICIENTS = (1, 4, 9, 16)
_FRAME = Frame(OPENCV_AXES)


@dataclass(frozen=True)
class _Header:
    sections: int
    splats: int
    level: int
    sh_low: float
    sh_high: float


@dataclass(frozen=True)
class _Section:
    """Counts and sizes of one section, and where its parts begin in the file."""

    splats: int
    bucket: int
    buckets: int
    step_m: float
    middle: int
    full: int
    partial: int
    degree: int
    start: int
    centres: int
    data: int
    end: int


def encode(asset: Splats, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.ksplat`; harmonics of degree 3 and provenance have no place in it. Raises `UnsuitableAsset`."""
    check_splats(asset)
    kept = asset.sh[:, :9]
    moved = move_splats(
        Splats(asset.positions, asset.rotations, asset.scales, asset.opacities, kept, asset.name), _FRAME
    )
    order, sizes, centres = _buckets(moved)
    full = int((sizes == _BUCKET).sum())
    rows = np.zeros(len(order), _row(1, _COEFFICIENTS.index(kept.shape[1])))
    offsets = moved.positions[order].astype(np.float64) - np.repeat(centres, sizes, axis=0)
    rows["position"] = np.clip(np.round(offsets * (_RANGE / (_BLOCK_M / 2))) + _RANGE, 0, 2 * _RANGE + 1)
    rows["scale"] = np.clip(moved.scales[order], 2.0**-24, 65504)
    rows["rotation"] = unit_quaternions(moved.rotations[order])
    rows["colour"][:, :3] = np.clip(np.round(colour_from_dc(moved.sh[order, 0]) * 255), 0, 255)
    rows["colour"][:, 3] = np.round(np.clip(moved.opacities[order], 0, 1) * 255)
    if kept.shape[1] > 1:
        rows["sh"] = np.clip(_by_band(moved.sh[order, 1:]), -65504, 65504)
    count = len(order)
    head = _HEADER.pack(0, 1, 1, 1, count, count, 1, 0, 0, 0, -1.5, 1.5)
    storage = 4 * (len(sizes) - full) + 12 * len(sizes) + rows.nbytes
    section = _SECTION.pack(
        count, count, _BUCKET, len(sizes), _BLOCK_M, 12, _RANGE, storage, full, len(sizes) - full,
        _COEFFICIENTS.index(kept.shape[1]),
    )  # fmt: skip
    path = folder / f"{stem}.ksplat"
    with path.open("wb") as file:
        file.write(head.ljust(HEADER_BYTES, b"\0") + section.ljust(SECTION_BYTES, b"\0"))
        sizes[full:].astype("<u4").tofile(file)
        centres.astype("<f4").tofile(file)
        rows.tofile(file)
    return [ExportedFile(path.name, "splats", MEDIA_TYPE, None, path.stat().st_size)]


def _buckets(splats: Splats) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Order of the splats, sizes of the buckets with the full ones first, and their centres float32 [B, 3].

    A bucket holds up to 256 splats of one cube of 5 m, the most telling first.
    """
    if len(splats.positions) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.float32)
    low = splats.positions.min(axis=0).astype(np.float64)
    cells = np.floor((splats.positions - low) / _BLOCK_M).astype(np.int64)
    most = cells.max(axis=0) + 1
    if float(most[0]) * float(most[1]) * float(most[2]) > 2**62:
        raise UnsuitableAsset(f"KSPLAT reaches a few thousand kilometres; this cloud spans {most.max() * _BLOCK_M} m")
    block = (cells[:, 0] * most[1] + cells[:, 1]) * most[2] + cells[:, 2]
    ranked = order_of(splats)
    order = ranked[np.argsort(block[ranked], kind="stable")]
    _, first, counts = np.unique(block[order], return_index=True, return_counts=True)
    starts = np.concatenate([np.arange(a, a + n, _BUCKET) for a, n in zip(first, counts, strict=True)])
    ends = np.minimum(starts + _BUCKET, np.repeat(first + counts, -(-counts // _BUCKET)))
    sizes = ends - starts
    full_first = np.argsort(sizes != _BUCKET, kind="stable")
    starts, sizes = starts[full_first], sizes[full_first]
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order_of_buckets = order[np.repeat(starts, sizes) + within]
    centres = low + (cells[order[starts]] + 0.5) * _BLOCK_M
    return order_of_buckets, sizes, centres.astype(np.float32)


def _row(level: int, degree: int) -> np.dtype[np.void]:
    small, harmonic = ("<f4" if level == 0 else "<f2"), ("<f4", "<f2", "u1")[level]
    fields: list[tuple[str, str, int | tuple[int, ...]]] = [
        ("position", "<f4" if level == 0 else "<u2", 3),
        ("scale", small, 3),
        ("rotation", small, 4),
        ("colour", "u1", 4),
    ]
    if degree:
        fields.append(("sh", harmonic, (3 * (_COEFFICIENTS[degree] - 1),)))
    return np.dtype(fields)


def _by_band(sh: FloatArray) -> FloatArray:
    """[N, K - 1, 3] as the file has it: band after band, and within a band red, green, blue."""
    bands = [sh[:, a - 1 : b - 1].transpose(0, 2, 1) for a, b in ((1, 4), (4, 9), (9, 16)) if b <= sh.shape[1] + 1]
    return np.concatenate([band.reshape(len(sh), 3 * band.shape[2]) for band in bands], axis=1)


def decode(path: Path, limits: Limits) -> Splats:
    """Splats of all sections. Raises `DamagedFile` or `TooLarge`."""
    check_file_size(path, limits)
    data = path.read_bytes()
    header = _header(data, limits, path.name)
    parts, start, left = [], HEADER_BYTES + SECTION_BYTES * header.sections, header.splats
    taken = 0
    for which in range(header.sections):
        section = _section(data, which, start, header.level, path.name)
        left -= section.splats
        taken += section.splats * splat_bytes(_COEFFICIENTS[section.degree])
        check_memory(taken, limits.max_memory_bytes, f"the cloud in {path.name}", "decimate the cloud")
        start = section.end
        if section.splats:
            parts.append(_decoded(data, section, header))
    if left:
        raise DamagedFile(f"the sections of {path.name} hold {header.splats - left} splats, not {header.splats}")
    cloud = joined_splats(parts, path.stem)
    return move_splats(cloud, NEUTRAL, _FRAME)


def looks_like_one(head: bytes, size: int) -> bool:
    """Whether the first bytes of a file of that size are headers of this format, which has no signature."""
    if len(head) < HEADER_BYTES + SECTION_BYTES or head[0] != 0 or head[1] < 1 or head[2:4] != b"\0\0":
        return False
    _, _, sections, _, _, splats, level, *_ = _HEADER.unpack_from(head)
    held, most, *_, degree = _SECTION.unpack_from(head, HEADER_BYTES)
    if level > 2 or degree > 3 or not 1 <= sections <= _MOST_SECTIONS or not held <= min(most, splats):
        return False
    return bool(HEADER_BYTES + SECTION_BYTES * sections + splats * _row(level, 0).itemsize <= size)


def _header(data: bytes, limits: Limits, name: str) -> _Header:
    if len(data) < HEADER_BYTES:
        raise DamagedFile(f"{name} ends within its header")
    major, minor, sections, _, _, splats, level, *_, low, high = _HEADER.unpack_from(data)
    if major != 0 or minor < 1 or level > 2 or not 0 <= sections <= _MOST_SECTIONS:
        raise DamagedFile(f"{name} is KSPLAT {major}.{minor} at level {level} in {sections} sections; 0.1 to 2 is read")
    if splats > limits.max_elements:
        raise TooLarge(f"{name} declares {splats} splats, more than the limit of {limits.max_elements}")
    if not (abs(low) < 1e6 and abs(high) < 1e6):
        raise DamagedFile(f"{name} has harmonics from {low} to {high}")
    return _Header(sections, splats, level, low or -1.5, high or 1.5)


def _section(data: bytes, which: int, start: int, level: int, name: str) -> _Section:
    at = HEADER_BYTES + SECTION_BYTES * which
    if at + SECTION_BYTES > len(data):
        raise DamagedFile(f"{name} ends within the header of section {which}")
    splats, most, bucket, buckets, block_m, each, middle, _, full, partial, degree = _SECTION.unpack_from(data, at)
    if degree > 3 or splats > most or not abs(block_m) < 1e9 or (level and buckets and each != 12):
        raise DamagedFile(f"section {which} of {name} has {splats} of {most} splats, degree {degree}, blocks {block_m}")
    centres = start + 4 * partial
    end = centres + each * buckets + most * _row(level, degree).itemsize
    middle = middle or (1 if level == 0 else _RANGE)
    if end > len(data) or (level and full + partial > buckets) or full * bucket > most:
        raise DamagedFile(f"section {which} of {name} claims more splats or buckets than the file holds")
    step_m = block_m / 2 / middle
    rows = centres + each * buckets
    return _Section(splats, bucket, buckets, step_m, middle, full, partial, degree, start, centres, rows, end)


def _decoded(data: bytes, section: _Section, header: _Header) -> Splats:
    rows = np.frombuffer(data, _row(header.level, section.degree), section.splats, section.data)
    with np.errstate(over="ignore", invalid="ignore"):
        positions = rows["position"].astype(np.float32)
        if header.level:
            steps = rows["position"].astype(np.float64) - section.middle
            positions = (steps * section.step_m + _centres(data, section)).astype(np.float32)
        scales = rows["scale"].astype(np.float32)
        sh = np.empty((section.splats, _COEFFICIENTS[section.degree], 3), np.float32)
        sh[:, 0] = dc_from_colour(rows["colour"][:, :3] / np.float32(255))
        if section.degree:
            values = rows["sh"].astype(np.float32)
            if header.level == 2:
                values = header.sh_low + values * np.float32((header.sh_high - header.sh_low) / 255)
            sh[:, 1:] = _from_bands(values, section.degree)
        rotations = rows["rotation"].astype(np.float32)
    for name, values in (("position", positions), ("scale", scales), ("rotation", rotations), ("harmonic", sh)):
        if not np.isfinite(values).all():
            raise DamagedFile(f"a {name} is not finite", remedy="filter such splats out and try again")
    return Splats(
        positions,
        unit_quaternions(rotations),
        np.maximum(scales, np.float32(SCALE_MIN_M)),
        (rows["colour"][:, 3] / np.float32(255)).astype(np.float32),
        sh,
    )


def _centres(data: bytes, section: _Section) -> NDArray[np.float64]:
    """The centre of each splat's bucket, [N, 3]."""
    partial = np.frombuffer(data, "<u4", section.partial, section.start).astype(np.int64)
    sizes = np.concatenate([np.full(section.full, section.bucket, np.int64), partial])
    if int(sizes.sum()) < section.splats:
        raise DamagedFile(f"the buckets hold {int(sizes.sum())} splats, the section {section.splats}")
    centres = np.frombuffer(data, "<f4", 3 * len(sizes), section.centres).reshape(-1, 3).astype(np.float64)
    if not (np.abs(centres) < 1e30).all():
        raise DamagedFile("the centre of a bucket is not finite")
    at = np.searchsorted(np.cumsum(sizes), np.arange(section.splats), side="right")
    return np.asarray(centres[at])


def _from_bands(values: FloatArray, degree: int) -> FloatArray:
    """The inverse of `_by_band`."""
    result, at = np.empty((len(values), _COEFFICIENTS[degree] - 1, 3), np.float32), 0
    for a, b in ((0, 3), (3, 8), (8, 15))[:degree]:
        width = 3 * (b - a)
        result[:, a:b] = values[:, at : at + width].reshape(-1, 3, b - a).transpose(0, 2, 1)
        at += width
    return result


FORMATS = (
    Format(
        name="ksplat",
        title="KSPLAT",
        kinds=(Kind.SPLATS,),
        extension=".ksplat",
        media_type=MEDIA_TYPE,
        encode="engines.formats.ksplat:encode",
        decode="engines.formats.ksplat:decode",
    ),
)
