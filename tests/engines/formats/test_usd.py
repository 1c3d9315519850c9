import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from engines.assets import Image, Material, Mesh
from engines.asymmetric import asymmetric_image, asymmetric_material, asymmetric_mesh, findings
from engines.conventions import Host
from engines.errors import FormatUnavailable, UnsuitableAsset
from engines.formats import usd
from engines.formats.registry import encoder, format_named, missing_need
from engines.hosts import HOSTS
from engines.kinds import ColourSpace, Kind, MapName

pxr = pytest.importorskip("pxr", reason="needs the package usd-core: pip install 'scenecast[usd]'")

HOST_ROWS = pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
PYTHON = HOSTS["python"]


def opened(path: Path) -> Any:
    from pxr import Usd

    return Usd.Stage.Open(str(path))


def mesh_of(stage: Any) -> Mesh:
    """The mesh as USD's own library reads it."""
    from pxr import UsdGeom

    shape = UsdGeom.Mesh(stage.GetPrimAtPath("/Asset/Mesh"))
    assert set(shape.GetFaceVertexCountsAttr().Get()) == {3}
    return Mesh(
        positions=np.array(shape.GetPointsAttr().Get(), np.float32),
        faces=np.array(shape.GetFaceVertexIndicesAttr().Get(), np.uint32).reshape(-1, 3),
        normals=np.array(shape.GetNormalsAttr().Get(), np.float32),
        uvs=np.array(UsdGeom.PrimvarsAPI(shape).GetPrimvar("st").Get(), np.float32),
        colours=np.array(shape.GetDisplayColorAttr().Get(), np.float32),
    )


@HOST_ROWS
@pytest.mark.parametrize("style", ["usdc", "usda"])
def test_the_letter_is_the_right_way_round_for_every_host(host: Host, style: Any, tmp_path: Path) -> None:
    from pxr import UsdGeom

    mesh = asymmetric_mesh()
    files = usd.encode(mesh, tmp_path, "f", host=host, style=style)
    assert {file.file for file in files} == {path.name for path in tmp_path.iterdir()}
    assert [file.role for file in files] == ["mesh", "base_color", "normal", "emission", "orm"]
    assert all(file.bytes == (tmp_path / file.file).stat().st_size for file in files)
    stage = opened(tmp_path / f"f.{style}")
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    got = mesh_of(stage)
    assert findings(got) == []
    for name in ("positions", "faces", "normals", "uvs", "colours"):
        np.testing.assert_allclose(getattr(got, name), getattr(mesh, name), atol=1e-6)


def connected(shader: Any, name: str) -> tuple[str, str, str]:
    """The texture file behind an input, its channel and its colour space."""
    source, channel, _ = shader.GetInput(name).GetConnectedSource()
    texture = pxr_shader(source.GetPrim())
    return (
        texture.GetInput("file").Get().path,
        channel,
        texture.GetInput("sourceColorSpace").Get(),
    )


def pxr_shader(prim: Any) -> Any:
    from pxr import UsdShade

    return UsdShade.Shader(prim)


def test_every_map_reaches_its_input(tmp_path: Path) -> None:
    usd.encode(asymmetric_mesh(), tmp_path, "f", host=PYTHON)
    stage = opened(tmp_path / "f.usdc")
    surface = pxr_shader(stage.GetPrimAtPath("/Asset/Material/Surface"))
    assert connected(surface, "diffuseColor") == ("./f_base_color.png", "rgb", "sRGB")
    assert connected(surface, "emissiveColor") == ("./f_emission.png", "rgb", "sRGB")
    assert connected(surface, "normal") == ("./f_normal.png", "rgb", "raw")
    assert connected(surface, "occlusion") == ("./f_orm.png", "r", "raw")
    assert connected(surface, "roughness") == ("./f_orm.png", "g", "raw")
    assert connected(surface, "metallic") == ("./f_orm.png", "b", "raw")
    assert not surface.GetInput("opacity")
    normal = pxr_shader(stage.GetPrimAtPath("/Asset/Material/Normal"))
    assert tuple(normal.GetInput("scale").Get()) == (2, 2, 2, 1)
    assert tuple(normal.GetInput("bias").Get()) == (-1, -1, -1, 0)
    assert normal.GetInput("wrapS").Get() == "clamp"
    # The pictures themselves: green is up, red top left.
    material = asymmetric_material()
    back = Image(np.asarray(Pillow.open(tmp_path / "f_normal.png")), ColourSpace.DATA)
    base = Image(np.asarray(Pillow.open(tmp_path / "f_base_color.png")))
    assert findings(Material({MapName.BASE_COLOR: base, MapName.NORMAL: back})) == []
    orm = np.asarray(Pillow.open(tmp_path / "f_orm.png"))
    for channel, name in enumerate((MapName.OCCLUSION, MapName.ROUGHNESS, MapName.METALLIC)):
        np.testing.assert_array_equal(orm[..., channel], material.maps[name].pixels[..., 0])


def test_a_material_alone_repeats_and_may_be_see_through(tmp_path: Path) -> None:
    alpha = Image(np.full((256, 256, 1), 0.5, np.float32), ColourSpace.DATA)
    maps = {MapName.BASE_COLOR: asymmetric_image(), MapName.OPACITY: alpha}
    usd.encode(Material(maps, tile_m=0.5, name="glass", ior=1.33), tmp_path, "f", host=PYTHON, style="usda")
    stage = opened(tmp_path / "f.usda")
    surface = pxr_shader(stage.GetPrimAtPath("/Asset/Material/Surface"))
    assert connected(surface, "opacity") == ("./f_base_color.png", "a", "sRGB")
    assert surface.GetInput("ior").Get() == pytest.approx(1.33)
    assert pxr_shader(stage.GetPrimAtPath("/Asset/Material/BaseColor")).GetInput("wrapT").Get() == "repeat"
    assert stage.GetPrimAtPath("/Asset/Material").GetDisplayName() == "glass"


@pytest.mark.parametrize(("alpha", "threshold"), [(1.0, None), (0.5, None), (0.0, 0.5)])
def test_cut_outs_are_told_from_glass(alpha: float, threshold: float | None, tmp_path: Path) -> None:
    """A renderer that blends a leaf sorts it wrongly and gives it no proper shadow; GLB says the same."""
    opacity = Image(np.full((4, 4, 1), alpha, np.float32), ColourSpace.DATA)
    maps = {MapName.BASE_COLOR: Image(np.full((4, 4, 3), 9, np.uint8)), MapName.OPACITY: opacity}
    usd.encode(Material(maps), tmp_path, "f", host=PYTHON)
    stage = opened(tmp_path / "f.usdc")
    given = pxr_shader(stage.GetPrimAtPath("/Asset/Material/Surface")).GetInput("opacityThreshold")
    assert (given.Get() if given else None) == threshold
    sides = stage.GetPrimAtPath("/Asset/Mesh").GetAttribute("doubleSided")
    assert bool(sides.Get()) == (alpha < 1)


def test_provenance_rides_in_the_layer_and_the_bytes_repeat(tmp_path: Path) -> None:
    for stem in ("a", "b"):
        (tmp_path / stem).mkdir()
        usd.encode(asymmetric_mesh(), tmp_path / stem, "f", host=PYTHON, provenance='{"seed": 7}')
    stage = opened(tmp_path / "a" / "f.usdc")
    assert json.loads(stage.GetRootLayer().customLayerData["scenecast"]) == {"seed": 7}
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_usd_has_no_findings_in_its_own_validators(tmp_path: Path) -> None:
    from pxr import UsdValidation

    bare = replace(asymmetric_mesh(), material=None, normals=None)
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 10
    assets: list[Mesh | Material] = [asymmetric_mesh(), asymmetric_material(), bare]
    for index, asset in enumerate(assets):
        usd.encode(asset, tmp_path, f"f{index}", host=PYTHON, provenance='{"seed": 7}')
        stage = opened(tmp_path / f"f{index}.usdc")
        found = UsdValidation.ValidationContext(validators).Validate(stage)
        assert [(error.GetName(), error.GetMessage()) for error in found] == []


def test_points_are_refused_and_a_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsuitableAsset, match="no faces"):
        usd.encode(replace(asymmetric_mesh(), faces=np.zeros((0, 3), np.uint32)), tmp_path, "f", host=PYTHON)
    row = replace(format_named("usd", Kind.MESH), needs=("a_package_that_is_not_there",))
    assert missing_need(row) == "a_package_that_is_not_there"
    with pytest.raises(FormatUnavailable, match="a_package_that_is_not_there"):
        encoder(row)
