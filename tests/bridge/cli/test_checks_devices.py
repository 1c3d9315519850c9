"""What an artist is told of cards, of torch's build and of gsplat, on machines of every kind; facts are made up."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from bridge.cli import checks_devices
from bridge.cli.checks_devices import PROBE, Card, Facts, check_devices, of_facts
from bridge.cli.finding import Finding

BIG = Card(name="NVIDIA RTX 4090", total_bytes=24 * 2**30, free_bytes=22 * 2**30, capability="8.9")
FULL = msgspec.structs.replace(BIG, free_bytes=2**30)
STUDIO = Facts(
    torch="2.13.0+cu130", cuda="13.0", threads=8, cards=(BIG,), driver="NVIDIA RTX 4090, 580.65", gsplat="1.5.3",
    gsplat_compiled=True, nvcc="/usr/local/cuda/bin/nvcc", nvcc_release="13.0",
)  # fmt: skip
LAPTOP = Facts(torch="2.13.0+cpu", threads=2)


def told(facts: Facts, **changes: object) -> dict[str, Finding]:
    return {finding.what: finding for finding in of_facts(msgspec.structs.replace(facts, **changes))}


def test_a_laptop_is_told_that_nothing_is_missing() -> None:
    found = told(LAPTOP)
    assert {what: finding.state for what, finding in found.items()} == {"devices": "note", "gsplat": "ok"}
    assert "on the processor with 2 threads" in found["devices"].words and "works without" in found["devices"].words
    assert not any(finding.remedy for finding in found.values())


def test_a_studio_s_card_is_told_with_its_memory() -> None:
    found = told(STUDIO)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found["graphics card"].words == "cuda:0 is an NVIDIA RTX 4090 with 24 GiB, 22.0 of them free"
    assert found["devices"].words == "torch 2.13.0+cu130 for CUDA 13.0"
    assert found["gsplat"].words == "release 1.5.3, its kernels are compiled"


def test_two_cards_do_two_jobs() -> None:
    findings = list(of_facts(msgspec.structs.replace(STUDIO, cards=(BIG, FULL))))
    assert [finding.state for finding in findings] == ["ok", "warning", "ok", "ok"]
    assert "cuda:1" in findings[1].words and "close other programs" in findings[1].remedy
    assert "each card does a job of its own" in findings[2].words


@pytest.mark.parametrize(
    ("changes", "words", "remedy"),
    [
        ({"torch": "2.13.0+cpu", "cuda": "", "cards": ()}, "is built without CUDA", "torch's build for CUDA"),
        ({"cards": ()}, "for CUDA 13.0 does not see it", "torch's build for CUDA"),
        ({"cards": (), "trouble": "driver too old"}, "can use no card: driver too old", "nvidia-smi"),
    ],
)
def test_a_card_that_torch_cannot_use_is_told(changes: dict[str, object], words: str, remedy: str) -> None:
    devices = told(STUDIO, **changes)["devices"]
    assert devices.state == "warning" and words in devices.words and remedy in devices.remedy


@pytest.mark.parametrize(
    ("changes", "state", "words", "remedy"),
    [
        ({"gsplat": ""}, "warning", "although there is a card", "pip install 'scenecast[gpu]'"),
        ({"gsplat": "1.4.0"}, "warning", "not one that we know", "pip install 'scenecast[gpu]'"),
        ({"gsplat": "1.6.0"}, "ok", "kernels are compiled", ""),
        ({"gsplat_compiled": False}, "ok", "will be compiled", ""),
        ({"gsplat_compiled": False, "nvcc": "", "nvcc_release": ""}, "warning", "nvcc was not found", "CUDA_HOME"),
        ({"gsplat_compiled": False, "nvcc_release": "12.4"}, "warning", "nvcc is of CUDA 12.4", "toolkit of CUDA 13.0"),
    ],
)
def test_gsplat_is_told_with_what_to_do(changes: dict[str, object], state: str, words: str, remedy: str) -> None:
    gsplat = told(STUDIO, **changes)["gsplat"]
    assert gsplat.state == state and words in gsplat.words and remedy in gsplat.remedy
    assert bool(gsplat.remedy) == (state == "warning")


def test_a_setting_that_names_no_device_is_told() -> None:
    found = list(of_facts(STUDIO, ("cuda:0", "cuda:3")))
    [setting] = [finding for finding in found if "setting devices" in finding.words]
    assert setting.state == "warning" and "names cuda:3; here are cuda:0, cpu" in setting.words
    assert not any("setting" in finding.words for finding in of_facts(LAPTOP, ("cpu",)))


def test_this_machine_is_asked() -> None:
    found = list(check_devices())
    assert {"devices", "gsplat"} <= {finding.what for finding in found}
    assert not any(finding.state == "problem" for finding in found)


def test_a_torch_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_devices, "PROBE", "raise SystemExit('libcudart.so is missing')")
    [problem] = check_devices()
    assert problem.state == "problem" and "libcudart.so is missing" in problem.words and problem.remedy


def test_a_torch_that_takes_for_ever_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_devices, "PROBE", "import time; time.sleep(600)")
    monkeypatch.setattr(checks_devices, "PROBE_SECS", 0.5)
    [problem] = check_devices()
    assert problem.state == "problem" and "did not load" in problem.words and problem.remedy


def test_the_probe_speaks_one_line_that_is_understood() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    facts = msgspec.json.decode(done.stdout, type=Facts)
    assert facts.torch and facts.threads >= 1
