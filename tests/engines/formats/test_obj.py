"""OBJ with MTL and textures: both ways, beside trimesh, and from careless hands."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from engines.assets import Mesh
from engines.asymmetric import asymmetric_mesh, findings
from engines.conventions import Host
from engines.errors import DamagedFile, EnginesError, TooLarge
from engines.formats import obj
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.kinds import Kind, MapName
from engines.sniffing import sniffed
from tests.engines.formats.splat_clouds import mutations

LIMITS = Limits()
PYTHON = HOSTS["python"]


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_comes_back_the_right_way_round_from_every_host(host: Host, tmp_path: Path) -> None:
    mesh = asymmetric_mesh()
    files = obj.encode(mesh, tmp_path, "f", host=host, provenance='{"seed": 7}')
    assert [file.file for file in files][:2] == ["f.obj", "f.mtl"]
    for file in files:
        assert file.bytes == (tmp_path / file.file).stat().st_size
    path = tmp_path / "f.obj"
    assert sniffed(path)[0].name == "obj" and sniffed(path)[1] is Kind.MESH
    got = obj.decode(path, LIMITS)
    assert findings(replace(got, material=mesh.material)) == []
    np.testing.assert_allclose(got.positions[got.faces], mesh.positions[mesh.faces], atol=1e-6)
    assert got.normals is not None and got.uvs is not None and got.colours is not None
    assert mesh.normals is not None and mesh.uvs is not None and mesh.colours is not None
    np.testing.assert_allclose(got.normals[got.faces], mesh.normals[mesh.faces], atol=1e-6)
    np.testing.assert_allclose(got.uvs[got.faces], mesh.uvs[mesh.faces], atol=1e-6)
    np.testing.assert_allclose(got.colours[got.faces], mesh.colours[mesh.faces], atol=0.005)


def test_trimesh_reads_our_obj_with_its_texture(tmp_path: Path) -> None:
    trimesh: Any = pytest.importorskip("trimesh")
    mesh = replace(asymmetric_mesh(), colours=None)
    obj.encode(mesh, tmp_path, "f", host=PYTHON)
    got = trimesh.load(tmp_path / "f.obj", process=False, force="mesh")
    assert len(got.faces) == len(mesh.faces)
    np.testing.assert_allclose(got.triangles, mesh.positions[mesh.faces], atol=1e-6)
    base = np.asarray(got.visual.material.image.convert("RGB"))
    assert mesh.material is not None
    np.testing.assert_array_equal(base, mesh.material.maps[MapName.BASE_COLOR].pixels[..., :3])


def test_the_material_names_files_that_are_there(tmp_path: Path) -> None:
    obj.encode(asymmetric_mesh(), tmp_path, "f", host=PYTHON)
    lines = [line.split() for line in (tmp_path / "f.mtl").read_text().splitlines()]
    named = {words[0]: words[1] for words in lines if words[0].startswith("map_") or words[0] == "norm"}
    assert {"map_Kd", "norm"} <= set(named)
    for file in named.values():
        with Pillow.open(tmp_path / file) as picture:
            picture.load()


def test_we_read_the_obj_of_trimesh(tmp_path: Path) -> None:
    trimesh: Any = pytest.importorskip("trimesh")
    made = trimesh.creation.icosphere(subdivisions=2)
    made.export(tmp_path / "f.obj", include_normals=True)
    got = obj.decode(tmp_path / "f.obj", LIMITS)
    np.testing.assert_allclose(got.positions[got.faces], made.triangles, atol=1e-6)
    assert got.normals is not None


@pytest.mark.parametrize(("text", "faces"), [
    ("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n", 2),
    ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf -3 -2 -1\n", 1),
    ("# by hand\n\ng a b\nv 0 0 0 1\nv 1 0 0 1\nv 1 1 0 1\nvt 0 0\nvn 0 0 1\nf 1/1/1 2/1/1 3/1/1\n", 1),
    ("v 0 0 0\nv 1 0 0\nv 1 1 0\nvn 0 0 1\nf 1//1 \\\n2//1 3//1\n", 1),
    ("v 0 0 0 0.5 0.5 0.5\nv 1 0 0 1 1 1\nv 1 1 0 0 0 0\nvt 0.5\nf 1/1 2/1 3/1\n", 1),
    ("v 0 0 0\nv 1 0 0\nv 1 1 0\n", 0),
])  # fmt: skip
def test_dialects_are_read(text: str, faces: int, tmp_path: Path) -> None:
    (tmp_path / "f.obj").write_text(text)
    got = obj.decode(tmp_path / "f.obj", LIMITS)
    assert len(got.faces) == faces and len(got.positions) >= 3
    assert (got.normals is not None) == ("vn" in text)
    assert (got.colours is not None) == ("0.5 0.5 0.5" in text)
    assert sniffed(tmp_path / "f.obj")[0].name == "obj"


@pytest.mark.parametrize(("text", "words"), [
    ("f 1 2 3\n", "no vertices"),
    ("v 0 0 0\nf 1 2 3\n", "beyond its 1"),
    ("v 0 0 0\nf 1 1 -2\n", "before the first"),
    ("v 0 0 0\nf 0 1 1\n", "before the first"),
    ("v 0 0 0\nf 1 x 1\n", "makes no sense"),
    ("v 0 0 0\nf 1 1\n", "2 corners"),
    ("v 0 0\n", "3 finite numbers|3 numbers"),
    ("v 0 0 nan\n", "finite"),
    ("v 0 0 1e999\n", "finite"),
    ("v a b c\n", "3 numbers"),
    ("# scenecast frame up up up 1 ccw bottom_left\nv 0 0 0\n", "axes"),
])  # fmt: skip
def test_damaged_files_are_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "f.obj").write_text(text)
    with pytest.raises(DamagedFile, match=words):
        obj.decode(tmp_path / "f.obj", LIMITS)


def test_limits_hold(tmp_path: Path) -> None:
    (tmp_path / "f.obj").write_text("v 0 0 0\n" * 1001)
    with pytest.raises(TooLarge, match="more than 1000"):
        obj.decode(tmp_path / "f.obj", Limits(max_elements=1000))
    with pytest.raises(TooLarge, match="bytes"):
        obj.decode(tmp_path / "f.obj", Limits(max_file_bytes=1000))


def test_mutated_files_give_a_mesh_or_words(tmp_path: Path) -> None:
    obj.encode(replace(asymmetric_mesh(), material=None), tmp_path, "f", host=PYTHON)
    whole = (tmp_path / "f.obj").read_bytes()
    refused = 0
    for broken in mutations(whole, 400, 0, head=len(whole)):
        (tmp_path / "b").write_bytes(broken)
        try:
            got = obj.decode(tmp_path / "b", LIMITS)
        except EnginesError as error:
            refused += 1
            assert error.message
        else:
            assert isinstance(got, Mesh) and np.isfinite(got.positions).all()
    assert refused > 100
