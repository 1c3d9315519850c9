"""Splats in USD: exact both ways, valid by USD's own validators, and read at arm's length."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.assets import Splats
from engines.asymmetric import asymmetric_splats, findings
from engines.conventions import Host
from engines.errors import DamagedFile, EnginesError, TooLarge, UnsuitableAsset
from engines.formats import usd
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.kinds import Kind
from engines.sniffing import sniffed
from engines.splat_placing import placed
from tests.engines.formats.splat_clouds import apart, cloud, covariances

pytest.importorskip("pxr", reason="needs the package usd-core: pip install 'scenecast[usd]'")

LIMITS = Limits()
PYTHON = HOSTS["python"]


def written(splats: Splats, folder: Path, style: str = "usdc") -> Path:
    [file] = usd.encode(splats, folder, "f", host=PYTHON, style=style, provenance='{"seed": 7}')  # type: ignore[arg-type]
    assert (file.role, file.bytes) == ("splats", (folder / file.file).stat().st_size)
    return folder / file.file


@pytest.mark.parametrize(("coefficients", "style"), [(1, "usdc"), (16, "usdc"), (4, "usda")])
def test_splats_come_back_exactly(coefficients: int, style: str, tmp_path: Path) -> None:
    splats = cloud(200, coefficients)
    path = written(splats, tmp_path, style).rename(tmp_path / "upload")
    row, kind = sniffed(path)
    assert (row.name, kind) == ("usd", Kind.SPLATS)
    got = usd.decode(path, LIMITS)
    for name in ("positions", "scales", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(got, name), getattr(splats, name))
    assert apart(got, splats).angle_rad < 1e-3


def test_the_letter_is_the_right_way_round(tmp_path: Path) -> None:
    hosts: list[Host] = [HOSTS["python"], HOSTS["unreal"]]
    for host in hosts:
        usd.encode(asymmetric_splats(), tmp_path, host.name, host=host)
        assert findings(usd.decode(tmp_path / f"{host.name}.usdc", LIMITS)) == []


def test_usd_knows_the_schema_and_has_no_findings(tmp_path: Path) -> None:
    from pxr import Usd, UsdValidation, UsdVol

    splats = cloud(30, 4)
    stage = Usd.Stage.Open(str(written(splats, tmp_path)))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    found = UsdValidation.ValidationContext(validators).Validate(stage)
    assert [(error.GetName(), error.GetMessage()) for error in found] == []
    prim = stage.GetPrimAtPath("/Asset/Splats")
    assert all(prim.GetAttribute(name).IsDefined() and not prim.GetAttribute(name).IsCustom() for name in (
        "positions", "orientations", "scales", "opacities", "radiance:sphericalHarmonicsCoefficients",
    ))  # fmt: skip
    if not hasattr(UsdVol, "ParticleField3DGaussianSplat"):
        pytest.skip("this OpenUSD is older than the schema")
    field = UsdVol.ParticleField3DGaussianSplat(prim)
    assert field and prim.IsA(UsdVol.ParticleField)
    first = field.GetPrim().GetAttribute("orientations").Get()[0]
    expected = splats.rotations[0] * np.sign(splats.rotations[0, 0])
    np.testing.assert_allclose([first.real, *first.imaginary], expected, atol=1e-6)
    assert json.loads(stage.GetRootLayer().customLayerData["scenecast"]) == {"seed": 7}


def stage_of(body: str, folder: Path, head: str = 'upAxis = "Y"\n metersPerUnit = 1') -> Path:
    path = folder / "f.usda"
    path.write_text(f"#usda 1.0\n(\n {head}\n)\n{body}\n")
    return path


SPLAT = """def ParticleField3DGaussianSplat "S" {
 point3f[] positions = [(1, 2, 3), (4, 5, 6)]
 float3[] scales = [(0.1, 0.2, 0.3), (0.1, 0.2, 0.3)]
 float[] opacities = [0.5, 0.25]
 quatf[] orientations = [(1, 0, 0, 0), (0, 1, 0, 0)]
 uniform int radiance:sphericalHarmonicsDegree = 0
 float3[] radiance:sphericalHarmonicsCoefficients = [(1, 0, -1), (0, 0.5, 0)]
}"""


def test_a_file_of_other_hands_is_read(tmp_path: Path) -> None:
    got = usd.decode(stage_of(SPLAT, tmp_path), LIMITS)
    assert got.positions.tolist() == [[1, 2, 3], [4, 5, 6]] and got.opacities.tolist() == [0.5, 0.25]
    np.testing.assert_allclose(got.rotations, [[1, 0, 0, 0], [0, 1, 0, 0]], atol=1e-6)
    assert got.sh[:, 0].tolist() == [[1, 0, -1], [0, 0.5, 0]]


def test_transforms_units_and_upright_axes_are_applied(tmp_path: Path) -> None:
    xform = 'def Xform "X" {\n double3 xformOp:translate = (10, 0, 0)\n float xformOp:rotateZ = 90\n'
    xform += f' uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:rotateZ"]\n{SPLAT}\n}}'
    got = usd.decode(stage_of(xform, tmp_path), LIMITS)
    plain = usd.decode(stage_of(SPLAT, tmp_path), LIMITS)
    world = np.array([[0, -1, 0, 10], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float64)
    expected = placed(plain, world)
    np.testing.assert_allclose(got.positions, expected.positions, atol=1e-5)
    np.testing.assert_allclose(covariances(got), covariances(expected), atol=1e-6)
    upright = usd.decode(stage_of(SPLAT, tmp_path, 'upAxis = "Z"\n metersPerUnit = 0.01'), LIMITS)
    np.testing.assert_allclose(upright.positions, [[0.01, 0.03, -0.02], [0.04, 0.06, -0.05]], atol=1e-6)
    np.testing.assert_allclose(upright.scales, np.array([[0.1, 0.3, 0.2]] * 2) / 100, atol=1e-6)


def test_half_floats_and_what_is_missing(tmp_path: Path) -> None:
    body = """def ParticleField3DGaussianSplat "S" {
 point3h[] positionsh = [(1, 2, 3), (4, 5, 6)]
 quath[] orientationsh = [(0, 0, 1, 0), (0, 0, 1, 0), (1, 0, 0, 0)]
 float[] opacities = [0.5]
}"""
    got = usd.decode(stage_of(body, tmp_path), LIMITS)
    assert got.positions.tolist() == [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_allclose(got.rotations, [[0, 0, 1, 0]] * 2, atol=1e-6)  # one too many is cut
    assert got.opacities.tolist() == [1, 1] and got.scales.tolist() == [[1, 1, 1]] * 2  # one too few is none
    assert got.sh.shape == (2, 1, 3) and not got.sh.any()
    short = SPLAT.replace("Degree = 0", "Degree = 2")
    assert not usd.decode(stage_of(short, tmp_path), LIMITS).sh.any()


def test_nothing_a_file_refers_to_is_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.usda").write_text(f'#usda 1.0\n(\n defaultPrim = "S"\n)\n{SPLAT}\n')
    from pxr import Usd

    secret = (tmp_path / "secret.usda").as_posix()
    for body, head in (
        (f'def "A" ( references = @{secret}@ ) {{ }}', 'upAxis = "Y"'),
        (f'def "A" ( payload = @{secret}@ ) {{ }}', 'upAxis = "Y"'),
        ("", f"subLayers = [@{secret}@]"),
    ):
        stage = Usd.Stage.Open(str(stage_of(body, tmp_path, head)))
        assert any(prim.GetTypeName() == "ParticleField3DGaussianSplat" for prim in stage.Traverse())
        with pytest.raises(DamagedFile, match="holds no ParticleField3DGaussianSplat"):
            usd.decode(stage_of(body, tmp_path, head), LIMITS)


@pytest.mark.parametrize(("change", "words"), [
    (("(1, 2, 3)", "(nan, 2, 3)"), "not finite"),
    (("point3f[] positions = [(1, 2, 3), (4, 5, 6)]", ""), "no positions"),
    (("Degree = 0", "Degree = 9"), "degree 9"),
    (("point3f[]", "point3f[[["), "no whole USD"),
    (("ParticleField3DGaussianSplat", "Sphere"), "holds no"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        usd.decode(stage_of(SPLAT.replace(*change), tmp_path), LIMITS)


def test_limits_and_empty_clouds(tmp_path: Path) -> None:
    path = written(cloud(50, 1), tmp_path)
    with pytest.raises(TooLarge, match="50 splats"):
        usd.decode(path, replace(LIMITS, max_elements=49))
    with pytest.raises(TooLarge, match="bytes"):
        usd.decode(path, replace(LIMITS, max_file_bytes=100))
    with pytest.raises(UnsuitableAsset, match="no splats"):
        written(cloud(0), tmp_path)


def test_mutated_binary_files_end_their_own_process_at_most(tmp_path: Path) -> None:
    whole = written(cloud(40, 1), tmp_path).read_bytes()
    rng = np.random.default_rng(0)
    outcomes: list[Any] = []
    for _ in range(8):
        broken = bytearray(whole)
        for at in rng.integers(8, len(whole), 6):
            broken[at] = rng.integers(0, 256)
        (tmp_path / "b").write_bytes(broken[: int(rng.integers(len(whole) // 2, len(whole) + 1))])
        try:
            outcomes.append(usd.decode(tmp_path / "b", LIMITS))
        except EnginesError as error:
            assert error.message
            outcomes.append(error)
    assert any(isinstance(each, EnginesError) for each in outcomes)
