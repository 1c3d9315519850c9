"""STL and 3MF: millimetres with Z up, welded, as other people's readers see them."""

import re
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.assets import Image, Material, Mesh
from engines.asymmetric import asymmetric_mesh
from engines.conventions import Host
from engines.errors import DamagedFile, EnginesError, TooLarge, UnsuitableAsset
from engines.formats import stl, three_mf
from engines.formats.registry import Limits, decoder, encoder, format_named
from engines.geometry import welded
from engines.hosts import HOSTS
from engines.kinds import Kind, MapName
from engines.sniffing import sniffed
from tests.engines.formats.splat_clouds import mutations

LIMITS = Limits()
PYTHON = HOSTS["python"]
PRINTED = pytest.mark.parametrize("name", ["stl", "3mf"])


def written(name: str, mesh: Mesh, folder: Path, host: Host = PYTHON) -> Path:
    [file] = encoder(format_named(name))(mesh, folder, "f", host=host, provenance='{"seed": 7}')
    assert file.bytes == (folder / file.file).stat().st_size
    return folder / file.file


def back(path: Path) -> Mesh:
    row, kind = sniffed(path)
    assert kind is Kind.MESH
    got = decoder(row)(path, LIMITS)
    assert isinstance(got, Mesh)
    return got


def corners(mesh: Mesh) -> NDArray[np.float64]:
    """Every triangle's corners, turned so that the least comes first, in one order for all meshes [F, 3, 3]."""
    triangles = np.round(mesh.positions.astype(np.float64)[mesh.faces], 5) + 0.0
    first = [min(range(3), key=lambda k, t=t: tuple(t[k])) for t in triangles]  # type: ignore[misc]
    turned = np.stack([np.roll(t, -k, axis=0) for t, k in zip(triangles, first, strict=True)])
    return np.asarray(turned[np.lexsort(turned.reshape(-1, 9).T)])


@PRINTED
@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
def test_the_letter_comes_back_the_right_way_round_from_every_host(name: str, host: Host, tmp_path: Path) -> None:
    got = back(written(name, asymmetric_mesh(), tmp_path, host).rename(tmp_path / "upload"))
    np.testing.assert_allclose(corners(got), corners(asymmetric_mesh()), atol=2e-5)
    assert len(got.positions) < len(asymmetric_mesh().positions), "seams are welded"


@PRINTED
def test_the_same_mesh_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    first = written(name, asymmetric_mesh(), tmp_path).read_bytes()
    assert written(name, asymmetric_mesh(), tmp_path).read_bytes() == first


@PRINTED
def test_what_has_no_surface_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableAsset, match="no faces"):
        written(name, replace(asymmetric_mesh(), faces=np.zeros((0, 3), np.uint32)), tmp_path)


def test_trimesh_reads_our_stl_in_millimetres_with_z_up(tmp_path: Path) -> None:
    trimesh: Any = pytest.importorskip("trimesh")
    got = trimesh.load(written("stl", asymmetric_mesh(), tmp_path))
    x, y, z = (asymmetric_mesh().positions * 1000).T
    expected = np.array([[x.min(), (-z).min(), y.min()], [x.max(), (-z).max(), y.max()]])
    np.testing.assert_allclose(got.bounds, expected, rtol=1e-5, atol=1e-3)
    facets = np.frombuffer((tmp_path / "f.stl").read_bytes(), stl._FACET, offset=84)
    np.testing.assert_allclose(np.linalg.norm(facets["normal"], axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
def test_we_read_the_stl_of_trimesh(kind: str, tmp_path: Path) -> None:
    trimesh: Any = pytest.importorskip("trimesh")
    made = trimesh.creation.box((10, 20, 30))
    made.export(tmp_path / "f.stl", file_type=kind)
    got = back(tmp_path / "f.stl")
    assert got.positions.shape == (8, 3) and got.faces.shape == (12, 3)
    np.testing.assert_allclose(np.ptp(got.positions, axis=0), [0.01, 0.03, 0.02], atol=1e-7)
    solid = trimesh.Trimesh(got.positions, got.faces)
    assert solid.is_watertight and solid.volume > 0


def test_lib3mf_reads_our_3mf(tmp_path: Path) -> None:
    lib3mf: Any = pytest.importorskip("lib3mf", reason="needs the package lib3mf: pip install 'scenecast[test]'")
    path = written("3mf", asymmetric_mesh(), tmp_path)
    wrapper = lib3mf.get_wrapper()
    model = wrapper.CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(path))
    assert reader.GetWarningCount() == 0
    assert model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    objects = model.GetMeshObjects()
    assert objects.MoveNext()
    read = objects.GetCurrentMeshObject()
    bare = welded(asymmetric_mesh())
    assert (read.GetVertexCount(), read.GetTriangleCount()) == (len(bare.positions), len(bare.faces))
    places = np.array([list(vertex.Coordinates) for vertex in read.GetVertices()])
    x, y, z = (bare.positions * 1000).T
    np.testing.assert_allclose(places.max(axis=0), [x.max(), (-z).max(), y.max()], rtol=1e-5, atol=1e-3)
    colours = model.GetColorGroups()
    assert colours.MoveNext() and colours.GetCurrentColorGroup().GetCount() >= 3


def test_the_texture_becomes_the_corners_colours(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0], pixels[1, 1] = (255, 0, 0), (0, 0, 255)  # top left, bottom right
    mesh = Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
        np.array([[0, 1, 2]], np.uint32),
        uvs=np.array([[0.1, 1.1], [1.0, 0.0], [0.0, 1.0]], np.float32),
        material=Material({MapName.BASE_COLOR: Image(pixels)}),
    )
    with zipfile.ZipFile(written("3mf", mesh, tmp_path)) as archive:
        model = archive.read("3D/3dmodel.model").decode()
    colours = re.findall(r'color="(#\w+)"', model)
    [corner] = re.findall(r'p1="(\d)" p2="(\d)" p3="(\d)"', model)
    assert [colours[int(at)] for at in corner] == ["#000000FF", "#0000FFFF", "#FF0000FF"]


def test_a_solid_stays_a_solid(tmp_path: Path) -> None:
    lib3mf: Any = pytest.importorskip("lib3mf", reason="needs the package lib3mf: pip install 'scenecast[test]'")
    trimesh: Any = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.01)
    path = written("3mf", Mesh(ball.vertices.astype("f4"), ball.faces.astype("u4")), tmp_path)
    model = lib3mf.get_wrapper().CreateModel()
    model.QueryReader("3mf").ReadFromFile(str(path))
    objects = model.GetMeshObjects()
    assert objects.MoveNext() and objects.GetCurrentMeshObject().IsManifoldAndOriented()
    assert trimesh.Trimesh(*(lambda m: (m.positions, m.faces))(back(path))).is_watertight


MODEL = """<model unit="{unit}" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"><resources>
<object id="1"><mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="1" z="0"/>
</vertices><triangles><triangle v1="0" v2="1" v3="{last}"/></triangles></mesh></object>
<object id="2"><components><component objectid="{inner}" transform="1 0 0 0 1 0 0 0 1 10 0 0"/></components></object>
</resources><build><item objectid="2" transform="0 1 0 -1 0 0 0 0 1 0 0 5"/></build></model>"""


def package(folder: Path, text: str, name: str = "3D/3dmodel.model") -> Path:
    with zipfile.ZipFile(folder / "f.3mf", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, text)
    return folder / "f.3mf"


@pytest.mark.parametrize(("unit", "metres"), [("millimeter", 1e-3), ("inch", 0.0254), ("meter", 1.0)])
def test_components_transforms_and_units_are_applied(unit: str, metres: float, tmp_path: Path) -> None:
    got = back(package(tmp_path, MODEL.format(unit=unit, last=2, inner=1)))
    # (x, y, z) → (x + 10, y, z) → (-y, x, z + 5), then Z up becomes Y up
    expected = np.array([[0, 5, -10], [0, 5, -11], [-1, 5, -10]]) * metres
    np.testing.assert_allclose(got.positions[got.faces[0]], expected, rtol=1e-6)


PRODUCTION = """<model unit="millimeter" xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06">
<resources><object id="7"><components>
<component p:path="/3D/Objects/part_1.model" objectid="1" transform="1 0 0 0 1 0 0 0 1 10 0 0"/>
</components></object></resources><build><item objectid="7"/></build></model>"""
"""As today's slicers save a project: the main model holds no triangle (3MF production extension 1.1)."""


def test_objects_in_models_of_their_own_are_found(tmp_path: Path) -> None:
    path = package(tmp_path, PRODUCTION)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("3D/Objects/part_1.model", MODEL.format(unit="millimeter", last=2, inner=1))
        archive.writestr("3D/Objects/left_over.model", "<model>nobody asks for this one")
    got = back(path)
    expected = np.array([[10, 0, 0], [11, 0, 0], [10, 0, -1]]) * 1e-3
    np.testing.assert_allclose(got.positions[got.faces[0]], expected, atol=1e-9)
    with pytest.raises(DamagedFile, match="missing"):
        three_mf.decode(package(tmp_path, PRODUCTION), LIMITS)


def test_models_are_held_to_the_limit_together(tmp_path: Path) -> None:
    path = package(tmp_path, PRODUCTION)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/Objects/part_1.model", "<model>" + " " * 100_000)
    with pytest.raises(TooLarge, match="unpack"):
        three_mf.decode(path, Limits(max_file_bytes=100_000))


@pytest.mark.parametrize(("text", "words"), [
    (MODEL.format(unit="parsec", last=2, inner=1), "parsec"),
    (MODEL.format(unit="inch", last=3, inner=1), "beyond its 3"),
    (MODEL.format(unit="inch", last=2, inner=2), "stands in itself"),
    (MODEL.format(unit="inch", last=2, inner=7), "missing"),
    (MODEL.format(unit="inch", last=2, inner=1).replace('y="1"', 'y="nan"'), "not finite"),
    (MODEL.format(unit="inch", last="x", inner=1), "not the 3MF"),
    ("<model><build/></model>", "places nothing"),
    ("<model>", "not the 3MF"),
    ('<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">]><model>&b;</model>', "document type"),
])  # fmt: skip
def test_damaged_3mf_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedFile, match=words):
        three_mf.decode(package(tmp_path, text), LIMITS)


def test_bombs_are_refused_before_they_grow(tmp_path: Path) -> None:
    vertices = '<vertex x="0" y="0" z="0"/>' * 200_000
    path = package(tmp_path, f'<model><resources><object id="1"><mesh><vertices>{vertices}')
    assert path.stat().st_size < 100_000
    with pytest.raises(TooLarge, match="more than 1000"):
        three_mf.decode(path, Limits(max_elements=1000))
    with pytest.raises(TooLarge, match="unpack"):
        three_mf.decode(path, Limits(max_file_bytes=100_000))
    body = struct.pack("<I", 2**32 - 1)
    (tmp_path / "f.stl").write_bytes(bytes(80) + body)
    with pytest.raises(DamagedFile, match="neither a binary STL"):
        stl.decode(tmp_path / "f.stl", LIMITS)
    with pytest.raises(TooLarge, match="facets"):
        stl.decode(written("stl", asymmetric_mesh(), tmp_path), Limits(max_elements=5))


@pytest.mark.parametrize(("text", "words"), [
    ("solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0\nendloop\nendfacet", "no three numbers|whole"),
    ("solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 x\nvertex 1 1 1\nendloop\nendfacet", "three"),
    ("solid\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 nan\nvertex 1 1 0\nendloop\nendfacet", "finite"),
    ("solid a\nfacet", "whole facets"),
])  # fmt: skip
def test_damaged_ascii_stl_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "f.stl").write_text(text)
    with pytest.raises(DamagedFile, match=words):
        stl.decode(tmp_path / "f.stl", LIMITS)


@PRINTED
def test_mutated_files_give_a_mesh_or_words(name: str, tmp_path: Path) -> None:
    whole = written(name, asymmetric_mesh(), tmp_path).read_bytes()
    refused = 0
    for broken in mutations(whole, 500, 0, head=len(whole)):
        (tmp_path / "b").write_bytes(broken)
        try:
            got = decoder(format_named(name))(tmp_path / "b", LIMITS)
        except EnginesError as error:
            refused += 1
            assert error.message
        else:
            assert isinstance(got, Mesh) and np.isfinite(got.positions).all()
    assert refused > 100


def test_welding_keeps_the_surface() -> None:
    mesh = asymmetric_mesh()
    bare = welded(mesh)
    np.testing.assert_array_equal(corners(bare), corners(mesh))
    assert len(np.unique(bare.positions, axis=0)) == len(bare.positions)
    places = np.array([[0, 0, 0], [-0.0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    zero = Mesh(places, np.array([[0, 2, 3], [1, 3, 2]], np.uint32))
    assert len(welded(zero).positions) == 3
