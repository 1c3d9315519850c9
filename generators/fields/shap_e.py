"""`field.from_text` and `mesh.from_text_shape`: Shap-E (Jun & Nichol 2023) through diffusers, from weights on disk.

Shap-E's prior makes the weights of a small network of words; asked at the vertices of a grid, the network gives
density and colour (its radiance field) or signed distance and colour (its textured shape). Its world has +Z up.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.assets import FloatArray, Mesh
from engines.colour import linear_from_srgb
from engines.field_lattice import field_from_grid
from engines.geometry import smooth_normals
from engines.splat_values import dc_from_colour
from engines.thumbnail import thumbnail
from generators.beside import Beside
from generators.events import Cancelled, Context, Event, GeneratorError, Note, Preview, Produced, Progress, Request
from generators.fields.specs import SHAP_E, ShapEParams
from generators.located import found, missing
from generators.meshes.isosurface import blocks_of, isosurface

LOADED, DENOISED = 0.1, 0.75
"""Shares of the run on the progress bar."""
ASKED_AT_ONCE = 16_384
"""Points that the network is asked for in one go."""
PREVIEW_PX = 256
HALF_M = 0.5
"""The result fills at most a cube of 1 m; Shap-E does not know how large things are."""


def field_of_words(request: Request, context: Context) -> Iterator[Event]:
    """A radiance field for the prompt. Raises `GeneratorError` when weights are missing or cannot be used."""
    params = _params(request)
    yield Progress(0.0, "loading Shap-E")
    with Beside(context.check) as beside, _Watch() as watch:
        pipeline = beside(lambda: loaded(context.device))
        yield from _latents(pipeline, params, request.seed, beside, watch)
        density, colour = beside(lambda: asked(pipeline, watch.latents, params.resolution, "density", watch))
        side = 2 * HALF_M
        pitch = side / (params.resolution - 1)
        if not (density > 0).any():
            raise GeneratorError(_EMPTY)
        sh = dc_from_colour(colour)[..., None, :]
        field = field_from_grid(  # the network's density is per half of its side
            density / HALF_M, sh, low_m=(-HALF_M,) * 3, pitch_m=pitch, name=params.prompt[:80]
        )
        if context.wants_previews:
            yield Preview(beside(lambda: thumbnail(field, PREVIEW_PX)))
    yield Note(_SIZE)
    yield Produced(field)


def mesh_of_words(request: Request, context: Context) -> Iterator[Event]:
    """A mesh with vertex colours for the prompt. Raises `GeneratorError` when weights are missing or unusable."""
    params = _params(request)
    yield Progress(0.0, "loading Shap-E")
    with Beside(context.check) as beside, _Watch() as watch:
        pipeline = beside(lambda: loaded(context.device))
        yield from _latents(pipeline, params, request.seed, beside, watch)
        distance, colour = beside(lambda: asked(pipeline, watch.latents, params.resolution, "distance", watch))
        mesh = beside(lambda: mesh_of(distance, colour, params.prompt[:80]))
        if context.wants_previews:
            yield Preview(beside(lambda: thumbnail(mesh, PREVIEW_PX)))
    yield Note(_SIZE)
    yield Produced(mesh)


_EMPTY = "Shap-E has made nothing of these words; try others, another seed, or less guidance"
_SIZE = "Shap-E does not know how large things are: the cube that it works in was made 1 m wide"


def _params(request: Request) -> ShapEParams:
    if not isinstance(request.params, ShapEParams):
        raise GeneratorError(f"expected ShapEParams, got {type(request.params).__name__}")
    if not request.params.prompt.strip():
        raise GeneratorError("the prompt is empty; say what is to be made, such as “a wooden chair”")
    return request.params


class _Watch:
    """Ends the work of a thread between two steps once nobody waits for it, and tells how far it is."""

    def __init__(self) -> None:
        self.latents: Any = None
        self.done, self.total = 0, 1
        self._gone = threading.Event()

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._gone.set()

    def check(self) -> None:
        """Raise `Cancelled` in the thread that works when nobody waits any more."""
        if self._gone.is_set():
            raise Cancelled

    def steps(self, iterable: Iterable[Any] | None = None, total: int | None = None) -> Iterator[Any]:
        """In place of diffusers' progress bar, which is the one thing that it calls at each step."""
        items = list(iterable if iterable is not None else range(total or 0))
        self.total = max(1, len(items))
        for index, item in enumerate(items):
            self.check()
            self.done = index
            yield item


def loaded(device: str) -> Any:
    """The pipeline of the weights on this disk; nothing is ever fetched. Raises `GeneratorError`."""
    folder = found(SHAP_E)
    if folder is None:
        raise GeneratorError(missing(SHAP_E))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from diffusers import ShapEPipeline

    try:
        pipeline = ShapEPipeline.from_pretrained(
            # said, because otherwise the reader of words comes in the precision in which it was saved
            str(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise GeneratorError(
            f"the folder {folder} holds no weights of Shap-E that can be used: {_first_line(error)}; expected what "
            "diffusers keeps (model_index.json and a folder of safetensors for each part)"
        ) from error
    return pipeline.to(device)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]


def _latents(pipeline: Any, params: ShapEParams, seed: int, beside: Beside, watch: _Watch) -> Iterator[Event]:
    """Denoise in a thread, telling each step; leaves the result in `watch.latents`."""
    import torch

    pipeline.progress_bar = watch.steps
    yield Progress(LOADED, "denoising")

    def work() -> Any:
        generator = torch.Generator("cpu").manual_seed(seed)
        return pipeline(
            params.prompt, num_inference_steps=params.steps, guidance_scale=params.guidance, generator=generator,
            output_type="latent",
        ).images  # fmt: skip

    watch.latents = beside(work)
    yield Progress(DENOISED, "asking the network")


def asked(pipeline: Any, latents: Any, resolution: int, what: str, watch: _Watch) -> tuple[FloatArray, FloatArray]:
    """Density (at least 0) or signed distance (positive inside) [n, n, n] and sRGB colour [n, n, n, 3], neutral axes.

    The grid spans the network's cube of -1 … 1.
    """
    import torch

    renderer = pipeline.shap_e_renderer
    mode = "nerf" if what == "density" else "stf"
    axis = torch.linspace(-1, 1, resolution)
    # neutral x, y, z are the network's x, z, -y
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    points = torch.stack([x, -z, y], -1).reshape(1, -1, 3)
    values, colours = [], []
    with torch.inference_mode():
        weights = renderer.params_proj(latents[:1])
        for name, parameter in renderer.mlp.state_dict().items():
            if f"nerstf.{name}" in weights:
                parameter.copy_(weights[f"nerstf.{name}"].squeeze(0))
        for begin in range(0, points.shape[1], ASKED_AT_ONCE):
            watch.check()
            some = points[:, begin : begin + ASKED_AT_ONCE].to(renderer.mlp.device, renderer.mlp.dtype)
            out = renderer.mlp(position=some, direction=None, ts=None, nerf_level="fine", rendering_mode=mode)
            value = out.density if what == "density" else out.signed_distance
            values.append(value[0, :, 0].float().cpu())
            colours.append(out.channels[0].float().cpu())
    shape = (resolution,) * 3
    return torch.cat(values).reshape(shape).numpy(), torch.cat(colours).reshape(*shape, 3).numpy()


def mesh_of(distance: FloatArray, colour: FloatArray, name: str) -> Mesh:
    """The surface where the signed distance [n, n, n] is 0, closed at the cube's sides, coloured by the grid.

    Raises `GeneratorError` when there is none.
    """
    n = len(distance)
    pitch = 2 * HALF_M / (n - 1)
    closed = np.pad(np.nan_to_num(distance, nan=-1.0), 1, constant_values=-1.0)
    low = np.full(3, -HALF_M - pitch)
    surface = isosurface(blocks_of(np.asarray(-closed, np.float32), low, pitch))
    if len(surface.faces) == 0:
        raise GeneratorError(_EMPTY)
    faces = surface.faces.astype(np.uint32)
    shades = linear_from_srgb(_interpolated(colour, (surface.positions + HALF_M) / pitch))
    return Mesh(
        positions=surface.positions,
        faces=faces,
        normals=smooth_normals(surface.positions, faces),
        colours=np.asarray(shades, np.float32),
        name=name,
    )


def _interpolated(grid: FloatArray, at: NDArray[Any]) -> FloatArray:
    """A grid [n, n, n, C] at places [N, 3] counted in its vertices, held within it."""
    held = np.clip(at, 0, len(grid) - 1.001)
    base = held.astype(np.int64)
    share = (held - base).astype(np.float32)
    result = np.zeros((len(at), grid.shape[3]), np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, share, 1 - share).prod(1)
        x, y, z = (base + corner).T
        result += weight[:, None] * grid[x, y, z]
    return result
