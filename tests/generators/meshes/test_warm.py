"""Compiling beforehand covers what a run needs."""

from __future__ import annotations

from generators.meshes import evening, fusion, isosurface, report, surface_depth, tracing, view_colours
from generators.meshes.specs import SPECS
from generators.meshes.warm import compile_kernels


def test_it_runs_and_leaves_every_parallel_kernel_compiled() -> None:
    compile_kernels()
    kernels = (
        *(evening._fit, fusion._integrate, isosurface._march, report._cross, tracing._cast, tracing._find),
        *(surface_depth._measure, surface_depth._planes),
        *(view_colours._measure, view_colours._mix, view_colours._rate),
    )
    from generators.radiance.rasterizer.kernels import _PARALLEL

    assert all(_PARALLEL[kernel].signatures for kernel in kernels)


def test_the_first_generator_names_it() -> None:
    assert SPECS[0].prepare == "generators.meshes.warm:compile_kernels"
