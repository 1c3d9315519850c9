"""What `scenecast doctor` says of programs and weights that only the user can provide; asked in other processes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge import settings
from bridge.cli.finding import Finding
from bridge.errors import ScenecastError

PROBE_SECS = 60.0
KAOLIN = """
from kaolin.ops.spc import scan_octrees, unbatched_query
import kaolin, torch
release = getattr(kaolin, "__version__", "of an unknown release")  # which a build need not write down
print(release, "with CUDA" if torch.cuda.is_available() else "without CUDA")
"""
"""The registry's kaolin is an empty placeholder that can be imported, so a feature of it is asked for."""
SHAP_E = ("shapes", "2.6 GB, licence MIT")
TEXT_TO_IMAGE = ("splats", "Stable Diffusion 1 or 2, about 5 GB, licence CreativeML Open RAIL-M")
"""What the weights make, and what is known of them."""
NERFSTUDIO = "import importlib.metadata as m; print(m.version('nerfstudio'))"


def check_providers() -> Iterator[Finding]:
    """nerfstudio in its own environment, weights of models that make things of words, kaolin."""
    try:
        chosen = settings.load()
    except ScenecastError:
        return  # said by the check of the settings
    yield _nerfstudio(chosen.nerfstudio_python)
    yield _weights("Shap-E", chosen.shap_e_folder, "shap_e_folder", SHAP_E)
    yield _weights("text to image", chosen.text_to_image_folder, "text_to_image_folder", TEXT_TO_IMAGE)
    yield _kaolin()


def _nerfstudio(python: str) -> Finding:
    if not python:
        remedy = "install it in an environment of its own and name that one's Python in nerfstudio_python"
        return Finding("note", "nerfstudio", "none is named; it trains splats on a graphics card", remedy)
    said, failed = _asked([str(Path(python).expanduser()), "-c", NERFSTUDIO])
    if failed:
        return Finding("warning", "nerfstudio", f"{python}: {said}", "name a Python that has nerfstudio 1.1")
    if not said.startswith("1.1."):
        return Finding("warning", "nerfstudio", f"release {said} in {python}", "its command line is known as of 1.1")
    return Finding("ok", "nerfstudio", f"release {said} in {python}")


def _weights(what: str, folder: str, setting: str, words: tuple[str, str]) -> Finding:
    if not folder:
        makes, known = words
        remedy = f"name a folder with them in {setting} ({known})"
        return Finding("note", what, f"no weights are named; they make {makes} of words", remedy)
    if (Path(folder).expanduser() / "model_index.json").is_file():
        return Finding("ok", what, f"weights in {folder}")
    return Finding("warning", what, f"{folder} holds no model_index.json", "name the folder as diffusers saves it")


def _kaolin() -> Finding:
    if importlib.util.find_spec("kaolin") is None:
        return Finding("ok", "kaolin", "not installed; nothing here needs it")
    said, failed = _asked([sys.executable, "-c", KAOLIN])
    if failed:
        empty = "No module named 'kaolin.ops'" in said
        remedy = "remove it; " + (
            "the package of that name in the registry is an empty placeholder"
            if empty
            else "or build it for this torch: 0.18 is for torch 2.5 to 2.12"
        )
        return Finding("note", "kaolin", f"installed, but without its features: {said}", remedy)
    return Finding("ok", "kaolin", f"{said}; nothing here needs it")


def _asked(command: Sequence[str]) -> tuple[str, bool]:
    """What a command says in its last line, and whether it failed."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error), True
    lines = (ran.stdout if ran.returncode == 0 else ran.stderr).strip().splitlines() or ["nothing was said"]
    return lines[-1], ran.returncode != 0
