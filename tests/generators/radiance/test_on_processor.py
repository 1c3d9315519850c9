"""A graphics card that cannot draw splats is told of, with the reason, by every run that draws them."""

from __future__ import annotations

import msgspec
import pytest

from generators.events import Note, Request
from generators.meshes import from_splats
from generators.radiance.on_processor import told_if_on_processor
from generators.radiance.rasterizer import gsplat_backend
from tests.generators.meshes.clouds import ring_cloud
from tests.generators.meshes.shapes import Bench
from tests.generators.meshes.test_from_splats import PARAMS

WORDS = "splats are drawn on the processor, not on cuda:0: no gsplat on cuda:0"


def nothing() -> None:
    """Nobody cancels."""


def test_the_reason_is_told_once_and_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat_backend, "missing", lambda device: f"no gsplat on {device}")
    assert list(told_if_on_processor("cuda:0", nothing)) == [Note(WORDS)]
    assert list(told_if_on_processor("cpu", nothing)) == []
    monkeypatch.setattr(gsplat_backend, "missing", lambda device: None)
    assert list(told_if_on_processor("cuda:0", nothing)) == []


def test_a_mesh_of_a_cloud_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat_backend, "missing", lambda device: f"no gsplat on {device}")
    bench = Bench()
    bench.device = "cuda:0"
    few = msgspec.structs.replace(PARAMS, views=12, view_px=96)
    notes = [
        event for event in from_splats.run(Request(few, 0, {"splats": ring_cloud()}), bench) if isinstance(event, Note)
    ]
    assert notes[0] == Note(WORDS)
