"""Decoding photographs for training: upright, undistorted, small, and only as large in memory as they must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from generators.radiance import judging
from generators.radiance.archive import CaptureError, Source, open_source
from generators.radiance.cameras import Camera
from generators.radiance.capture import Capture, Skipped, unchecked
from generators.radiance.decoding import decoded, decoded_depth, noted_orientation, open_picture
from generators.radiance.lens import Lens, source_pixels
from generators.radiance.rasterizer.kernels import kernel
from generators.radiance.shelf import DiskFull, Shelf
from generators.radiance.transforms_json import Listed, lens_from_json

OVERSAMPLING = 2
"""Undistortion reads a picture this many times larger than the result, so that it does not blur."""
DECODERS = 2
BLUR_SIDE_PX = 200
"""In smaller pictures blur is not seen."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """One training view: `pixels` uint8 [3, H, W] sRGB; `alpha` uint8 [H, W] if it had any; `mask` bool [H, W],
    false where nothing is known.
    """

    name: str
    camera: Camera
    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    mask: NDArray[np.bool_] | None = None
    depth: FloatArray | None = None
    """float32 [H, W] along the optical axis in neutral units, 0 where it is not known."""
    masked: bool = False
    """Whether `mask` leaves out more than what a bent lens does not show."""


def load_photographs(
    capture: Capture, *, longest_side_px: int, check: Callable[[], None] = unchecked, shelf: Shelf | None = None
) -> tuple[list[Photograph], list[Skipped]]:
    """Decode every photograph of a capture to at most `longest_side_px`, and name those that are of no use.

    With a `shelf` those that are too many for memory lie on disk, read-only. `check` is called after each; what it
    raises ends the work. Raises `CaptureError` when fewer than 3 are left, and when the disk is full.
    """
    results: list[_Judged | Skipped] = []
    with open_source(capture.path) as source, ThreadPoolExecutor(DECODERS) as pool:
        try:
            for result in pool.map(lambda frame: _try(source, frame, longest_side_px, shelf), capture.frames):
                check()
                results.append(result)
        finally:
            pool.shutdown(cancel_futures=True)  # those still waiting would be decoded for nobody
    photographs, skipped = _useful(results)
    if len(photographs) < 3:
        raise CaptureError(
            f"{len(photographs)} photographs can be used, at least 3 are needed. "
            + "; ".join(f"{s.name}: {s.reason}" for s in skipped[:5])
        )
    return photographs, skipped


@dataclass(frozen=True, eq=False)
class _Judged:
    """A photograph, how sharp all and the best of it are (0: not judged), and why nothing can be seen in it, if so."""

    photograph: Photograph
    sharpness: float
    crispness: float
    blind: str


def _judged(photograph: Photograph, shelf: Shelf | None) -> _Judged:
    """A photograph looked at before it is laid away.

    Cut-out pictures are not judged for blur: their outlines would be taken for detail.
    """
    kept = photograph if shelf is None else shelf.kept(photograph)
    if photograph.alpha is not None:
        return _Judged(kept, 0.0, 0.0, "" if photograph.alpha.any() else "is wholly transparent")
    grey = judging.grey_of(photograph.pixels.transpose(1, 2, 0))
    if max(grey.shape) < BLUR_SIDE_PX:
        return _Judged(kept, 0.0, 0.0, judging.blind(grey))
    return _Judged(kept, judging.sharpness(grey), judging.crispness(grey), judging.blind(grey))


def _useful(results: Sequence[_Judged | Skipped]) -> tuple[list[Photograph], list[Skipped]]:
    """The photographs worth training on, and the others with the reason."""
    values = [0.0 if isinstance(one, Skipped) else one.sharpness for one in results]
    crisp = [0.0 if isinstance(one, Skipped) else one.crispness for one in results]
    blurred = set(judging.blurred(values, crisp))
    kept, skipped = [], []
    for index, one in enumerate(results):
        if isinstance(one, Skipped):
            skipped.append(one)
        elif one.blind or index in blurred:
            skipped.append(Skipped(one.photograph.name, one.blind or "is blurred beside the others"))
        else:
            kept.append(one.photograph)
    return kept, skipped


def _try(source: Source, frame: Listed, longest_side_px: int, shelf: Shelf | None) -> _Judged | Skipped:
    try:
        return _judged(_load(source, frame, longest_side_px), shelf)
    except DiskFull:
        raise
    except CaptureError as error:
        return Skipped(frame.file, str(error))


def _load(source: Source, frame: Listed, longest_side_px: int) -> Photograph:
    image = open_picture(source.read(frame.file), frame.file)
    orientation = noted_orientation(image)
    turned = orientation in (5, 6, 7, 8)
    stated = frame.lens or lens_from_json(frame.intrinsics, 0, 0) if _states_size(frame) else None
    # The poses may be meant for the stored or for the upright pixels; the stated size tells which.
    upright = bool(frame.intrinsics.get("exif_applied")) or _is_upright(
        image.size, turned, None if stated is None else (stated.width, stated.height)
    )
    seen = image.size[::-1] if turned and upright else image.size
    lens = stated or lens_from_json(frame.intrinsics, *seen)
    if abs(seen[0] * lens.height - seen[1] * lens.width) > 0.02 * seen[0] * lens.height:
        raise CaptureError(f"is {seen[0]}×{seen[1]}, but its camera {lens.width}×{lens.height}: another shape")
    scale = min(1.0, longest_side_px / max(seen))
    width, height = max(1, round(seen[0] * scale)), max(1, round(seen[1] * scale))
    factor = 1 if lens.straight else OVERSAMPLING
    pixels = decoded(image, orientation if upright else 1, (width * factor, height * factor))
    alpha: NDArray[np.uint8] | None = pixels[3].copy() if len(pixels) == 4 else None
    mask = _mask(source, frame, orientation if upright else 1, (width, height))
    masked = mask is not None and not mask.all()
    if not lens.straight:
        pixels, known = undistorted(pixels, lens, width, height)
        alpha = pixels[3].copy() if len(pixels) == 4 else None
        mask = known if mask is None else mask & known
    matrix = np.linalg.inv(frame.world_from_camera).astype(np.float64)
    camera = Camera(matrix, lens.fx, lens.fy, lens.cx, lens.cy, lens.width, lens.height).resized(width, height)
    return Photograph(
        name=frame.file,
        camera=camera,
        pixels=np.ascontiguousarray(pixels[:3]),
        alpha=None if alpha is None or (alpha == 255).all() else alpha,
        mask=None if mask is None or mask.all() else mask,
        depth=_depth(source, frame, lens, orientation if upright else 1, (width, height)),
        masked=masked,
    )


def _states_size(frame: Listed) -> bool:
    return frame.lens is not None or ("w" in frame.intrinsics and "h" in frame.intrinsics)


def _is_upright(stored: tuple[int, int], turned: bool, stated: tuple[int, int] | None) -> bool:
    """Whether EXIF's orientation is to be applied: always when no size is stated, else if it makes the shape fit.

    A stated size that fits the pixels as they are stored means that the poses were found on those.
    """
    if stated is None:
        return True
    return turned and (stored[1] > stored[0]) == (stated[0] > stated[1]) and stored[0] != stored[1]


def _mask(source: Source, frame: Listed, orientation: int, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """The capture's own mask, true where the photograph counts; in instant-ngp and nerfstudio black is ignored."""
    if frame.mask is None:
        return None
    pixels = decoded(open_picture(source.read(frame.mask), frame.mask), orientation, size)
    mask: NDArray[np.bool_] = pixels[:3].max(0) >= 128
    return mask


def _depth(source: Source, frame: Listed, lens: Lens, orientation: int, size: tuple[int, int]) -> FloatArray | None:
    """The capture's own depth, for straight lenses: a bent depth would need a bent look-up, and renders have none."""
    if frame.depth is None or not lens.straight:
        return None
    image = open_picture(source.read(frame.depth), frame.depth)
    return decoded_depth(image, orientation, size) * np.float32(frame.depth_unit)


@kernel
def _resample(pixels: NDArray[np.uint8], u: FloatArray, v: FloatArray, out: FloatArray, known: Any) -> None:
    """Fill `out` [C, H, W] with `pixels` [C, h, w] read bilinearly at (u, v), in pixels of the source."""
    channels, rows, columns = pixels.shape
    for y in range(u.shape[0]):
        for x in range(u.shape[1]):
            s, t = u[y, x] - np.float32(0.5), v[y, x] - np.float32(0.5)
            known[y, x] = -0.5 <= s <= columns - 0.5 and -0.5 <= t <= rows - 0.5
            s, t = min(max(s, np.float32(0)), np.float32(columns - 1)), min(max(t, np.float32(0)), np.float32(rows - 1))
            left, top = min(int(s), max(columns - 2, 0)), min(int(t), max(rows - 2, 0))
            right, low = min(left + 1, columns - 1), min(top + 1, rows - 1)
            a, b = s - np.float32(left), t - np.float32(top)
            for c in range(channels):
                upper = pixels[c, top, left] * (1 - a) + pixels[c, top, right] * a
                lower = pixels[c, low, left] * (1 - a) + pixels[c, low, right] * a
                out[c, y, x] = upper * (1 - b) + lower * b


def undistorted(
    pixels: NDArray[np.uint8], lens: Lens, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The straight picture uint8 [C, height, width] of a bent one of twice that size, and where it is known."""
    n = OVERSAMPLING
    u, v = source_pixels(lens, width * n, height * n)
    out = np.empty((len(pixels), height * n, width * n), np.float32)
    known = np.empty((height * n, width * n), np.bool_)
    _resample(pixels, u, v, out, known)
    mean = out.reshape(len(pixels), height, n, width, n).mean((2, 4))
    whole: NDArray[np.bool_] = known.reshape(height, n, width, n).min((1, 3))
    return (mean + 0.5).astype(np.uint8), whole


def held_out(count: int, every: int) -> Iterator[bool]:
    """Which of `count` views are kept from training: each `every`-th, the first included; none when it is 0."""
    return (every > 0 and index % every == 0 for index in range(count))
