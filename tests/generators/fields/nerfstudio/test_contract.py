"""Lines and files as nerfstudio 1.1 gives them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from generators.events import GeneratorError
from generators.fields.nerfstudio.contract import export_command, progress_of, train_command, trained_in


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("1990 (99.50%)       32.110 ms            321.1160 ms          129.68 K\n", 0.995),
        ("\x1b[32m  10 (1.00%) \x1b[0m 8 ms", 0.01),
        ("old\r100 (50%)  1 s", 0.5),
        ("Step (% Done)       Train Iter (time)", None),
        ("Loading data 50%", None),
        ("", None),
    ],
)
def test_progress_is_read_from_the_table(line: str, share: float | None) -> None:
    assert progress_of(line) == share


def test_commands_name_everything_and_end_by_themselves() -> None:
    command = train_command(
        Path("/ns/python"), "nerfacto", Path("d"), Path("o"), iterations=9, seed=3, flags=["--a.b=1"]
    )
    assert command[:4] == ["/ns/python", "-m", "nerfstudio.scripts.train", "nerfacto"]
    assert command[-2:] == ["--a.b=1", "nerfstudio-data"] and command[command.index("--vis") + 1] == "tensorboard"
    splats = export_command(Path("p"), "splatfacto", Path("c.yml"), Path("x"), points=5)
    assert splats[3] == "gaussian-splat" and "--num-points" not in splats
    assert export_command(Path("p"), "nerfacto", Path("c.yml"), Path("x"), points=5)[3] == "pointcloud"


@pytest.mark.parametrize("content", ["{", "{}", '{"transform": [[1]], "scale": 1}', '{"transform": [], "scale": 0}'])
def test_a_transform_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "scenecast" / "nerfacto" / "run"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text("")
    with pytest.raises(GeneratorError, match="left no dataparser"):
        trained_in(tmp_path, "nerfacto")
    (folder / "dataparser_transforms.json").write_text(content)
    with pytest.raises(GeneratorError, match=r"cannot be understood|no rigid motion"):
        trained_in(tmp_path, "nerfacto")
    (folder / "dataparser_transforms.json").write_text(json.dumps({"transform": np.eye(3, 4).tolist(), "scale": 2.0}))
    assert trained_in(tmp_path, "nerfacto").scale == 2.0
