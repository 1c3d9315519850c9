"""What a live generator is given and gives: frames with their pictures as arrays, a camera, pictures back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.assets import Array
from engines.colour import as_u8, srgb_u8_from_linear
from generators.events import GeneratorError, Request
from generators.pipe import CameraRow, FrameOrder, PixelRow


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera with its picture: neutral axes, metres, pixels; it looks along its own -Z and pixel rows go down."""

    world_from_camera: NDArray[np.float64]  # [4, 4]
    width_px: int
    height_px: int
    focal_x_px: float
    """Pixels per unit of x/z; pixels per metre when orthographic."""
    focal_y_px: float
    centre_x_px: float
    """Where the line of sight meets the picture, from its left edge; a pixel's middle is at a half."""
    centre_y_px: float
    near_m: float
    far_m: float
    orthographic: bool

    @classmethod
    def of(cls, row: CameraRow, width_px: int, height_px: int) -> Camera:
        """The camera of a frame of that size. Raises `GeneratorError` for a matrix that is no rigid motion."""
        matrix = np.array(row.world_from_camera, np.float64).reshape(4, 4)
        turn = matrix[:3, :3]
        if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-3) or np.linalg.det(turn) < 0:
            raise GeneratorError("the camera's matrix scales or mirrors; expected a rotation and a place")
        if row.height_m > 0:
            focal_y = height_px / row.height_m
            focal_x = focal_y
        else:
            focal_y = 0.5 * height_px / math.tan(math.radians(max(row.fov_y_deg, 0.1)) / 2)
            focal_x = 0.5 * width_px / math.tan(math.radians(row.fov_x_deg) / 2) if row.fov_x_deg else focal_y
        centre_x, centre_y = 0.5 * width_px * (1 + row.centre_x), 0.5 * height_px * (1 - row.centre_y)
        orthographic = row.height_m > 0
        return cls(
            matrix, width_px, height_px, focal_x, focal_y, centre_x, centre_y, row.near_m, row.far_m, orthographic
        )

    def resized(self, factor: float) -> Camera:
        """The same view in a picture `factor` times as large, rounded to whole pixels."""
        width, height = max(1, round(self.width_px * factor)), max(1, round(self.height_px * factor))
        x, y = width / self.width_px, height / self.height_px
        return Camera(
            self.world_from_camera, width, height, self.focal_x_px * x, self.focal_y_px * y, self.centre_x_px * x,
            self.centre_y_px * y, self.near_m, self.far_m, self.orthographic,
        )  # fmt: skip

    def same_view(self, other: Camera | None) -> bool:
        """Whether the other one shows the same, to a tenth of a pixel or so."""
        return (
            other is not None
            and (self.width_px, self.height_px, self.orthographic)
            == (other.width_px, other.height_px, other.orthographic)
            and np.allclose(self.world_from_camera, other.world_from_camera, atol=1e-5)
            and abs(self.focal_x_px - other.focal_x_px) < 0.1
            and abs(self.focal_y_px - other.focal_y_px) < 0.1
            and abs(self.centre_x_px - other.centre_x_px) < 0.1
            and abs(self.centre_y_px - other.centre_y_px) < 0.1
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """What the client sees now; the arrays are valid until the answer to this frame is complete."""

    number: int
    width_px: int
    height_px: int
    params: Any
    """The generator's own parameters, as they stand now."""
    camera: Camera | None
    colour: NDArray[np.uint8] | None  # [H, W, 3] sRGB, row 0 at the top
    depth: NDArray[np.float32] | None  # [H, W] metres along the line of sight; infinite where there is nothing
    normal: NDArray[np.float32] | None  # [H, W, 3] in the world's axes, of about unit length


@dataclass(frozen=True, eq=False)
class Picture:
    """An answer: uint8 sRGB [H, W, 3], or [H, W, 4] with straight alpha, which lies over black where none was asked.

    `rough` promises a better one of the same frame unless a newer one waits.
    """

    pixels: NDArray[np.uint8]
    rough: bool = False


class LiveContext(Protocol):
    """What the worker offers to a live generator."""

    device: str
    width_px: int
    """The largest size a frame will have."""
    height_px: int

    @property
    def scratch(self) -> Path:
        """A folder that is removed when the session ends; made when first asked for."""

    def newer(self) -> bool:
        """Whether a newer frame waits; a generator that can, gives up the one it works on."""

    def tell(self, text: str) -> None:
        """Say what the artist waits for while it loads, as a sentence."""

    def note(self, text: str) -> None:
        """Say while it loads what the artist should know as long as it runs, as a sentence."""


class Answer(Protocol):
    """Answers one frame; gives no picture when it gave up for a newer one."""

    def __call__(self, frame: Frame) -> Iterator[Picture]:
        """Raises `GeneratorError` for a frame it cannot answer; the session goes on."""


class Start(Protocol):
    """The signature of `Live.start`: load, and return what answers frames. Raises `GeneratorError`."""

    def __call__(self, request: Request, context: LiveContext) -> Answer:
        """Everything slow belongs here; compile kernels by answering a blank frame of the context's size."""


def frame_from(order: FrameOrder, params: Any, memory: memoryview) -> Frame:
    """The frame that `order` describes. Raises `GeneratorError`."""
    camera = Camera.of(order.camera, order.width_px, order.height_px) if order.camera else None
    found: dict[str, Array] = {}
    for row in order.pictures:
        values = _values(row, order.width_px, order.height_px, memory)
        if row.channel == "colour":
            found["colour"] = _colour(values, row.space)
        elif row.channel == "depth":
            found["depth"] = _depth(values[..., 0], row.space, order.camera)
        else:
            found["normal"] = _normal(values, row.space, camera)
    return Frame(
        order.frame, order.width_px, order.height_px, params, camera, found.get("colour"), found.get("depth"),
        found.get("normal"),
    )  # fmt: skip


def _values(row: PixelRow, width: int, height: int, memory: memoryview) -> Array:
    """[H, W, components] as they came, row 0 at the top; a view of the memory."""
    flat = np.frombuffer(memory[row.offset : row.offset + row.size_bytes], np.dtype(row.dtype))
    values = flat.reshape(height, width, -1)
    return values[::-1] if row.bottom_up else values


def _colour(values: Array, space: str) -> NDArray[np.uint8]:
    rgb = values[..., :3]
    if rgb.dtype == np.uint8:
        return np.ascontiguousarray(rgb)
    levels = np.ascontiguousarray(rgb, np.float32)
    return as_u8(levels) if space == "srgb" else srgb_u8_from_linear(levels)


def _depth(values: Array, space: str, camera: CameraRow | None) -> NDArray[np.float32]:
    depth = np.array(values, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        if space == "window":
            if camera is None:
                raise GeneratorError("depth of the kind `window` needs the camera's near and far distance")
            near, far = camera.near_m, camera.far_m
            if camera.height_m > 0:
                metres = near + depth * (far - near)
            else:
                metres = np.float32(near * far) / (np.float32(far) - depth * np.float32(far - near))
            depth = np.where(depth < 1.0, metres, np.float32(np.inf)).astype(np.float32)
        depth[(depth == 0) | np.isnan(depth)] = np.inf
    return np.ascontiguousarray(depth)


def _normal(values: Array, space: str, camera: Camera | None) -> NDArray[np.float32]:
    if values.dtype == np.uint8:
        normal = np.multiply(values, np.float32(2 / 255), dtype=np.float32) - np.float32(1)
    else:
        normal = np.array(values, np.float32)
    if space == "camera":
        if camera is None:
            raise GeneratorError("normals of the kind `camera` need the camera")
        normal = normal @ camera.world_from_camera[:3, :3].T.astype(np.float32)
    return np.ascontiguousarray(normal, np.float32)
