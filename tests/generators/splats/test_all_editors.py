"""What holds for every editor: cancelling, repeatability for any number of threads, and clouds from elsewhere."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import pytest

from engines.assets import Asset, Image, Splats
from engines.formats.registry import Limits, decoder
from engines.kinds import Kind
from engines.sniffing import sniffed
from generators.events import Cancelled, Progress, Request
from generators.spec import GeneratorSpec, Params
from generators.splats.clouds import ARRAYS
from generators.splats.params import DecimateParams, LevelsParams, MergeParams, RecolourParams, TransformParams
from generators.splats.specs import SPECS
from tests.generators.splats.clouds_at_hand import Quiet, edited, random_cloud, sheet, waves

DIALECTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "splat_dialects"
BUSY: dict[str, Params] = {
    "splats.transform": TransformParams(level="nearly", rotate_y_deg=30, mirror="z", place="on_ground"),
    "splats.merge": MergeParams(align="fit", duplicates="remove"),
    "splats.decimate": DecimateParams(share=0.2),
    "splats.levels": LevelsParams(levels=3),
    "splats.recolour": RecolourParams(contrast=1.3),
}
"""Parameters with which an editor has something to do; the others have by default."""


def inputs_of(spec: GeneratorSpec, cloud: Splats) -> dict[str, Asset]:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    return {
        port.name: cloud if port.kinds == (Kind.SPLATS,) else Image(pixels) for port in spec.takes if not port.optional
    }


@dataclass
class Impatient(Quiet):
    """Cancels at the n-th look."""

    patience: int = 1

    def check(self) -> None:
        super().check()
        if self.asked >= self.patience:
            raise Cancelled


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_each_can_be_cancelled_at_any_look_and_looks_often(spec: GeneratorSpec) -> None:
    run = importlib.import_module(spec.run.split(":")[0]).run
    cloud = sheet(800, colour=waves, lift=lambda x, z: 0.2 * np.sin(3 * x))
    request = Request(BUSY.get(spec.id, spec.params()), 1, inputs_of(spec, cloud))
    patient = Quiet()
    list(run(request, patient))
    assert patient.asked >= 2
    for patience in {1, patient.asked // 2, patient.asked}:
        with pytest.raises(Cancelled):
            list(run(request, Impatient(patience=max(patience, 1))))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_one_thread_gives_the_bytes_that_two_give(spec: GeneratorSpec) -> None:
    cloud = sheet(1200, colour=waves, lift=lambda x, z: 0.2 * np.sin(3 * x))
    inputs = inputs_of(spec, cloud)
    editor = spec.run.split(":")[0].rpartition(".")[2]
    many = edited(editor, BUSY.get(spec.id, spec.params()), 7, False, **inputs).results
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        single = edited(editor, BUSY.get(spec.id, spec.params()), 7, False, **inputs).results
    finally:
        numba.set_num_threads(before)
    assert many.keys() == single.keys() and many
    for name, cloud in many.items():
        for array in ARRAYS:
            assert getattr(cloud, array).tobytes() == getattr(single[name], array).tobytes()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_progress_only_rises_and_results_are_valid(spec: GeneratorSpec) -> None:
    cloud = random_cloud(600, harmonics=9)
    run = importlib.import_module(spec.run.split(":")[0]).run
    params = spec.params() if spec.id in ("splats.transform", "splats.merge") else BUSY.get(spec.id, spec.params())
    events = list(run(Request(params, 1, inputs_of(spec, cloud)), Quiet()))
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and all(0 <= fraction <= 1 for fraction in fractions)
    for result in edited(
        spec.run.split(":")[0].rpartition(".")[2], params, 1, False, **inputs_of(spec, cloud)
    ).results.values():
        assert all(getattr(result, name).dtype == np.float32 for name in ARRAYS)
        assert all(np.isfinite(getattr(result, name)).all() and len(getattr(result, name)) for name in ARRAYS)
        assert (result.scales > 0).all() and (result.opacities >= 0).all() and (result.opacities <= 1).all()
        np.testing.assert_allclose(np.linalg.norm(result.rotations, axis=1), 1, atol=1e-5)


@pytest.mark.skipif(not DIALECTS.exists(), reason=f"no foreign clouds at {DIALECTS}")
@pytest.mark.parametrize("name", ["minimal-v2.spz", "minimal-v3.spz", "minimal-v4.spz"])
def test_clouds_from_elsewhere_can_be_edited(name: str) -> None:
    path = DIALECTS / name
    cloud = decoder(sniffed(path)[0])(path, Limits())
    assert isinstance(cloud, Splats)
    turned = edited("transform", TransformParams(rotate_x_deg=90, scale=2), cloud=cloud).cloud
    back = edited("transform", TransformParams(rotate_x_deg=-90, scale=0.5), cloud=turned).cloud
    np.testing.assert_allclose(back.positions, cloud.positions, atol=1e-4)
    np.testing.assert_allclose(back.sh, cloud.sh, atol=1e-4)
    for editor in ("recolour", "relight", "clean"):
        spec = next(spec for spec in SPECS if spec.id == f"splats.{editor}")
        assert len(edited(editor, BUSY.get(spec.id, spec.params()), cloud=cloud).cloud.positions) >= 1
