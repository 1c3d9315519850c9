"""Frames of one live session: checked before a byte is kept, put together, and only the newest held for the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.errors import BadPicture, ScenecastError
from bridge.live_memory import LiveMemory
from bridge.messages import LiveCamera, LiveFrame, LivePicture
from generators.pipe import CameraRow, FrameOrder, PixelRow

FRAME_BYTES_PER_PX = 32
"""Colour, depth and normal together in their widest forms."""
FRAME_LIMIT_BYTES = 64 << 20
"""The pictures of one frame are never larger, however large it is."""
_DTYPE_BYTES = {"u1": 1, "<f2": 2, "<f4": 4}
_COMPONENTS = {"colour": (3, 4), "depth": (1,), "normal": (3,)}
_SPACES = {"colour": ("srgb", "linear"), "depth": ("metres", "window"), "normal": ("world", "camera")}
_FARTHEST_M = 1e9


class Intake:
    """What the client shows now, as it stands after its newest complete frame.

    The memory has three places for pictures: the worker reads one, a complete frame waits in another, and bytes that
    arrive fill the third; so nothing is ever written where somebody reads.
    """

    def __init__(
        self, memory: LiveMemory, *, width_px: int, height_px: int, wants: tuple[str, ...], params: Mapping[str, Any],
        check_params: Callable[[Mapping[str, Any]], Mapping[str, Any]], generator: str,
    ) -> None:  # fmt: skip
        self.number = 0
        """The newest complete frame."""
        self.waits = False
        """Whether the worker has not had it yet."""
        self.replaced = 0
        """Frames that gave way to a newer one before the worker had them."""
        self.params = params
        self._memory = memory
        self._read, self._complete, self._filling = memory.frames
        self._fresh = False
        """Whether the newest pictures still lie in the place of complete frames."""
        self._largest = self._size = (width_px, height_px)
        self._wants, self._generator, self._check_params = wants, generator, check_params
        self._camera: LiveCamera | None = None
        self._pictures: list[LivePicture] = []
        self._coming: tuple[LiveFrame, tuple[int, int], Mapping[str, Any]] | None = None
        self._filled_bytes = 0
        self._highest = 0
        self._refused = 0

    def take(self, message: LiveFrame, payload: memoryview) -> bool:
        """Take a frame or the next piece of one; True when it is complete and waits.

        Raises `BadPicture` or what `check_params` raises, once for a frame; what stood before stands on.
        """
        if message.frame == self._refused:
            return False
        try:
            if message.offset == 0:
                self._begin(message)
            return self._fill(message, payload)
        except ScenecastError:
            self._refused, self._coming = message.frame, None
            raise

    def hand_over(self, run: int) -> FrameOrder:
        """The order to answer the newest frame; its pictures stay where they are until the next one is handed over."""
        if self._fresh:
            self._read, self._complete = self._complete, self._read
            self._fresh = False
        self.waits = False
        width, height = self._size
        return FrameOrder(
            run=run, frame=self.number, width_px=width, height_px=height, params=dict(self.params),
            camera=_camera_row(self._camera), pictures=[_pixel_row(row, self._read) for row in self._pictures],
        )  # fmt: skip

    def again(self) -> None:
        """Let the newest frame wait once more: its worker is gone."""
        self.waits = self.number > 0

    def _begin(self, message: LiveFrame) -> None:
        if message.frame <= self._highest:
            raise BadPicture(
                f"frame {message.frame} came after {self._highest}; expected the numbers to rise", path="$.frame"
            )
        self._highest = message.frame
        size = (message.width_px or self._size[0], message.height_px or self._size[1])
        if size[0] > self._largest[0] or size[1] > self._largest[1]:
            raise BadPicture(
                f"frame {message.frame} has {_in_words(size)} pixels, the session was opened for "
                f"{_in_words(self._largest)}",
                path="$.width_px",
                remedy="close the session and open one for the larger view",
            )
        if not message.pictures and self._pictures and size != self._size:
            raise BadPicture(
                f"frame {message.frame} has {_in_words(size)} pixels and no pictures; those that stand have "
                f"{_in_words(self._size)}",
                path="$.pictures",
                remedy="send the pictures with it",
            )
        _check_camera(message.camera)
        _check_pictures(message, size, self._memory.frame_bytes)
        self._check_channels(message)
        params = self._check_params({**self.params, **message.params}) if message.params else self.params
        self._coming, self._filled_bytes = (message, size, params), 0

    def _check_channels(self, message: LiveFrame) -> None:
        there = {picture.channel for picture in message.pictures or self._pictures}
        if message.camera or self._camera:
            there.add("camera")  # type: ignore[arg-type]
        missing = [name for name in self._wants if name not in there]
        if missing:
            raise BadPicture(
                f"{self._generator} needs {' and '.join(missing)}, and frame {message.frame} has "
                f"{', '.join(sorted(there)) or 'nothing'}",
                path="$.pictures",
                remedy="the generator's row in the catalog says what to send",
            )

    def _fill(self, message: LiveFrame, payload: memoryview) -> bool:
        if self._coming is None or self._coming[0].frame != message.frame or message.offset != self._filled_bytes:
            due = f"byte {self._filled_bytes} of frame {self._coming[0].frame}" if self._coming else "a new frame"
            raise BadPicture(f"byte {message.offset} of frame {message.frame} came, expected {due}", path="$.offset")
        first, size, params = self._coming
        left = first.size_bytes - self._filled_bytes
        if len(payload) > left or (left and not len(payload)):
            raise BadPicture(f"{len(payload)} bytes came, {left} are missing", path="$.size_bytes")
        self._memory.write(self._filling + self._filled_bytes, payload)
        self._filled_bytes += len(payload)
        if self._filled_bytes < first.size_bytes:
            return False
        self._coming = None
        if first.pictures:
            self._complete, self._filling = self._filling, self._complete
            self._pictures, self._fresh = first.pictures, True
        self.replaced += self.waits
        self.number, self._size, self.params, self.waits = first.frame, size, params, True
        self._camera = first.camera or self._camera
        return True


def _in_words(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _check_pictures(message: LiveFrame, size: tuple[int, int], limit_bytes: int) -> None:
    if message.size_bytes > limit_bytes:
        raise BadPicture(
            f"the pictures of frame {message.frame} take {message.size_bytes} bytes, at most {limit_bytes} are taken",
            path="$.size_bytes",
        )
    if message.size_bytes and not message.pictures:
        raise BadPicture(f"{message.size_bytes} bytes are announced, and no picture in them", path="$.pictures")
    seen: set[str] = set()
    for index, picture in enumerate(message.pictures):
        path = f"$.pictures[{index}]"
        if picture.channel in seen:
            raise BadPicture(f"{picture.channel} comes twice", path=f"{path}.channel")
        seen.add(picture.channel)
        _check_picture(picture, size, message.size_bytes, path)


def _check_picture(picture: LivePicture, size: tuple[int, int], bytes_in_all: int, path: str) -> None:
    spaces = _SPACES[picture.channel]
    if picture.space and picture.space not in spaces:
        raise BadPicture(
            f"{picture.channel} has the space {picture.space}, expected {' or '.join(spaces)}", path=f"{path}.space"
        )
    if picture.channel == "depth" and picture.dtype == "u1":
        raise BadPicture("depth has the dtype u1, expected <f2 or <f4", path=f"{path}.dtype")
    pixel_bytes = size[0] * size[1] * _DTYPE_BYTES[picture.dtype]
    sizes = [pixel_bytes * count for count in _COMPONENTS[picture.channel]]
    if picture.size_bytes not in sizes:
        raise BadPicture(
            f"{picture.channel} has {picture.size_bytes} bytes; {_in_words(size)} pixels of {picture.dtype} have "
            f"{' or '.join(map(str, sizes))}",
            path=f"{path}.size_bytes",
        )
    if picture.offset % 4 or picture.offset + picture.size_bytes > bytes_in_all:
        raise BadPicture(
            f"{picture.channel} begins at byte {picture.offset} of {bytes_in_all}; expected a multiple of 4, with room "
            "for all of it behind",
            path=f"{path}.offset",
        )


def _check_camera(camera: LiveCamera | None) -> None:
    if camera is None:
        return
    if not camera.near_m < camera.far_m:
        raise BadPicture(f"near is {camera.near_m:g} m and far {camera.far_m:g} m", path="$.camera.far_m")
    if camera.height_m == 0 and not (camera.near_m > 0 and camera.fov_y_deg > 0):
        raise BadPicture("a perspective camera needs near_m and fov_y_deg above 0", path="$.camera")
    if any(abs(value) > _FARTHEST_M for value in camera.world_from_camera):
        raise BadPicture(f"the camera is beyond {_FARTHEST_M:g} m", path="$.camera.world_from_camera")


def _camera_row(camera: LiveCamera | None) -> CameraRow | None:
    if camera is None:
        return None
    return CameraRow(**{name: getattr(camera, name) for name in CameraRow.__struct_fields__})


def _pixel_row(picture: LivePicture, place: int) -> PixelRow:
    return PixelRow(
        channel=picture.channel, offset=place + picture.offset, size_bytes=picture.size_bytes, dtype=picture.dtype,
        space=picture.space, bottom_up=picture.bottom_up,
    )  # fmt: skip
