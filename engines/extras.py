"""How a package that is not always there is got: by the extra of ours that brings it."""

from __future__ import annotations

EXTRA_OF = {
    "accelerate": "diffusion",
    "diffusers": "diffusion",
    "gsplat": "gpu",
    "pillow_heif": "heic",
    "pxr": "usd",
    "pycolmap": "sfm",
    "transformers": "diffusion",
}
"""Importable module and the extra of `scenecast` that has it in a version that works."""
_DISTRIBUTIONS = {"PIL": "pillow", "OpenEXR": "openexr"}
"""Packages that are called otherwise than their module."""


def how_to_get(*modules: str) -> str:
    """The command that brings importable modules: our extra where one has it, else the package of that name."""
    wanted = []
    for module in modules:
        name = module.partition(".")[0]
        wanted.append(f"'scenecast[{EXTRA_OF[name]}]'" if name in EXTRA_OF else _DISTRIBUTIONS.get(name, name))
    return f"pip install {' '.join(dict.fromkeys(wanted))}"
