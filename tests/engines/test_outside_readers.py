"""Other people's readers and writers, against ours."""

import importlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from engines.assets import Clip, Image, Mesh, Splats
from engines.asymmetric import asymmetric_image, asymmetric_material, asymmetric_mesh, asymmetric_splats, findings
from engines.formats import glb, jpeg, mp4, ply, png, spz
from engines.formats.registry import Limits
from engines.hosts import HOSTS
from engines.transforms import OPENCV_AXES

OUTSIDE = Path(__file__).resolve().parents[1] / "outside"
MODULES = OUTSIDE / "node_modules"
PYTHON = HOSTS["python"]
TRAINED = replace(PYTHON, name="trained", axes=OPENCV_AXES)
"""A host that believes what files of trained clouds are in."""
LIMITS = Limits()


def needs(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs the program {program}: apt-get install {package}")
    return found


def node(script: Path, *arguments: str | Path) -> str:
    program = needs("node", "nodejs npm")
    if not MODULES.is_dir():
        pytest.skip("needs the outside readers: npm install --no-package-lock --prefix tests/outside")
    done = subprocess.run([program, script, *arguments], capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def splat_transform(*arguments: str | Path) -> str:
    return node(MODULES / "@playcanvas" / "splat-transform" / "bin" / "cli.mjs", "-q", "-w", *arguments)


def test_the_khronos_validator_finds_nothing(tmp_path: Path) -> None:
    mesh = asymmetric_mesh()
    bare = Mesh(mesh.positions, mesh.faces)
    four = replace(mesh, colours=np.ones((len(mesh.positions), 4), np.float32), material=None)
    points = Mesh(mesh.positions, np.zeros((0, 3), np.uint32))
    tiled = replace(asymmetric_material(), tileable=True, ior=1.33)
    files = []
    for index, asset in enumerate((mesh, bare, four, points, asymmetric_material(), tiled)):
        [file] = glb.encode(asset, tmp_path, f"f{index}", host=PYTHON, provenance='{"seed": 7}')  # type: ignore[arg-type]
        files.append(tmp_path / file.file)
    reports = json.loads(node(OUTSIDE / "validate_glb.mjs", *files))
    assert len(reports) == len(files)
    for report in reports:
        assert (report["numErrors"], report["numWarnings"]) == (0, 0), report["messages"]


def summary(file: Path) -> dict[str, dict[str, float]]:
    """splat-transform's statistics by column."""
    rows: dict[str, dict[str, float]] = {}
    text = splat_transform(file, "-m", "null")
    names: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 4:
            continue
        if not names and "min" in cells:
            names = cells
        elif names and len(cells) == len(names) and not set(cells[1]) <= set("-: "):
            numbers = {n: float(c) for n, c in zip(names[1:], cells[1:], strict=True) if is_number(c)}
            rows[cells[0]] = numbers
    assert rows, text
    return rows


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def splats_of(path: Path) -> Splats:
    got = ply.decode(path, LIMITS) if path.suffix == ".ply" else spz.decode(path, LIMITS)
    assert isinstance(got, Splats)
    return got


def same_cloud(got: Splats, expected: Splats, *, exact: bool) -> None:
    assert findings(got) == []
    np.testing.assert_allclose(got.positions, expected.positions, atol=1e-6 if exact else 1.3e-4)
    np.testing.assert_allclose(np.log(got.scales), np.log(expected.scales), atol=1e-5 if exact else 0.04)
    np.testing.assert_allclose(got.opacities, expected.opacities, atol=1e-5 if exact else 0.003)
    np.testing.assert_allclose(np.abs((got.rotations * expected.rotations).sum(1)), 1, atol=1e-5)
    np.testing.assert_allclose(got.sh[:, 0], expected.sh[:, 0], atol=1e-5 if exact else 0.014)
    np.testing.assert_allclose(got.sh[:, 1:], expected.sh[:, 1:], atol=1e-5 if exact else 0.063)


def test_splat_transform_reads_our_ply(tmp_path: Path) -> None:
    ply.encode(asymmetric_splats(), tmp_path, "ours", host=TRAINED)
    splat_transform(tmp_path / "ours.ply", tmp_path / "theirs.ply")
    same_cloud(splats_of(tmp_path / "theirs.ply"), asymmetric_splats(), exact=True)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_splat_transform_reads_our_spz_the_right_way_round(version: spz.Version, tmp_path: Path) -> None:
    spz.encode(asymmetric_splats(), tmp_path, "ours", host=PYTHON, version=version)
    splat_transform(tmp_path / "ours.spz", tmp_path / "theirs.ply")
    theirs, ours = splats_of(tmp_path / "theirs.ply"), splats_of(tmp_path / "ours.spz")
    same_cloud(theirs, ours, exact=True)
    if version > 2:
        same_cloud(theirs, asymmetric_splats(), exact=False)


@pytest.mark.parametrize("version", ["3", "4"])
def test_we_read_the_spz_of_splat_transform(version: str, tmp_path: Path) -> None:
    ply.encode(asymmetric_splats(), tmp_path, "ours", host=TRAINED)
    splat_transform("--spz-version", version, tmp_path / "ours.ply", tmp_path / "theirs.spz")
    same_cloud(splats_of(tmp_path / "theirs.spz"), asymmetric_splats(), exact=False)


def test_splat_transform_sees_the_same_statistics(tmp_path: Path) -> None:
    ply.encode(asymmetric_splats(), tmp_path, "ours", host=TRAINED)
    spz.encode(asymmetric_splats(), tmp_path, "ours", host=PYTHON, version=4)
    first, second = summary(tmp_path / "ours.ply"), summary(tmp_path / "ours.spz")
    columns = asymmetric_splats().positions * [1, -1, -1]
    for at, name in enumerate("xyz"):
        for row in (first, second):
            np.testing.assert_allclose(row[name]["min"], columns[:, at].min(), atol=2e-3)
            np.testing.assert_allclose(row[name]["max"], columns[:, at].max(), atol=2e-3)
            np.testing.assert_allclose(row[name]["median"], np.median(columns[:, at]), atol=2e-3)
    for row in (first, second):
        assert all(numbers.get("nanCount", 0) == numbers.get("infCount", 0) == 0 for numbers in row.values())
    assert len(second) == 3 + 3 + 45 + 1 + 3 + 4
    assert set(first) - set(second) == {"nx", "ny", "nz"}


def trimesh_of(path: Path) -> Any:
    trimesh: Any = importlib.import_module("trimesh")
    scene = trimesh.load(path, process=False, force="scene")
    [geometry] = scene.geometry.values()
    return geometry


def test_trimesh_reads_our_glb(tmp_path: Path) -> None:
    mesh = asymmetric_mesh()
    glb.encode(mesh, tmp_path, "f", host=PYTHON)
    got = trimesh_of(tmp_path / "f.glb")
    np.testing.assert_array_equal(got.vertices, mesh.positions)
    np.testing.assert_array_equal(got.faces, mesh.faces)
    np.testing.assert_allclose(got.visual.uv, mesh.uvs, atol=1e-6)  # type: ignore[arg-type]
    np.testing.assert_allclose(got.vertex_normals, mesh.normals, atol=1e-6)  # type: ignore[arg-type]
    base = np.asarray(got.visual.material.baseColorTexture.convert("RGB"))
    assert findings(Image(base)) == []


def test_we_read_the_glb_and_ply_of_trimesh(tmp_path: Path) -> None:
    trimesh: Any = importlib.import_module("trimesh")
    made = trimesh.creation.icosphere(subdivisions=2)
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.7, (1, 2, 3), (0.1, 0.2, 0.3))
    scene.add_geometry(made, transform=turn)
    scene.export(tmp_path / "f.glb")
    got = glb.decode(tmp_path / "f.glb", LIMITS)
    assert isinstance(got, Mesh)
    np.testing.assert_allclose(got.positions, trimesh.transform_points(made.vertices, turn), atol=1e-6)
    np.testing.assert_array_equal(got.faces, made.faces)
    for encoding in ("ascii", "binary"):
        made.export(tmp_path / "f.ply", encoding=encoding, vertex_normal=True)
        points = ply.decode(tmp_path / "f.ply", LIMITS)
        assert isinstance(points, Mesh) and points.normals is not None
        np.testing.assert_allclose(points.positions, made.vertices, atol=1e-6)
        np.testing.assert_array_equal(points.faces, made.faces)
        np.testing.assert_allclose(points.normals, made.vertex_normals, atol=1e-6)


def test_trimesh_reads_our_ply(tmp_path: Path) -> None:
    mesh = asymmetric_mesh()
    ply.encode(mesh, tmp_path, "f", host=PYTHON)
    got = trimesh_of(tmp_path / "f.ply")
    np.testing.assert_array_equal(got.vertices, mesh.positions)
    np.testing.assert_array_equal(got.faces, mesh.faces)


def test_ffprobe_reads_our_mp4(tmp_path: Path) -> None:
    program = needs("ffprobe", "ffmpeg")
    frames: NDArray[np.uint8] = np.stack([np.roll(asymmetric_image(64).pixels, 4 * k, axis=1) for k in range(12)])
    mp4.encode(Clip(frames, fps=12.0), tmp_path, "f", host=PYTHON)
    wanted = "stream=codec_name,width,height,pix_fmt,nb_read_frames,r_frame_rate,color_space"
    command = [program, "-v", "error", "-count_frames", "-show_entries", wanted, "-of", "json", str(tmp_path / "f.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout)["streams"] == [
        {
            "codec_name": "h264",
            "width": 64,
            "height": 64,
            "pix_fmt": "yuv420p",
            "color_space": "bt709",
            "r_frame_rate": "12/1",
            "nb_read_frames": "12",
        }
    ]


def test_pillow_reads_our_pictures(tmp_path: Path) -> None:
    image = asymmetric_image()
    png.encode(image, tmp_path, "f", host=PYTHON)
    np.testing.assert_array_equal(np.asarray(Pillow.open(tmp_path / "f.png")), image.pixels)
    jpeg.encode(image, tmp_path, "f", host=PYTHON)
    got = np.asarray(Pillow.open(tmp_path / "f.jpg" if (tmp_path / "f.jpg").exists() else tmp_path / "f.jpeg"))
    assert findings(Image(got)) == []
    assert np.abs(got.astype(int) - image.pixels).mean() < 3
