"""What is left out of the first map is tried once more with less to ask, and the larger map is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.radiance.poses import colmap_process
from generators.radiance.poses.mapping import FEWER_INLIERS, INLIERS, mapped
from generators.radiance.poses.talk import Order, View, ViewCamera
from tests.generators.radiance.known_scene import around, render

pytest.importorskip("pycolmap")
COUNT = 6


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Order]:
    folder = tmp_path_factory.mktemp("order")
    views = []
    for index, camera in enumerate(around(COUNT, width=200, height=150, arc_deg=40)):
        np.save(folder / f"{index}.npy", render(camera).pixels)
        views.append(View(f"{index}.png", f"{index}.npy", 0))
    return folder, Order(tuple(views), (ViewCamera("SIMPLE_RADIAL", 200, 150, 181.0, True),), False, 1, 1, 1000)


@pytest.mark.parametrize(("first", "second", "kept"), [(4, 6, 6), (4, 3, 4), (6, None, 6)])
def test_the_larger_map_is_kept(
    pictures: tuple[Path, Order],
    monkeypatch: pytest.MonkeyPatch,
    first: int,
    second: int | None,
    kept: int,
) -> None:
    folder, order = pictures
    (folder / "colmap.db").unlink(missing_ok=True)
    asked: list[int] = []
    whole: list[Any] = []

    class Less:
        """The whole map, said to hold no more than the first so many views."""

        def __init__(self, count: int) -> None:
            self.count = count

        def num_reg_images(self) -> int:
            return self.count

        def reg_image_ids(self) -> list[int]:
            return sorted(whole[0].reg_image_ids())[: self.count]

        def __getattr__(self, name: str) -> Any:
            return getattr(whole[0], name)

    def some(*given: Any, inliers: int = INLIERS) -> list[Any]:
        asked.append(inliers)
        if not whole:
            whole.extend(mapped(*given, inliers=inliers))
        return [Less(first if len(asked) == 1 else second or 0)]

    monkeypatch.setattr(colmap_process, "mapped", some)
    answer = colmap_process.solve(order, folder, lambda _: None)
    assert asked == [INLIERS] + ([] if second is None else [FEWER_INLIERS])
    assert [len(group.views) for group in answer.groups] == [kept]
