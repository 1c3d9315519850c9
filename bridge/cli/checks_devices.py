"""What `scenecast doctor` says of graphics cards, of torch's build and of gsplat; asked in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence

import msgspec

from bridge import settings
from bridge.cli.finding import Finding
from bridge.errors import ScenecastError

PROBE_SECS = 120.0
LOW_CARD_BYTES = 2 * 2**30
"""With less of a card's memory free most generators that use it will run out."""
KNOWN_GSPLAT = re.compile(r"1\.5\.[3-9]|1\.6(\.|$)")
CPU_ONLY = "everything works without one; splats and fields from photographs take minutes instead of seconds"
PROBE = """
import glob, importlib.util, json, os, re, shutil, subprocess, sys
from importlib.metadata import PackageNotFoundError, version

def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""

import torch
facts = {"torch": torch.__version__, "cuda": torch.version.cuda or "", "threads": torch.get_num_threads()}
try:
    if torch.cuda.is_available():
        cards = []
        for index in range(torch.cuda.device_count()):
            about, (free, total) = torch.cuda.get_device_properties(index), torch.cuda.mem_get_info(index)
            cards.append({"name": about.name, "total_bytes": total, "free_bytes": free,
                          "capability": f"{about.major}.{about.minor}"})
        facts["cards"] = cards
except RuntimeError as error:
    facts["trouble"] = str(error).strip().split(chr(10))[0]
driver = said("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").strip()
facts["driver"] = driver.split(chr(10))[0] if "," in driver else ""
try:
    facts["gsplat"] = version("gsplat")
except PackageNotFoundError:
    pass
home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
nvcc = shutil.which("nvcc") or shutil.which(os.path.join(home, "bin", "nvcc"))
facts["nvcc"] = nvcc or ""
release = re.search(r"release (\\d+\\.\\d+)", said(nvcc, "--version")) if nvcc else None
facts["nvcc_release"] = release[1] if release else ""
place = os.environ.get("TORCH_EXTENSIONS_DIR") or os.path.join(os.path.expanduser("~"), ".cache", "torch_extensions")
built = glob.glob(os.path.join(place, "**", "gsplat_cuda", "gsplat_cuda.*"), recursive=True)
found = importlib.util.find_spec("gsplat")
built += glob.glob(os.path.join(os.path.dirname(found.origin or ""), "csrc*.so")) if found else []
facts["gsplat_compiled"] = any(path.endswith((".so", ".pyd", ".lib")) for path in built)
print(json.dumps(facts))
"""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One graphics card as torch sees it."""

    name: str
    total_bytes: int
    free_bytes: int
    capability: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `PROBE` has found; empty where there is nothing."""

    torch: str
    cuda: str = ""
    """The CUDA release that torch is built for."""
    threads: int = 1
    cards: tuple[Card, ...] = ()
    trouble: str = ""
    """Why torch cannot use a card that it has tried."""
    driver: str = ""
    """Name and driver of the first card that NVIDIA's own tool sees."""
    gsplat: str = ""
    gsplat_compiled: bool = False
    nvcc: str = ""
    nvcc_release: str = ""


def check_devices() -> Iterator[Finding]:
    """The devices that workers compute on, and gsplat."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=PROBE_SECS, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        remedy = "see whether the disk or the machine is overloaded"
        yield Finding("problem", "torch", f"did not load within {PROBE_SECS:.0f} s", remedy)
        return
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        yield Finding("problem", "torch", f"cannot be loaded: {last}", "reinstall torch; see pytorch.org")
        return
    facts = msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Facts)
    try:
        wanted: Sequence[str] = settings.load().devices
    except ScenecastError:
        wanted = ()  # said by the check of the settings
    yield from of_facts(facts, wanted)


def of_facts(facts: Facts, wanted: Sequence[str] = ()) -> Iterator[Finding]:
    """What is to be told; `wanted` are the names that the setting `devices` has."""
    yield from _devices(facts)
    here = [*(f"cuda:{index}" for index in range(len(facts.cards))), "cpu"]
    if absent := [name for name in wanted if name not in here]:
        words = f"the setting devices names {', '.join(absent)}; here are {', '.join(here)}"
        yield Finding("warning", "devices", words, "correct the setting, or leave it empty to use what there is")
    yield _gsplat(facts)


def _devices(facts: Facts) -> Iterator[Finding]:
    built = f"torch {facts.torch}"
    if facts.cards:
        for index, card in enumerate(facts.cards):
            free, total = card.free_bytes / 2**30, card.total_bytes / 2**30
            words = f"cuda:{index} is an {card.name} with {total:.0f} GiB, {free:.1f} of them free"
            if card.free_bytes < LOW_CARD_BYTES:
                yield Finding("warning", "graphics card", words, "close other programs that use it")
            else:
                yield Finding("ok", "graphics card", words)
        many = "" if len(facts.cards) == 1 else "; each card does a job of its own at the same time"
        yield Finding("ok", "devices", f"{built} for CUDA {facts.cuda}{many}")
    elif facts.trouble:
        words = f"{built} for CUDA {facts.cuda} can use no card: {facts.trouble}"
        yield Finding("warning", "devices", words, "see what nvidia-smi says; the driver may be too old for this torch")
    elif facts.driver:
        name, _, release = facts.driver.partition(",")
        why = "is built without CUDA" if not facts.cuda else f"for CUDA {facts.cuda} does not see it"
        remedy = "install torch's build for CUDA in this environment (pytorch.org tells which fits the driver)"
        yield Finding("warning", "devices", f"there is an {name.strip()} (driver {release.strip()}), but {built} {why}",
                      remedy)  # fmt: skip
    else:
        words = f"{built} on the processor with {facts.threads} threads; no NVIDIA card is seen: {CPU_ONLY}"
        yield Finding("note", "devices", words)


def _gsplat(facts: Facts) -> Finding:
    have, slow = f"release {facts.gsplat}", "until then splats train on the processor"
    if not facts.cards:
        state = f"{have} is installed, but" if facts.gsplat else "not installed;"
        return Finding("ok", "gsplat", f"{state} it works on NVIDIA cards alone, and nothing here needs it")
    if not facts.gsplat:
        words = "not installed: splats train on the processor although there is a card"
        return Finding("warning", "gsplat", words, "pip install 'scenecast[gpu]'")
    if not KNOWN_GSPLAT.match(facts.gsplat):
        words = f"{have} is not one that we know how to call (1.5.3 to 1.6); {slow}"
        return Finding("warning", "gsplat", words, "pip install 'scenecast[gpu]'")
    if facts.gsplat_compiled:
        return Finding("ok", "gsplat", f"{have}, its kernels are compiled")
    if not facts.nvcc:
        fits = f"the toolkit of CUDA {facts.cuda}"
        words = f"{have} compiles its kernels here, but CUDA's compiler nvcc was not found; {slow}"
        return Finding("warning", "gsplat", words, f"install {fits}, so that nvcc is on the PATH or CUDA_HOME names it")
    if facts.nvcc_release and facts.nvcc_release.partition(".")[0] != facts.cuda.partition(".")[0]:
        words = (
            f"nvcc is of CUDA {facts.nvcc_release}, torch of {facts.cuda}: gsplat's kernels cannot be compiled; {slow}"
        )
        return Finding(
            "warning", "gsplat", words, f"install the toolkit of CUDA {facts.cuda}, or another build of torch"
        )
    words = f"{have}; its kernels will be compiled when they are first used, which takes some minutes once"
    return Finding("ok", "gsplat", words)
