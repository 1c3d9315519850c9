"""The photographs of a capture, made ready for finding poses: small, upright, masked, judged, grouped by lens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray
from engines.formats.capture_zip import is_photograph, lies_aside
from generators.radiance import judging
from generators.radiance.archive import CaptureError, Source
from generators.radiance.capture import Skipped, mask_for
from generators.radiance.decoding import RAW, decoded, noted_orientation, open_picture, unread
from generators.radiance.poses.exif import Exif, read_exif
from generators.radiance.poses.talk import View, ViewCamera

FOCAL_GUESS = 1.2
"""Focal length as a share of the longer side where nothing is known; COLMAP's own guess."""
FISHEYE_GUESS = 0.45
"""The same for a fisheye: 127° across. It is taken as known, since no pinhole relates two bent pictures."""
OPENCV_VIEWS = 8
"""From so many photographs through one lens its four distortion numbers can be found; below it, one."""
ALPHA_SEEN = 128


@dataclass(frozen=True, eq=False)
class Shot:
    """One photograph. Its working picture and mask lie in the folder as `.npy`; `size` is its own, upright."""

    name: str
    pixels: str
    mask: str
    mask_name: str
    size: tuple[int, int]
    working: tuple[int, int]
    exif: Exif
    sharpness: float
    crispness: float
    blind: str
    thumbnail: FloatArray


def photograph_names(source: Source) -> tuple[list[str], list[Skipped]]:
    """The photographs of a capture without poses, sorted; those in a format that is not read are named.

    Raw files beside a photograph of the same name are its other half, and no loss.
    """
    seen = [name for name in sorted(source.names) if not lies_aside(name)]
    names = [name for name in seen if is_photograph(name)]
    stems = {PurePosixPath(name).stem for name in names}
    skipped = [
        Skipped(name, unread(name))
        for name in seen
        if unread(name) and not (name.lower().endswith(RAW) and PurePosixPath(name).stem in stems)
    ]
    return names, skipped


def prepared(
    source: Source, names: Sequence[str], folder: Path, *, side_px: int, threads: int, check: Callable[[], None]
) -> Iterator[Shot | Skipped]:
    """Every photograph made ready, in order, as it is done. `check` is called after each; what it raises ends it."""

    def one(numbered: tuple[int, str]) -> Shot | Skipped:
        try:
            return _shot(source, numbered[1], folder / f"{numbered[0]:06}", side_px)
        except CaptureError as error:
            return Skipped(numbered[1], str(error))

    with ThreadPoolExecutor(max(1, min(threads, 4))) as pool:
        try:
            for result in pool.map(one, enumerate(names)):
                check()
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _shot(source: Source, name: str, stem: Path, side_px: int) -> Shot:
    image = open_picture(source.read(name), name)
    orientation, exif = noted_orientation(image), read_exif(image)
    size = image.size[::-1] if orientation in (5, 6, 7, 8) else image.size
    scale = min(1.0, side_px / max(size))
    working = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    pixels = decoded(image, orientation, working)
    mask = _mask(source, name, orientation, working, pixels)
    picture = np.ascontiguousarray(pixels[:3].transpose(1, 2, 0))
    np.save(stem.with_suffix(".npy"), picture)
    mask_file = ""
    if mask is not None and not mask.all():
        mask_file = f"{stem.name}_mask.npy"
        np.save(stem.with_name(mask_file), mask)
    grey = judging.grey_of(picture)
    return Shot(
        name=name,
        pixels=f"{stem.name}.npy",
        mask=mask_file,
        mask_name=mask_for(name, source.names) or "",
        size=size,
        working=working,
        exif=exif,
        sharpness=judging.sharpness(grey),
        crispness=judging.crispness(grey),
        blind=judging.blind(grey),
        thumbnail=judging.thumbnail(grey),
    )


def _mask(
    source: Source, name: str, orientation: int, size: tuple[int, int], pixels: NDArray[np.uint8]
) -> NDArray[np.bool_] | None:
    found = mask_for(name, source.names)
    mask: NDArray[np.bool_] | None = pixels[3] >= ALPHA_SEEN if len(pixels) == 4 else None
    if found is None:
        return mask
    drawn: NDArray[np.bool_] = decoded(open_picture(source.read(found), found), orientation, size)[:3].max(0) >= 128
    return drawn if mask is None else drawn & mask


def useful(shots: Sequence[Shot]) -> tuple[list[Shot], list[Skipped]]:
    """The shots worth placing; blind, blurred and repeated ones are named with the reason."""
    reasons: dict[int, str] = {index: shot.blind for index, shot in enumerate(shots) if shot.blind}
    for index in judging.blurred([shot.sharpness for shot in shots], [shot.crispness for shot in shots]):
        reasons.setdefault(index, "is blurred beside the others")
    left = [index for index in range(len(shots)) if index not in reasons]
    if left:
        same = judging.twins(np.stack([shots[index].thumbnail for index in left]))
        for place, earlier in same.items():
            reasons[left[place]] = f"shows the same as {shots[left[earlier]].name}"
    kept = [shot for index, shot in enumerate(shots) if index not in reasons]
    return kept, [Skipped(shots[index].name, reason) for index, reason in sorted(reasons.items())]


def by_lens(shots: Sequence[Shot], *, fisheye: bool) -> tuple[list[View], list[ViewCamera], list[tuple[int, int]]]:
    """The shots as views, the cameras they share, and each camera's full size in pixels.

    Photographs share a camera when EXIF names the same lens at the same zoom and their sizes agree; where EXIF says
    nothing, when their sizes agree.
    """
    groups: dict[tuple[str, tuple[int, int]], list[Shot]] = {}
    for shot in shots:
        groups.setdefault((shot.exif.camera, shot.size), []).append(shot)
    numbers = {key: number for number, key in enumerate(groups)}
    views = [View(shot.name, shot.pixels, numbers[shot.exif.camera, shot.size], shot.mask) for shot in shots]
    cameras = []
    for members in groups.values():
        width, height = members[0].working
        told = [shot.exif.focal_share for shot in members if shot.exif.focal_share]
        guess = FISHEYE_GUESS if fisheye else FOCAL_GUESS
        focal = float(np.median(told)) * math.hypot(width, height) if told else guess * max(width, height)
        model = "OPENCV_FISHEYE" if fisheye else "OPENCV" if len(members) >= OPENCV_VIEWS else "SIMPLE_RADIAL"
        cameras.append(ViewCamera(model, width, height, focal, bool(told) or fisheye))
    return views, cameras, [members[0].size for members in groups.values()]
