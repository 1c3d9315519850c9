"""A live session inside its worker: load the generator, then answer one frame after the other until the pipe ends."""

from __future__ import annotations

import io
import mmap
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engines.errors import EnginesError
from generators.events import GeneratorError, Request
from generators.live.frames import Answer, Picture, Start, frame_from
from generators.pipe import Ended, Framed, FrameOrder, LiveOrder, Loaded, Noted, Pictured
from generators.runner import ended_by, imported, read_input
from generators.spec import Params

if TYPE_CHECKING:
    from generators.lifeline import Link

JPEG_QUALITY = 88
_MOST_CHARS = 4000


class SessionContext:
    """What the worker offers to a live generator; see `generators.live.frames.LiveContext`."""

    def __init__(self, order: LiveOrder, link: Link) -> None:
        self.device = order.device
        self.width_px, self.height_px = order.width_px, order.height_px
        self.frame = 0
        """The frame that is being answered."""
        self.notes: list[str] = []
        """What the artist should know as long as it runs."""
        self._run = order.run
        self._spool = Path(order.spool)
        self._link = link

    @property
    def scratch(self) -> Path:
        """A folder that is removed when the session ends."""
        self._spool.mkdir(parents=True, exist_ok=True)
        return self._spool

    def tell(self, text: str) -> None:
        """Say what the artist waits for."""
        self._link.send(Noted(run=self._run, text=text[:_MOST_CHARS]))

    def note(self, text: str) -> None:
        """Say what the artist should know as long as it runs."""
        self.notes.append(text)

    def newer(self) -> bool:
        """Whether a newer frame waits."""
        time.sleep(0)  # a kernel that kept the interpreter's lock has kept the news out, too
        return self._link.newest_frame > self.frame


class _Session:
    """The generator, the memory it shares with the bridge, and the words about them."""

    def __init__(self, order: LiveOrder, link: Link) -> None:
        self._order = order
        self._link = link
        self._context = SessionContext(order, link)
        self._memory = _mapped(order.memory, order.memory_bytes)
        self._params_type: type[Params] = imported(order.params_type)
        start: Start = imported(order.function)
        inputs = {name: read_input(row) for name, row in order.inputs.items()}
        params = msgspec.convert(order.params, self._params_type)
        self._answer: Answer = start(Request(params, order.seed, inputs), self._context)

    @property
    def notes(self) -> str:
        """What the artist should know as long as it runs; empty for nothing."""
        return "; ".join(self._context.notes)[:_MOST_CHARS]

    def answer(self, order: FrameOrder) -> Framed:
        """Put the answers to one frame into the memory and tell of them; what the artist can mend is in `fault`."""
        self._context.frame = order.frame
        try:
            began = time.perf_counter()
            frame = frame_from(order, msgspec.convert(order.params, self._params_type), self._memory)
            for picture in self._answer(frame):
                self._give(order, picture, 1000 * (time.perf_counter() - began))
                began = time.perf_counter()
        except GeneratorError as error:
            return Framed(run=self._order.run, frame=order.frame, fault=str(error)[:_MOST_CHARS])
        except EnginesError as error:
            return Framed(run=self._order.run, frame=order.frame, fault=f"{error.message} {error.remedy}".strip())
        return Framed(run=self._order.run, frame=order.frame)

    def _give(self, order: FrameOrder, picture: Picture, run_ms: float) -> None:
        pixels = picture.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or 0 in pixels.shape:
            raise GeneratorError(f"the answer is {pixels.dtype} {pixels.shape}, expected uint8 [height, width, 3 or 4]")
        height, width, has = pixels.shape
        components = 4 if self._order.alpha and self._order.media_type == "image/raw" else 3
        if has > components:
            pixels = (pixels[..., :3] * (pixels[..., 3:] / np.float32(255))).astype(np.uint8)
        data = _jpeg(pixels) if self._order.media_type == "image/jpeg" else b""
        size = len(data) or height * width * components
        if size > self._order.answer_bytes:
            raise GeneratorError(f"the answer takes {size} bytes, room is for {self._order.answer_bytes}")
        place = self._link.taken.get()
        start = self._order.answers[place]
        if data:
            self._memory[start : start + size] = data
        else:
            room = np.frombuffer(self._memory[start : start + size], np.uint8).reshape(height, width, components)
            room[..., : pixels.shape[2]] = pixels[::-1] if self._order.bottom_up else pixels
            if components > pixels.shape[2]:
                room[..., 3] = 255
        self._link.send(
            Pictured(
                run=self._order.run, frame=order.frame, place=place, size_bytes=size, width_px=width, height_px=height,
                components=components, rough=picture.rough, run_ms=run_ms,
            )
        )  # fmt: skip


def answer_frames(order: LiveOrder, link: Link) -> None:
    """Serve one live session; returns when the generator cannot go on, and has then said why."""
    try:
        session = _Session(order, link)
        for place in range(len(order.answers)):
            link.taken.put(place)
        link.send(Loaded(run=order.run, notes=session.notes))
        while True:
            link.send(session.answer(link.frames.get()))
    except Exception as error:  # a generator may raise anything; the bridge tells the artist
        ended: Ended = ended_by(order, error)
        link.send(ended)


def _mapped(path: str, size: int) -> memoryview:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        return memoryview(mmap.mmap(descriptor, size))
    finally:
        os.close(descriptor)


def _jpeg(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
