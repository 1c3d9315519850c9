"""H.264 in MP4 by PyAV: the one film every host and browser plays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import Clip
from engines.conventions import Host
from engines.errors import DamagedFile, TooLarge, UnsuitableAsset
from engines.formats.registry import ExportedFile, Format, Limits
from engines.kinds import ColourSpace, Kind
from engines.memory import check_memory
from engines.raster import check_file_size, check_picture_size

_BT709 = 1
_PIXEL_BYTES = 6
"""Three channels, twice while the frames are put side by side."""
"""Matrix, primaries and transfer of ITU-R BT.709 in H.273."""
_FPS_PRECISION = 1001
"""Denominators up to it hold the broadcast rates (24000/1001) exactly."""


def encode(
    asset: Clip, folder: Path, stem: str, *, host: Host, provenance: str = "", crf: int = 18, preset: str = "veryfast"
) -> list[ExportedFile]:
    """Write one MP4: H.264 high profile, yuv420p, BT.709 in video range, one picture per frame, moov first.

    4:2:0 needs even sizes, so an odd last row or column is repeated once. Alpha is dropped: H.264 has none.
    Provenance goes into the comment tag. One thread encodes, so the same frames give the same bytes.
    """
    import av

    frames = asset.frames
    if not len(frames):
        raise UnsuitableAsset(f"clip {asset.name!r} has no frames")
    rate = Fraction(asset.fps).limit_denominator(_FPS_PRECISION)
    height, width = frames.shape[1:3]
    path = folder / f"{stem}.mp4"
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream: Any = container.add_stream("libx264", rate=rate, options=_x264(crf, preset))
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = 1 / rate
        stream.thread_count = 1
        context = stream.codec_context
        context.color_range, context.colorspace = 1, _BT709
        context.color_primaries, context.color_trc = _BT709, _BT709
        if provenance:
            container.metadata["comment"] = provenance
        for index in range(len(frames)):
            container.mux(stream.encode(_frame(frames[index], index, 1 / rate)))
        container.mux(stream.encode())
    return [ExportedFile(path.name, "clip", "video/mp4", ColourSpace.SRGB, path.stat().st_size)]


def decode(path: Path, limits: Limits) -> Clip:
    """Read the first video stream of an MP4 as uint8 RGB frames at its average rate; sound is left aside."""
    import av

    check_file_size(path, limits)
    try:
        with av.open(str(path), "r", format="mp4") as container:
            if not container.streams.video:
                raise DamagedFile(f"{path.name} holds no video")
            stream = container.streams.video[0]
            check_picture_size(stream.width, stream.height, limits, path.name)
            rate = stream.average_rate or stream.base_rate or Fraction(24)
            frames = _decoded(container, stream, limits, path.name)
    except (av.error.FFmpegError, ValueError, AttributeError) as error:
        # PyAV's stream lacks its picture attributes when FFmpeg knows no decoder for what a damaged header names.
        raise DamagedFile(f"{path.name} is no whole MP4 file: {error}") from error
    if not frames:
        raise DamagedFile(f"{path.name} holds no frame that can be decoded")
    return Clip(np.stack(frames), float(rate), name=path.stem)


def _x264(crf: int, preset: str) -> dict[str, str]:
    # x264's AVX-512 code for macroblock trees gives another result one time in ten or twenty, seen on one EPYC
    own = "colormatrix=bt709:range=tv:mbtree=0"
    return {"crf": str(crf), "preset": preset, "profile": "high", "x264-params": own}


def _frame(pixels: NDArray[np.uint8], index: int, time_base: Fraction) -> Any:
    """One frame in BT.709 video range; sRGB codes are kept as they are, which is what players expect."""
    import av
    from av.video.reformatter import Colorspace, VideoReformatter

    height, width = pixels.shape[:2]
    even = np.pad(pixels[..., :3], ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
    frame = VideoReformatter().reformat(rgb, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=1)
    frame.pts, frame.time_base = index, time_base
    return frame


def _decoded(container: Any, stream: Any, limits: Limits, name: str) -> list[NDArray[np.uint8]]:
    stream.thread_type = "AUTO"
    frames: list[NDArray[np.uint8]] = []
    pixels = 0
    for frame in container.decode(stream):
        # A stream may change its size half way; every frame is held to the limits before it is converted.
        check_picture_size(frame.width, frame.height, limits, name)
        pixels += frame.width * frame.height
        if pixels > limits.max_clip_pixels:
            raise TooLarge(
                f"{name} has more than {limits.max_clip_pixels} pixels in all its frames",
                remedy="shorten it or scale it down first",
            )
        wanted = pixels * _PIXEL_BYTES
        check_memory(
            wanted, limits.max_memory_bytes, f"{name} up to frame {len(frames)}", "shorten it or scale it down"
        )
        array = frame.to_ndarray(format="rgb24")
        if frames and array.shape != frames[0].shape:
            raise DamagedFile(f"{name} changes its size at frame {len(frames)}")
        frames.append(array)
    return frames


FORMATS = (
    Format(
        name="mp4",
        title="MP4 (H.264)",
        kinds=(Kind.CLIP,),
        extension=".mp4",
        media_type="video/mp4",
        encode="engines.formats.mp4:encode",
        decode="engines.formats.mp4:decode",
        needs=("av",),
    ),
)
