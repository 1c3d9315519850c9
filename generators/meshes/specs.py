"""What this room can make, as data; importing this loads nothing heavy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from engines.kinds import Kind
from generators.spec import GeneratorSpec, Needs, Params, Port

UNFOLDING = ("numba", "xatlas")
TEXTURE_SIZES = [512, 1024, 2048, 4096]


def _number(title: str, help_: str, low: float, high: float, **hints: Any) -> Meta:
    return Meta(ge=low, le=high, title=title, description=help_, extra_json_schema={"ui": "slider", **hints})


def _switch(title: str, help_: str, **hints: Any) -> Meta:
    return Meta(title=title, description=help_, extra_json_schema={"ui": "switch", **hints})


Triangles = Annotated[
    int,
    _number(
        "Triangles at most", "What the finished mesh may cost.", 100, 2_000_000, suggestions=[5000, 20_000, 100_000]
    ),
]
TextureSize = Annotated[
    int, _number("Texture size", "Side of the square texture.", 128, 8192, unit="px", suggestions=TEXTURE_SIZES)
]


class ReconstructionParams(Params):
    """What all reconstructions share."""

    triangles: Triangles = 20_000
    texture_px: TextureSize = 1024
    detail: Annotated[
        int, _number("Detail", "Cells along the longest side; more shows finer shapes and noise.", 32, 1024, step=32)
    ] = 256
    keep: Annotated[
        float,
        _number(
            "Extent", "Share of what is seen that the mesh holds along each axis; less leaves the far out.", 0.3, 1.0
        ),
    ] = 0.94
    smoothing: Annotated[
        int, _number("Smoothing", "Takes out noise and dents; volume and edges stay.", 0, 100, step=1)
    ] = 20
    view_px: Annotated[
        int,
        _number("View size", "Longer side of the views that are fused.", 128, 2048, unit="px", advanced=True),
    ] = 480
    normal_map: Annotated[bool, _switch("Normal map", "Keep fine shapes that the triangles no longer have.")] = True
    occlusion: Annotated[bool, _switch("Occlusion map", "Darken hollows in ambient light.")] = True
    watertight: Annotated[
        bool, _switch("Watertight", "Close all holes; a surface seen from one side is given a thickness.")
    ] = False
    thickness: Annotated[
        float,
        _number("Thickness", "Of a sheet made watertight, as a share of its size.", 0.002, 0.3, advanced=True),
    ] = 0.02


class FromSplatsParams(ReconstructionParams):
    """How a cloud becomes a mesh."""

    views: Annotated[int, _number("Views", "From how many sides the cloud is looked at.", 6, 300, step=1)] = 48


class FromFieldParams(ReconstructionParams):
    """How a radiance field becomes a mesh."""

    views: Annotated[int, _number("Views", "From how many sides the field is looked at.", 6, 300, step=1)] = 48


class FromPhotosParams(ReconstructionParams):
    """How photographs become a mesh."""

    texture_px: TextureSize = 2048
    iterations: Annotated[
        int,
        _number(
            "Iterations",
            "Training of the splats that the shape is taken from.",
            50,
            100_000,
            suggestions=[600, 2000, 7000],
        ),
    ] = 1500
    splats_max: Annotated[
        int, _number("Splats at most", "Bounds memory in training.", 500, 5_000_000, advanced=True)
    ] = 60_000
    photo_px: Annotated[
        int,
        _number("Photograph size", "Longer side at which the photographs colour the mesh.", 128, 8192, unit="px"),
    ] = 1080
    even_exposure: Annotated[
        bool, _switch("Even out exposure", "Bring all photographs to one brightness before they are blended.")
    ] = True


class FromImageParams(Params):
    """How a picture becomes a relief."""

    width_m: Annotated[float, _number("Width", "Of the relief.", 0.001, 1000.0, unit="m")] = 0.1
    height_m: Annotated[float, _number("Height", "Of the highest place over the lowest.", 0.0, 100.0, unit="m")] = 0.01
    source: Annotated[
        Literal["luminance", "inverted", "smooth luminance"],
        Meta(
            title="Height from", description="What of the picture is high; a depth image given as an input comes first"
        ),
    ] = "smooth luminance"
    near_is_bright: Annotated[
        bool, _switch("Bright is near", "In a depth image given as an input: white is high. Off: black is high.")
    ] = True
    triangles: Triangles = 40_000
    solid: Annotated[bool, _switch("Solid", "Add a base plate and sides, so that it can be printed.")] = True
    base_m: Annotated[float, _number("Base plate", "Thickness under the lowest place.", 0.0001, 10.0, unit="m")] = 0.002
    textured: Annotated[bool, _switch("Textured", "Put the picture on the relief.")] = True


class DecimateParams(Params):
    """To how many triangles."""

    triangles: Triangles = 10_000
    texture_px: TextureSize = 1024
    texture: Annotated[
        Literal["bake", "drop"],
        Meta(
            title="Texture",
            description="bake unfolds the new mesh and carries colours and details over; drop is quicker",
        ),
    ] = "bake"


class SmoothParams(Params):
    """How much is smoothed."""

    rounds: Annotated[int, _number("Rounds", "Each takes out a little more.", 1, 500, step=1)] = 10
    strength: Annotated[float, _number("Strength", "Of each round.", 0.05, 1.0, step=0.05)] = 1.0
    hold_border: Annotated[bool, _switch("Hold outlines", "Leave open edges exactly where they are.")] = True


class SubdivideParams(Params):
    """How the surface is refined."""

    scheme: Annotated[
        Literal["loop", "catmull-clark", "flat"],
        Meta(title="Scheme", description="loop rounds triangles, catmull-clark rounds quads, flat only cuts"),
    ] = "loop"
    levels: Annotated[int, _number("Levels", "Each makes four of one.", 1, 5, step=1)] = 1
    triangles: Triangles = 1_000_000


class LevelsParams(Params):
    """Which levels of detail."""

    count: Annotated[int, _number("Levels", "Besides the mesh itself.", 1, 8, step=1)] = 3
    ratio: Annotated[
        float, _number("Ratio", "Triangles of each level against the one before.", 0.05, 0.9, step=0.05)
    ] = 0.35
    texture_px: TextureSize = 1024


class UnwrapParams(Params):
    """How the mesh is unfolded."""

    texture_px: Annotated[
        int,
        _number(
            "Texture size",
            "The gutters between charts are made for it.",
            128,
            8192,
            unit="px",
            suggestions=TEXTURE_SIZES,
        ),
    ] = 2048
    triangles: Annotated[
        int, _number("Triangles at most", "Reduced to this first: unfolding many takes long.", 100, 500_000)
    ] = 60_000


class RepairParams(Params):
    """What is to be put right."""

    watertight: Annotated[bool, _switch("Watertight", "Close every hole, or leave open sheets as they are.")] = True
    method: Annotated[
        Literal["patch", "rebuild"],
        Meta(
            title="Method",
            description="patch keeps every triangle that is right; rebuild makes a new surface around them",
        ),
    ] = "patch"
    resolution: Annotated[
        int, _number("Rebuild detail", "Cells along the longest side when rebuilding.", 32, 400, step=8, advanced=True)
    ] = 160
    thickness_mm: Annotated[
        float,
        _number(
            "Sheet thickness",
            "Given to open sheets that are made watertight; 0 closes them flat.",
            0.0,
            1000.0,
            unit="mm",
        ),
    ] = 0.0
    wall_mm: Annotated[
        float,
        _number("Thinnest wall", "What the printer can make; thinner places are reported.", 0.0, 100.0, unit="mm"),
    ] = 0.8


class BakeParams(Params):
    """What is carried from the detailed mesh to the simple one."""

    texture_px: TextureSize = 1024
    reach: Annotated[
        float, _number("Reach", "How far detail may be from the simple mesh, as a share of its size.", 0.001, 0.3)
    ] = 0.03
    colour: Annotated[bool, _switch("Colour", "Carry the base colour over.")] = True
    normal_map: Annotated[bool, _switch("Normal map", "Carry fine shapes over.")] = True
    occlusion: Annotated[bool, _switch("Occlusion map", "Darken hollows in ambient light.")] = True


class VoxelsParams(Params):
    """How blocky."""

    blocks: Annotated[int, _number("Blocks", "Along the longest side.", 4, 192, step=1)] = 32
    solid: Annotated[bool, _switch("Solid", "Fill closed shapes; nothing of the filling shows from outside.")] = True
    colours: Annotated[int, _number("Colours", "Of the palette; 0 keeps each block's own.", 0, 256, step=1)] = 0


def _mesh_port(help_: str) -> Port:
    return Port(name="mesh", kinds=(Kind.MESH,), help=help_)


def _spec(
    id_: str, title: str, promise: str, params: type[Params], run: str, takes: tuple[Port, ...], **more: Any
) -> GeneratorSpec:
    needs = more.pop("needs", Needs(memory_gb=1.0, modules=("numba",)))
    run = f"generators.meshes.{run}:run"
    return GeneratorSpec(
        id=id_,
        title=title,
        promise=promise,
        gives=(Kind.MESH,),
        params=params,
        needs=needs,
        run=run,
        takes=takes,
        **more,
    )


_PHOTOS = "A folder or zip of overlapping photographs, with camera poses if there are any, or a film"
_UNFOLDS = Needs(memory_gb=2.0, modules=UNFOLDING)

SPECS = (
    _spec(
        "mesh.from_splats",
        "Mesh from splats",
        "Turns a cloud of splats into a textured mesh of as many triangles as you allow.",
        FromSplatsParams,
        "from_splats",
        (
            Port(name="splats", kinds=(Kind.SPLATS,), help="The cloud"),
            Port(
                name="photos", kinds=(Kind.CAPTURE,), optional=True, help="What it was trained on: its cameras are used"
            ),
        ),
        needs=_UNFOLDS,
        version=3,
        silence_secs=900.0,
        prepare="generators.meshes.warm:compile_kernels",
    ),
    _spec(
        "mesh.from_photos",
        "Mesh from photographs",
        "Turns photographs or a film into a mesh that wears the photographs themselves.",
        FromPhotosParams,
        "from_photos",
        (
            Port(name="photos", kinds=(Kind.CAPTURE, Kind.CLIP), help=_PHOTOS),
            Port(
                name="splats", kinds=(Kind.SPLATS,), optional=True, help="A cloud trained on them: saves the training"
            ),
        ),
        needs=Needs(memory_gb=3.0, modules=UNFOLDING),
        version=3,
        attempts=5,
        timeout_secs=6 * 3600.0,
        silence_secs=900.0,
        resumable=True,
        steers=("pause", "finish"),
        prepare="generators.meshes.warm:compile_kernels",
    ),
    _spec(
        "mesh.from_field",
        "Mesh from a radiance field",
        "Turns a radiance field into a textured mesh of as many triangles as you allow.",
        FromFieldParams,
        "from_field",
        (
            Port(name="field", kinds=(Kind.FIELD,), help="The field"),
            Port(
                name="photos", kinds=(Kind.CAPTURE,), optional=True, help="What it was trained on: its cameras are used"
            ),
        ),
        needs=_UNFOLDS,
        version=2,
        silence_secs=900.0,
    ),
    _spec(
        "mesh.from_image",
        "Relief from a picture",
        "Raises a picture or a depth image into a relief, ready to be printed if you like.",
        FromImageParams,
        "from_image",
        (
            Port(
                name="image",
                kinds=(Kind.IMAGE,),
                help="What it looks like; its brightness is the height without a depth",
            ),
            Port(name="depth", kinds=(Kind.IMAGE,), optional=True, help="What is high or near, in its first channel"),
        ),
    ),
    _spec(
        "mesh.decimate",
        "Fewer triangles",
        "Brings a mesh down to a triangle budget and keeps its shape, outline and look.",
        DecimateParams,
        "decimate",
        (_mesh_port("What is too heavy"),),
        needs=_UNFOLDS,
    ),
    _spec(
        "mesh.levels",
        "Levels of detail",
        "Makes ever lighter versions of a mesh for the distance.",
        LevelsParams,
        "levels",
        (_mesh_port("The finest level"),),
        needs=_UNFOLDS,
    ),
    _spec(
        "mesh.smooth",
        "Smooth",
        "Takes noise out of a mesh without shrinking it.",
        SmoothParams,
        "smooth",
        (_mesh_port("What is rough"),),
    ),
    _spec(
        "mesh.subdivide",
        "Subdivide",
        "Makes a mesh finer and rounder.",
        SubdivideParams,
        "subdivide",
        (_mesh_port("What is coarse"),),
    ),
    _spec(
        "mesh.unwrap",
        "Unfold to UVs",
        "Gives a mesh UVs without overlap and bakes its material over to them.",
        UnwrapParams,
        "unwrap",
        (_mesh_port("What is to be painted or baked on"),),
        needs=_UNFOLDS,
    ),
    _spec(
        "mesh.repair",
        "Repair for printing",
        "Closes holes, turns faces, cuts knots, and tells what is left: watertight or not, volume, thinnest wall.",
        RepairParams,
        "repair",
        (_mesh_port("What is broken"),),
    ),
    _spec(
        "mesh.bake",
        "Bake detail",
        "Carries the fine shapes and colours of a detailed mesh to the textures of a simple one.",
        BakeParams,
        "bake",
        (
            Port(name="low", kinds=(Kind.MESH,), help="The simple mesh"),
            Port(name="high", kinds=(Kind.MESH,), help="The detailed mesh, in the same place"),
        ),
        needs=_UNFOLDS,
    ),
    _spec(
        "voxels.from_mesh",
        "Blocks from a mesh",
        "Rebuilds a mesh from coloured blocks, as of building bricks.",
        VoxelsParams,
        "voxels",
        (_mesh_port("What is to be rebuilt"),),
    ),
)
