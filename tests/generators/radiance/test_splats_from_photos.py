"""The generator from a folder of photographs to an asset, as a worker would run it."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.assets import Capture, Splats
from engines.splat_values import colour_from_dc
from generators.events import Cancelled, Event, GeneratorError, Grown, Note, Preview, Produced, Progress, Request
from generators.radiance import checkpoint, splats_from_photos
from generators.radiance.photographs import Photograph
from generators.radiance.rasterizer import gsplat_backend
from generators.radiance.shelf import Shelf
from generators.radiance.specs import SPECS, SPLATS_FROM_PHOTOS, SplatsFromPhotosParams
from generators.spec import params_schema
from tests.generators.radiance.captures import write_folder
from tests.generators.radiance.scenes import photographs_of, textured_room

VIEWS = photographs_of(textured_room(2000), 6, width=48, height=40, arc_deg=50)
PARAMS = SplatsFromPhotosParams(resolution_px=96, iterations=40, splats_max=500, sh_degree=1, hold_out_every=5)


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


def request(path: Path, params: SplatsFromPhotosParams = PARAMS) -> Request:
    return Request(params=params, seed=5, inputs={"photos": Capture(path)})


def test_photographs_become_splats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splats_from_photos, "PREVIEW_SECS", 0.0)
    path = write_folder(tmp_path / "scene", VIEWS)
    (path / "images" / VIEWS[2].name).unlink()
    events = list(splats_from_photos.run(request(path), Bench(tmp_path / "scratch")))
    produced = [event for event in events if isinstance(event, Produced)]
    assert len(produced) == 1 and events[-1] is produced[0]
    splats = produced[0].asset
    assert isinstance(splats, Splats) and 100 < len(splats.positions) <= 500
    assert splats.sh.shape[1:] == (4, 3) and (splats.scales > 0).all()
    assert ((splats.opacities >= 0) & (splats.opacities <= 1)).all()
    np.testing.assert_allclose(np.linalg.norm(splats.rotations, axis=1), 1, atol=1e-5)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and fractions[-1] <= 1
    previews = [event.pixels for event in events if isinstance(event, Preview)]
    assert len(previews) > 3 and previews[-1].dtype == np.uint8 and previews[-1].shape == (40, 48, 3)
    truth = VIEWS[0].pixels.transpose(1, 2, 0).astype(float)
    away = [np.abs(preview - truth).mean() for preview in (previews[0], previews[-1])]
    assert away[1] < away[0]
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[0] == "5 of 6 listed photographs are used. Left out: images/view2.png (the file is missing)"
    assert any("held-out views" in note and "dB PSNR" in note for note in notes)


def test_a_card_that_cannot_be_used_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat_backend, "missing", lambda device: f"no gsplat on {device}")
    quick = msgspec.structs.replace(PARAMS, iterations=4)
    asked = request(write_folder(tmp_path / "scene", VIEWS), quick)
    events = list(splats_from_photos.run(asked, Bench(_fresh(tmp_path / "scratch"), device="cuda:0")))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "trained on the processor, not on cuda:0: no gsplat on cuda:0" in notes
    assert isinstance(events[-1], Produced)


def test_the_same_request_gives_the_same_splats(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    results = []
    for turn in range(2):
        *_, last = splats_from_photos.run(request(path), Bench(tmp_path / str(turn), wants_previews=turn == 0))
        assert isinstance(last, Produced) and isinstance(last.asset, Splats)
        results.append(last.asset)
    assert np.array_equal(results[0].positions, results[1].positions) and np.array_equal(results[0].sh, results[1].sh)


def test_a_killed_run_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splats_from_photos, "CHECKPOINT_SECS", 0.0)
    path = write_folder(tmp_path / "scene", VIEWS)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    whole = list(splats_from_photos.run(request(path), Bench(scratch=_fresh(tmp_path / "other"))))[-1]
    with pytest.raises(Cancelled):
        list(splats_from_photos.run(request(path), Bench(scratch, checks_left=20)))
    assert (scratch / splats_from_photos.CHECKPOINT_NAME).exists()
    events = list(splats_from_photos.run(request(path), Bench(scratch)))
    assert any(isinstance(event, Note) and "taken up again at iteration" in event.text for event in events)
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(whole, Produced)
    assert isinstance(last.asset, Splats) and isinstance(whole.asset, Splats)
    assert np.array_equal(last.asset.positions, whole.asset.positions)


def _fresh(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_damaged_checkpoint_costs_the_work_but_not_the_job(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    scratch = _fresh(tmp_path / "scratch")
    (scratch / splats_from_photos.CHECKPOINT_NAME).write_bytes(b"half a file")
    events = list(splats_from_photos.run(request(path), Bench(scratch)))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "begun anew: what an earlier attempt had left is damaged" in notes
    assert isinstance(events[-1], Produced)


def test_a_watched_cloud_grows_and_ends_as_what_is_produced(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    params = msgspec.structs.replace(PARAMS, strategy="default", iterations=150, splats_max=900)
    events = list(splats_from_photos.run(request(path, params), Bench(tmp_path, wants_growth=True)))
    grown = [event for event in events if isinstance(event, Grown)]
    assert len(grown) > 100 and isinstance(events[-1], Produced) and grown[-1].splats is events[-1].asset
    first = next(index for index, event in enumerate(events) if isinstance(event, Grown))
    stages = [event.stage for event in events[:first] if isinstance(event, Progress)]
    assert not any(stage.startswith("training") for stage in stages), "seeds are shown before the first step"
    sizes = set()
    for event in grown:
        assert event.ids is not None and len(event.ids) == len(event.splats.positions) == len(np.unique(event.ids))
        sizes.add(len(event.ids))
    assert len(sizes) > 1, "the cloud gains and loses splats"
    for before, after in itertools.pairwise(grown):
        assert before.ids is not None and after.ids is not None
        both, was, now = np.intersect1d(before.ids, after.ids, return_indices=True)
        moved = np.linalg.norm(before.splats.positions[was] - after.splats.positions[now], axis=1)
        assert len(both) > 50 and np.median(moved) < 0.05, "who keeps its name keeps its place"
    nobody = list(splats_from_photos.run(request(path), Bench(_fresh(tmp_path / "other"))))
    assert len([event for event in nobody if isinstance(event, Grown)]) == 1


def test_good_enough_is_delivered_as_it_is(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    bench = Bench(tmp_path / "scratch", wants_growth=True)
    events = []
    for event in splats_from_photos.run(request(path), bench):
        events.append(event)
        bench.finishing = sum(isinstance(one, Grown) for one in events) >= 10
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "finished early, at iteration 9 of 40" in notes and isinstance(events[-1], Produced)


def test_a_cloud_is_trained_further(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    params = msgspec.structs.replace(PARAMS, iterations=120, splats_max=2000, hold_out_every=0)
    first = list(splats_from_photos.run(request(path, params), Bench(tmp_path / "a")))
    cloud = first[-1]
    assert isinstance(cloud, Produced) and isinstance(cloud.asset, Splats)
    ask = request(path, params)
    more = Request(ask.params, ask.seed, {**ask.inputs, "start": cloud.asset})
    second = list(splats_from_photos.run(more, Bench(tmp_path / "b", wants_growth=True)))
    start = next(event for event in second if isinstance(event, Grown)).splats
    np.testing.assert_allclose(start.positions, cloud.asset.positions, atol=1e-4)
    np.testing.assert_allclose(start.scales, cloud.asset.scales, rtol=1e-3)
    assert _decibels(second) > _decibels(first) + 0.5
    notes = [event.text for event in second if isinstance(event, Note)]
    assert f"trained further from {len(cloud.asset.positions):,} splats" in notes
    small = msgspec.structs.replace(params, splats_max=500, sh_degree=2, iterations=50)
    third = list(splats_from_photos.run(Request(small, 1, more.inputs), Bench(tmp_path / "c")))
    assert any("of which the 500 most important were kept" in event.text for event in third if isinstance(event, Note))
    assert isinstance(third[-1], Produced) and isinstance(third[-1].asset, Splats)
    assert third[-1].asset.sh.shape == (500, 9, 3)
    with pytest.raises(GeneratorError, match="expected splats"):
        list(splats_from_photos.run(Request(params, 1, {**ask.inputs, "start": Capture(path)}), Bench(tmp_path)))


def _decibels(events: list[Event]) -> float:
    notes = [event.text for event in events if isinstance(event, Note)]
    [found] = [match for note in notes if (match := re.search(r"views ([\d.]+) dB PSNR", note))]
    return float(found[1])


def test_cancelling_waits_for_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_folder(tmp_path / "scene", VIEWS)
    gate, begun = threading.Event(), threading.Event()

    def stuck(*_: object, **__: object) -> None:
        begun.set()
        gate.wait(60)

    class Impatient(Bench):
        def check(self) -> None:
            if begun.is_set():
                raise Cancelled

    monkeypatch.setattr(splats_from_photos, "Trainer", stuck)
    with pytest.raises(Cancelled):
        list(splats_from_photos.run(request(path), Impatient(tmp_path)))
    assert not gate.is_set(), "the sweep still goes on when the run is over"
    gate.set()


def test_no_photographs_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="no photographs were given"):
        list(splats_from_photos.run(Request(params=PARAMS, seed=0), Bench(tmp_path)))
    with pytest.raises(GeneratorError, match="does not exist"):
        list(splats_from_photos.run(request(tmp_path / "gone"), Bench(tmp_path)))


def test_declaring_it_loads_nothing_heavy() -> None:
    program = "import sys, generators.radiance.specs; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numba", "numpy", "PIL"} & set(loaded)


def test_training_on_the_cpu_loads_no_torch() -> None:
    program = "import sys, generators.radiance.splats_from_photos; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" not in loaded and "numba" in loaded


def test_the_declaration_bounds_its_parameters() -> None:
    assert SPLATS_FROM_PHOTOS in SPECS
    schema = params_schema(SPLATS_FROM_PHOTOS)
    assert set(schema["properties"]) == set(SplatsFromPhotosParams.__struct_fields__)
    assert all("title" in entry for entry in schema["properties"].values())
    with pytest.raises(msgspec.ValidationError, match=r"`\$\.sh_degree`"):
        msgspec.convert({"sh_degree": 4}, SplatsFromPhotosParams)
    assert checkpoint.VERSION == 1


def before_nothing(kind: str) -> list[Photograph]:
    """The room's photographs, the left half of each transparent or of one bright colour, as its whole frame is."""
    views = []
    for view in VIEWS:
        pixels, alpha = view.pixels.copy(), None
        nothing = np.ones(pixels.shape[1:], np.bool_)
        nothing[8:32, 24:40] = False
        if kind == "transparent":
            alpha = np.where(nothing, 0, 255).astype(np.uint8)
        elif kind == "white":
            pixels[:, nothing] = 255
        views.append(replace(view, pixels=pixels, alpha=alpha))
    return views


@pytest.mark.parametrize(
    ("kind", "background", "told"),
    [("transparent", "random", False), ("white", "random", True), ("a room", "black", False)],
)
def test_the_background_is_chosen_by_what_is_seen(tmp_path: Path, kind: str, background: str, told: bool) -> None:
    views, chosen, words = splats_from_photos._before_nothing(before_nothing(kind), lambda: None, Shelf(tmp_path))
    assert chosen == background and bool(words) is told
    for view in views:
        assert (view.alpha is None) is (kind == "a room")
        assert view.alpha is None or (not view.alpha[:8].any() and view.alpha[12:28, 28:36].all())


def test_nothing_is_left_standing_before_a_white_backdrop(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "scene", before_nothing("white"))
    events = list(splats_from_photos.run(request(path), Bench(tmp_path / "scratch")))
    assert any(isinstance(event, Note) and "is left out of the cloud" in event.text for event in events)
    [splats] = [event.asset for event in events if isinstance(event, Produced)]
    assert isinstance(splats, Splats)
    pale = (splats.opacities > 0.5) & (colour_from_dc(splats.sh[:, 0]).min(1) > 0.95)
    assert pale.mean() < 0.05
