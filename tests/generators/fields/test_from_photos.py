"""The generator from a folder of photographs to an asset, as a worker would run it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.assets import Capture, Field
from engines.neutral import write
from generators.events import Cancelled, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.fields import checkpoint, from_photos
from generators.fields.specs import FIELD_FROM_PHOTOS, SPECS, FieldFromPhotosParams
from generators.radiance.archive import CaptureError
from generators.spec import params_schema
from tests.generators.fields.lattices import ROOM
from tests.generators.radiance.captures import write_folder

PARAMS = FieldFromPhotosParams(resolution_px=64, iterations=40, detail="coarse", hold_out_every=8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(from_photos.CELLS, "coarse", (64, (0.5, 0.5), (512, 512)))


@dataclass
class Bench:
    """A context as the worker offers it, cancelled after some checks when wanted."""

    scratch: Path
    device: str = "cpu"
    wants_previews: bool = True
    checks_left: int = 1_000_000
    wants_growth: bool = False
    finishing: bool = False

    def check(self) -> None:
        self.checks_left -= 1
        if self.checks_left < 0:
            raise Cancelled


def request(path: Path, params: FieldFromPhotosParams = PARAMS) -> Request:
    return Request(params=params, seed=5, inputs={"photos": Capture(path)})


def fresh(path: Path) -> Path:
    path.mkdir()
    return path


def test_photographs_become_a_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_photos, "PREVIEW_SECS", 0.0)
    path = write_folder(tmp_path / "scene", ROOM)
    (path / "images" / ROOM[2].name).unlink()
    longer = msgspec.structs.replace(PARAMS, iterations=120)
    events = list(from_photos.run(request(path, longer), Bench(fresh(tmp_path / "scratch"))))
    produced = [event for event in events if isinstance(event, Produced)]
    assert len(produced) == 1 and events[-1] is produced[0]
    field = produced[0].asset
    assert isinstance(field, Field) and field.cells == 64 and field.contracted
    assert len(write(field, fresh(tmp_path / "parts")).parts) == 4
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and fractions[-1] <= 1
    previews = [event.pixels for event in events if isinstance(event, Preview)]
    truth = ROOM[0].pixels.transpose(1, 2, 0).astype(float)
    away = [np.abs(preview - truth).mean() for preview in (previews[0], previews[-1])]
    assert len(previews) > 10 and previews[-1].shape == (40, 48, 3) and away[1] < 0.6 * away[0]
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[0] == "8 of 9 listed photographs are used. Left out: images/view2.png (the file is missing)"
    assert any("held-out views" in note and "dB PSNR" in note for note in notes)


def test_a_killed_run_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_photos, "CHECKPOINT_SECS", 0.0)
    path = write_folder(tmp_path / "scene", ROOM)
    scratch = fresh(tmp_path / "scratch")
    *_, whole = from_photos.run(request(path), Bench(fresh(tmp_path / "other")))
    kept = []
    saving = checkpoint.save

    def save(*args: object) -> None:
        saving(*args)  # type: ignore[arg-type]
        kept.append(1)
        if len(kept) == 12:
            raise Cancelled

    monkeypatch.setattr(checkpoint, "save", save)
    with pytest.raises(Cancelled):
        list(from_photos.run(request(path), Bench(scratch)))
    monkeypatch.setattr(checkpoint, "save", saving)
    events = list(from_photos.run(request(path), Bench(scratch)))
    assert any(isinstance(event, Note) and event.text == "taken up again at iteration 12" for event in events)
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(whole, Produced)
    assert isinstance(last.asset, Field) and isinstance(whole.asset, Field)
    assert np.array_equal(last.asset.density, whole.asset.density) and np.array_equal(last.asset.sh, whole.asset.sh)


def test_a_damaged_checkpoint_is_told_and_not_used(tmp_path: Path) -> None:
    scratch = fresh(tmp_path / "scratch")
    (scratch / from_photos.CHECKPOINT_NAME).write_bytes(b"no field")
    events = list(from_photos.run(request(write_folder(tmp_path / "scene", ROOM)), Bench(scratch)))
    assert any(isinstance(event, Note) and event.text.startswith("begun anew") for event in events)
    assert isinstance(events[-1], Produced)


def test_cancelled_and_finished_early(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", ROOM)
    with pytest.raises(Cancelled):
        list(from_photos.run(request(path), Bench(fresh(tmp_path / "a"), checks_left=30)))
    events = list(from_photos.run(request(path), Bench(fresh(tmp_path / "b"), finishing=True)))
    assert any(isinstance(event, Note) and "finished early, at iteration 0" in event.text for event in events)
    assert isinstance(events[-1], Produced)


def test_no_photographs_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="no photographs were given"):
        list(from_photos.run(Request(params=PARAMS, seed=0), Bench(tmp_path)))
    with pytest.raises((GeneratorError, CaptureError), match="does not exist"):
        list(from_photos.run(request(tmp_path / "gone"), Bench(tmp_path)))


def test_declaring_it_loads_nothing_heavy() -> None:
    program = "import sys, generators.fields.specs; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numba", "numpy", "PIL"} & set(loaded)
    program = "import sys, generators.fields.from_photos; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" not in loaded


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_every_declaration_can_be_shown_and_run(spec) -> None:  # type: ignore[no-untyped-def]
    from generators.runner import imported

    assert callable(imported(spec.run or spec.live.start))
    schema = params_schema(spec)
    assert set(schema["properties"]) == set(spec.params.__struct_fields__)
    assert all("title" in entry for entry in schema["properties"].values())


def test_the_declaration_bounds_its_parameters() -> None:
    assert FIELD_FROM_PHOTOS in SPECS
    with pytest.raises(msgspec.ValidationError, match=r"`\$\.detail`"):
        msgspec.convert({"detail": "finest"}, FieldFromPhotosParams)
