"""Photographs go to a real bridge, a field comes back, and a second job films it there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from python_client import Refused, connect, discovery, events
from tests.generators.fields.lattices import ROOM
from tests.generators.radiance.captures import write_folder
from tests.generators.radiance.test_through_the_bridge import bridge

QUICK = {"resolution_px": 64, "iterations": 60, "detail": "coarse", "hold_out_every": 9}


@pytest.mark.timeout(600)  # the kernels may have to be compiled first
def test_photographs_become_a_field_that_is_filmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv(discovery.RUNTIME_DIR_VARIABLE, str(tmp_path / "run"))
    monkeypatch.delenv("SCENECAST_NERFSTUDIO_PYTHON", raising=False)
    with bridge(tmp_path), connect() as client:
        photos = write_folder(tmp_path / "room", ROOM)
        job = client.submit("field.from_photos", QUICK, inputs={"photos": photos}, host="python", seed=1)
        told = list(job)
        field = job.result(150)[0]
        assert field.kind == "field"
        assert any(isinstance(event, events.Progress) for event in told)
        assert any("held-out views" in note and "dB" in note for note in job.notes)
        saved = {Path(path).name: Path(path) for path in field.save(tmp_path / "out")}
        [bricks] = [path for name, path in saved.items() if name.endswith("_bricks.npy")]
        assert np.load(bricks).shape[1] == 3
        small = {"width_px": 48, "height_px": 32}
        seen = client.submit("field.render", small, inputs={"field": field}, host="python").result(150)
        assert sorted(asset.kind for asset in seen) == ["image", "image"]
        film = client.submit("field.orbit", {**small, "frames": 4}, inputs={"field": field}, host="web").result(150)
        [mp4] = [Path(path) for path in film[0].save(tmp_path / "film") if str(path).endswith(".mp4")]
        assert mp4.stat().st_size > 500
        with pytest.raises(Refused, match="nerfstudio_python"):
            client.submit("splats.from_photos_nerfstudio", {}, inputs={"photos": photos}, host="python").result(150)
