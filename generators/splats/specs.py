"""What this room can do with splat clouds, as data; importing this loads nothing heavy."""

from __future__ import annotations

from engines.kinds import Kind
from generators.spec import GeneratorSpec, Needs, Port
from generators.splats.params import (
    CleanParams,
    CropParams,
    DecimateParams,
    FromImageParams,
    LevelsParams,
    MergeParams,
    RecolourParams,
    RelightParams,
    TransformParams,
)

CLOUD = Port(name="cloud", kinds=(Kind.SPLATS,), help="The splat cloud.")
PREPARE = "generators.splats.warm:compile_kernels"
NEEDS = Needs(memory_gb=1.5, modules=("numba",))
CLOUDS_MAX = 8
MERGED = (
    Port(name="cloud", kinds=(Kind.SPLATS,), help="The first cloud, which stays where it is."),
    Port(name="cloud2", kinds=(Kind.SPLATS,), help="The second cloud."),
    *(
        Port(name=f"cloud{number}", kinds=(Kind.SPLATS,), optional=True, help="One more.")
        for number in range(3, CLOUDS_MAX + 1)
    ),
)

SPECS = (
    GeneratorSpec(
        id="splats.crop",
        title="Crop splats",
        promise="Keeps what lies inside, or outside, a box or a sphere.",
        gives=(Kind.SPLATS,),
        takes=(CLOUD,),
        params=CropParams,
        needs=NEEDS,
        run="generators.splats.crop:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.clean",
        title="Clean splats",
        promise="Removes floaters, needles, haze and lost islands, and says how many of which.",
        gives=(Kind.SPLATS,),
        takes=(CLOUD,),
        params=CleanParams,
        needs=NEEDS,
        run="generators.splats.clean:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.transform",
        title="Move splats",
        promise="Moves, turns, scales or mirrors a cloud, stands it upright on its ground and gives it a real size.",
        gives=(Kind.SPLATS,),
        takes=(CLOUD,),
        params=TransformParams,
        needs=NEEDS,
        run="generators.splats.transform:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.merge",
        title="Merge splats",
        promise="Makes one cloud of several, moved onto each other where they overlap if that is wanted.",
        gives=(Kind.SPLATS,),
        takes=MERGED,
        params=MergeParams,
        needs=NEEDS,
        run="generators.splats.merge:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.decimate",
        title="Thin out splats",
        promise="Merges neighbours until a budget is met, so that the cloud looks the same with fewer splats.",
        gives=(Kind.SPLATS,),
        takes=(CLOUD,),
        params=DecimateParams,
        needs=NEEDS,
        run="generators.splats.decimate:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.levels",
        title="Levels of detail",
        promise="A row of ever lighter clouds, lod0 the finest, for what is seen from ever farther away.",
        gives=(Kind.SPLATS,),
        takes=(CLOUD,),
        params=LevelsParams,
        needs=NEEDS,
        run="generators.splats.levels:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.recolour",
        title="Grade splats",
        promise="Exposure, contrast, saturation and temperature, or the colours of a reference picture.",
        gives=(Kind.SPLATS,),
        takes=(
            CLOUD,
            Port(
                name="reference",
                kinds=(Kind.IMAGE,),
                optional=True,
                help="A picture whose colours the cloud is to have.",
            ),
        ),
        params=RecolourParams,
        needs=NEEDS,
        run="generators.splats.recolour:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.relight",
        title="Relight splats",
        promise="Shades a cloud anew by a lamp, from the surfaces its splats lie on; the old light stays underneath.",
        gives=(Kind.SPLATS,),
        takes=(CLOUD,),
        params=RelightParams,
        needs=NEEDS,
        run="generators.splats.relight:run",
        prepare=PREPARE,
    ),
    GeneratorSpec(
        id="splats.from_image",
        title="Splats from one picture",
        promise="Layers of splats that look like the picture, and hold when seen a little from the side.",
        gives=(Kind.SPLATS,),
        takes=(
            Port(name="image", kinds=(Kind.IMAGE,), help="The picture."),
            Port(name="depth", kinds=(Kind.IMAGE,), optional=True, help="How far away each of its pixels is."),
        ),
        params=FromImageParams,
        needs=NEEDS,
        run="generators.splats.from_image:run",
        prepare=PREPARE,
    ),
)
