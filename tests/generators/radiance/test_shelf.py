"""Photographs that lie on disk train to the same cloud as those in memory, and leave no files behind."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engines.assets import Capture, Splats
from generators.events import GeneratorError, Produced, Request
from generators.radiance import shelf, splats_from_photos
from generators.radiance.capture import read_capture
from generators.radiance.photographs import load_photographs
from generators.radiance.shelf import DiskFull, Shelf, let_go
from generators.radiance.specs import SplatsFromPhotosParams
from tests.generators.radiance import known_scene
from tests.generators.radiance.test_splats_from_photos import Bench

SEEN = known_scene.views(6, width=64, height=48, arc_deg=50)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture with a mask and a depth picture."""
    root = known_scene.write_capture(tmp_path_factory.mktemp("capture") / "room", SEEN)
    mask = np.full((48, 64), 255, np.uint8)
    mask[:, :20] = 0
    (root / "masks").mkdir()
    Image.fromarray(mask).save(root / "masks" / "view001.png")
    (root / "depth").mkdir()
    Image.fromarray((SEEN[2].depth * 1000 + 0.5).astype(np.uint16)).save(root / "depth" / "2.png")
    content = json.loads((root / "transforms.json").read_text())
    content["frames"][1]["mask_path"] = "masks/view001.png"
    content["frames"][2]["depth_file_path"] = "depth/2.png"
    content["depth_unit_scale_factor"] = 0.001
    (root / "transforms.json").write_text(json.dumps(content))
    return root


def test_what_does_not_fit_lies_on_disk_and_is_the_same(
    tmp_path: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "HELD_BYTES", 2 * 3 * 48 * 64)
    capture = read_capture(room)
    held, _ = load_photographs(capture, longest_side_px=64)
    with Shelf(tmp_path) as place:
        kept, _ = load_photographs(capture, longest_side_px=64, shelf=place)
    on_disk = 0
    for one, other in zip(held, kept, strict=True):
        for name in ("pixels", "alpha", "mask", "depth"):
            want, got = getattr(one, name), getattr(other, name)
            assert (want is None) == (got is None)
            if want is not None:
                assert got.dtype == want.dtype
                for _ in range(2):
                    np.testing.assert_array_equal(got, want)
                    let_go(got)
                on_disk += not got.flags.writeable
    assert on_disk >= 4 and held[1].mask is not None and held[2].depth is not None
    place.let_go()
    np.testing.assert_array_equal(kept[5].pixels, held[5].pixels)
    assert not list(tmp_path.iterdir()), "the file has no name"
    with pytest.raises(ValueError, match="read-only"):
        kept[5].pixels[0] = 0


def cloud(path: Path, scratch: Path, depth_weight: float = 0.0) -> Splats:
    params = SplatsFromPhotosParams(
        resolution_px=96, iterations=50, splats_max=500, sh_degree=1, hold_out_every=3, depth_weight=depth_weight
    )
    events = list(
        splats_from_photos.run(Request(params=params, seed=5, inputs={"photos": Capture(path)}), Bench(scratch))
    )
    last = events[-1]
    assert isinstance(last, Produced) and isinstance(last.asset, Splats)
    return last.asset


@pytest.mark.parametrize("depth_weight", [0.0, 0.5])
def test_the_cloud_is_the_same_bit_for_bit(
    tmp_path: Path, room: Path, monkeypatch: pytest.MonkeyPatch, depth_weight: float
) -> None:
    held = cloud(room, tmp_path / "held", depth_weight)
    monkeypatch.setattr(shelf, "HELD_BYTES", 0)
    kept = cloud(room, tmp_path / "kept", depth_weight)
    for name in ("positions", "rotations", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(held, name))


def test_a_full_disk_is_told_in_words(tmp_path: Path, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, *_: int) -> int:
            return 0

        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            """Nothing is held."""

    monkeypatch.setattr(shelf, "HELD_BYTES", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(DiskFull, match=r"No space left.*smaller picture size"):
        load_photographs(read_capture(room), longest_side_px=64, shelf=Shelf(tmp_path))
    assert issubclass(DiskFull, GeneratorError)


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np
from generators.radiance.cameras import looking_at
from generators.radiance.photographs import Photograph
from generators.radiance.seeding import small_pictures
from generators.radiance.shelf import Shelf
from generators.radiance import shelf
shelf.HELD_BYTES = 20 << 20
place = Shelf(Path(sys.argv[1]))
camera = looking_at((0, 0, 3), (0, 0, 0), fov_y_deg=50, width=1024, height=1024)
small_pictures([Photograph("", camera, np.zeros((3, 1024, 1024), np.uint8))], 64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = [place.kept(Photograph(str(i), camera, np.full((3, 1024, 1024), i, np.uint8))) for i in range(100)]
pictures, _ = small_pictures(made, 64)
for one in made:
    assert one.pixels.max() == int(one.name)
    place.let_go()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is told in kilobytes on Linux")
def test_three_hundred_megabytes_of_photographs_take_a_tenth_of_that(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


def test_arrays_in_memory_are_left_alone() -> None:
    array = np.arange(10)
    let_go(array[2:])
    let_go(np.frombuffer(b"abcd", np.uint8))
    assert array.tolist() == list(range(10))
    photograph = known_scene.photographs(SEEN[:1])[0]
    assert Shelf(Path("never")).kept(photograph) is photograph
    assert Shelf(Path("never")).kept(replace(photograph)).pixels is photograph.pixels
