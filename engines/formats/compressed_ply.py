"""Compressed PLY: splats in chunks of 256, a quarter to a sixth of the plain file, read by PlayCanvas and most viewers.

The readers of this format take its axes to be those of trained clouds, so it is right, down, forward and metres for
every host; a comment says so. Splats are in Morton order, so a chunk is small in space.

What is written comes back within half a step of the chunk it stands in (`engines.ply_chunks`): 1/2047 of the chunk's
extent (1/1023 in y), 1/2047 of its range of log-scales (1/1023 for y), 1/255 of its range of colours, 1/255 of
opacity, 0.0014 of a small quaternion component, 1/64 of a higher harmonic held within ±4.
"""

from __future__ import annotations

import json
from pathlib import Path

from engines.assets import Splats
from engines.conventions import Host
from engines.errors import DamagedFile
from engines.formats.ply import check_ply_memory
from engines.formats.registry import ExportedFile, Format, Limits
from engines.geometry import check_splats
from engines.kinds import Kind
from engines.ply_chunks import BOUNDS, WORDS, is_compressed, packed, unpacked
from engines.ply_container import HEADER_BYTES, read_header, read_tables
from engines.ply_frame import frame_comment
from engines.raster import check_file_size
from engines.transforms import OPENCV_AXES, Frame, move_splats

MEDIA_TYPE = "model/ply"


def encode(asset: Splats, folder: Path, stem: str, *, host: Host, provenance: str = "") -> list[ExportedFile]:
    """Write `stem.compressed.ply`, the name by which viewers tell it. Raises `UnsuitableAsset`."""
    check_splats(asset)
    frame = Frame(OPENCV_AXES)
    bounds, words, harmonics = packed(move_splats(asset, frame))
    lines = ["ply", "format binary_little_endian 1.0", f"comment {frame_comment(frame)}"]
    if provenance:
        lines.append(f"comment scenecast provenance {json.dumps(json.loads(provenance), sort_keys=True)}")
    lines += [f"element chunk {len(bounds)}", *(f"property float {name}" for name in BOUNDS)]
    lines += [f"element vertex {len(words)}", *(f"property uint {name}" for name in WORDS)]
    if harmonics.shape[1]:
        lines += [f"element sh {len(words)}", *(f"property uchar f_rest_{i}" for i in range(harmonics.shape[1]))]
    path = folder / f"{stem}.compressed.ply"
    with path.open("wb") as file:
        file.write("\n".join([*lines, "end_header", ""]).encode("ascii"))
        bounds.astype("<f4").tofile(file)
        words.astype("<u4").tofile(file)
        harmonics.tofile(file)
    return [ExportedFile(path.name, "splats", MEDIA_TYPE, None, path.stat().st_size)]


def decode(path: Path, limits: Limits) -> Splats:
    """Splats of a compressed PLY in any byte order. Raises `DamagedFile` or `TooLarge`."""
    size = check_file_size(path, limits)
    with path.open("rb") as file:
        header = read_header(file.read(HEADER_BYTES), limits.max_elements)
    if not is_compressed(header):
        raise DamagedFile(f"{path.name} is a PLY without packed columns", remedy="read it as a plain PLY")
    check_ply_memory(header, size, limits, path.name)
    return unpacked(read_tables(path.read_bytes(), header), header, path.stem.removesuffix(".compressed"))


FORMATS = (
    Format(
        name="compressed_ply",
        title="Compressed PLY",
        kinds=(Kind.SPLATS,),
        extension=".compressed.ply",
        media_type=MEDIA_TYPE,
        encode="engines.formats.compressed_ply:encode",
        decode="engines.formats.compressed_ply:decode",
    ),
)
