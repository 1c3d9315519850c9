"""What the add-on keeps in the user's folder: presets, history, slots, small JSON files."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blender_addon.core import json_file
from blender_addon.core.history import KEPT, PROMPTS_SHOWN, History
from blender_addon.core.landing import STEP_BYTES, Landing
from blender_addon.core.presets import PresetError, Presets
from blender_addon.core.runs import Made, Order, Run
from blender_addon.core.slots import Slot


def test_presets_are_kept_listed_loaded_and_removed(tmp_path: Path) -> None:
    presets = Presets(tmp_path)
    assert presets.names("material.procedural") == []
    assert presets.save("material.procedural", " Old / oak: ", {"prompt": "oak", "wear": None}) == "Old _ oak_"
    presets.save("material.procedural", "ash", {"prompt": "ash"})
    assert presets.names("material.procedural") == ["ash", "Old _ oak_"]
    assert presets.load("material.procedural", "Old _ oak_") == {"prompt": "oak", "wear": None}
    presets.save("material.procedural", "ash", {"prompt": "white ash"})
    assert presets.load("material.procedural", "ash") == {"prompt": "white ash"}
    presets.remove("material.procedural", "ash")
    presets.remove("material.procedural", "ash")
    assert presets.names("material.procedural") == ["Old _ oak_"]


@pytest.mark.parametrize(("generator", "name"), [("../evil", "x"), ("a..b", "x"), ("a.b", "../x"), ("A/b", "x")])
def test_no_preset_leads_out_of_its_folder(tmp_path: Path, generator: str, name: str) -> None:
    presets = Presets(tmp_path / "presets")
    with pytest.raises(PresetError, match="no name of a preset"):
        presets.load(generator, name)


def test_a_preset_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    presets = Presets(tmp_path)
    with pytest.raises(PresetError, match="needs a name"):
        presets.save("a.b", " / ".replace("/", ""), {})
    with pytest.raises(PresetError, match="no preset 'gone'"):
        presets.load("a.b", "gone")
    (tmp_path / "a.c").write_text("in the way")
    with pytest.raises(PresetError, match="cannot be written"):
        presets.save("a.c", "x", {})


def run(number: int, **params: object) -> Run:
    made = [Made(f"{number:064x}", "mesh", f"rock {number}")]
    return Run(Order("mesh.rock", params=dict(params), title="Rock"), assets=made, seed=number, ended=float(number))


def test_history_keeps_results_and_words(tmp_path: Path) -> None:
    history = History(tmp_path / "history.json")
    history.asked(Order("a.b", params={"prompt": "old oak", "kind": "fire", "size": 3}))
    history.asked(Order("a.b", params={"prompt": "new oak"}))
    history.asked(Order("a.b", params={"prompt": "old oak"}))
    for number in range(3):
        history.made(run(number, detail=1))
    history.made(run(1, detail=1))
    again = History(tmp_path / "history.json")
    assert again.texts == {"prompt": ["old oak", "new oak"]}
    assert [(past.label, past.seed) for past in again.results] == [("rock 1", 1), ("rock 2", 2), ("rock 0", 0)]
    assert again.results == history.results
    assert [past.seed for past in again.of_kinds(("mesh", "image"))] == [1, 2, 0]
    assert again.of_kinds(("image",)) == []


def test_history_does_not_grow_without_end(tmp_path: Path) -> None:
    history = History(tmp_path / "history.json")
    for number in range(PROMPTS_SHOWN + 5):
        history.asked(Order("a.b", params={"prompt": f"oak {number}"}))
    history.results = [past for past in history.results for _ in range(KEPT)]
    for number in range(KEPT + 3):
        history._save = lambda: None  # type: ignore[method-assign]
        history.made(run(number))
    assert len(history.results) == KEPT and len(history.texts["prompt"]) == PROMPTS_SHOWN
    assert history.results[0].seed == KEPT + 2


def test_a_broken_entry_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = History(tmp_path / "history.json")
    history.made(run(1))
    tree = json_file.read(tmp_path / "history.json")
    tree["results"].append({"generator": "only"})
    json_file.write(tmp_path / "history.json", tree)
    assert [past.seed for past in History(tmp_path / "history.json").results] == [1]
    assert "could not be read" in capsys.readouterr().out


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    history = (
        History(tmp_path / "in the way" / "history.json") if os.name == "nt" else History(tmp_path / "history.json")
    )
    history._path = tmp_path / "in the way" / "history.json"
    history.made(run(1))
    assert "cannot be kept" in history.trouble


def test_json_files_are_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    json_file.write(path, {"a": "ü"})
    assert json_file.read(path) == {"a": "ü"} and list(path.parent.iterdir()) == [path]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json_file.read(tmp_path / "none.json") is None


def test_a_slot_is_free_again_when_its_process_dies(tmp_path: Path) -> None:
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from blender_addon.core.slots import Slot; slot = Slot(Path(sys.argv[1])); print(slot.number, flush=True)\n"
        "time.sleep(60)"
    )
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path), root], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline().strip() == b"1"
        mine = Slot(tmp_path)
        assert mine.number == 2
        other.kill()
    freed = Slot(tmp_path)
    assert freed.number == 1
    freed.release()
    mine.release()
    with (tmp_path / "file").open("w"), pytest.raises(OSError):
        Slot(tmp_path / "file")


def test_a_large_file_lands_in_short_steps_and_a_half_one_has_no_name(tmp_path: Path) -> None:
    """No step writes more than its two megabytes, and only a whole file is found under its name."""
    data = bytes(range(256)) * (5 * STEP_BYTES // 512)
    files = [SimpleNamespace(path="", data=memoryview(data), row=SimpleNamespace(name="mesh.glb")),
             SimpleNamespace(path="", data=b"", row=SimpleNamespace(name="empty.txt")),
             SimpleNamespace(path="/bridge/its own.png", data=None, row=SimpleNamespace(name="own.png"))]  # fmt: skip
    delivery: Any = SimpleNamespace(files=files)
    landing = Landing(Run(Order("a.b")), "d" * 64, delivery, tmp_path)
    folder, sizes = tmp_path / ("d" * 32), [0]
    while not landing.step():
        part = folder / "mesh.glb.part"
        if part.exists():
            assert not (folder / "mesh.glb").exists()
            sizes.append(part.stat().st_size)
    assert all(after - before <= STEP_BYTES for before, after in itertools.pairwise(sizes)) and len(sizes) >= 3
    assert (folder / "mesh.glb").read_bytes() == data and (folder / "empty.txt").read_bytes() == b""
    assert sorted(path.name for path in folder.iterdir()) == ["empty.txt", "mesh.glb"]
    left = Landing(Run(Order("a.b")), "e" * 64, delivery, tmp_path)
    assert not left.step()
    left.stop()
    assert not (tmp_path / ("e" * 32) / "mesh.glb").exists()
