"""One run inside a worker: every event passed on, every failure put in words, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engines import neutral
from engines.assets import Capture, Image
from engines.errors import DamagedFile
from engines.importance import importance
from generators import runner
from generators.events import Context, Event, GeneratorError, Note, Produced, Progress, Request
from generators.pacing import Pacer
from generators.pipe import Ended, Grown, InputOrder, Noted, Progressed, RunOrder, WorkerMessage
from generators.pipe import Produced as ProducedMessage
from generators.runner import MOST_NOTES, imported, perform
from generators.spec import Params
from generators.steering import Helm


def order(spool: Path, function: str = "tests.fakes:run", **values: Any) -> RunOrder:
    params_type = values.pop("params_type", "tests.fakes:ScriptParams")
    params = values.pop("params", {})
    return RunOrder(
        run=1,
        function=function,
        params_type=params_type,
        params=params,
        seed=1,
        device="cpu",
        spool=str(spool),
        **values,
    )


def done(job: RunOrder, cancelled: bool = False) -> tuple[Ended, list[WorkerMessage]]:
    sent: list[WorkerMessage] = []
    helm = Helm(job.run, sent.append)
    if cancelled:
        helm.cancel()
    ended = perform(job, sent.append, Pacer(sent.append), helm)
    return ended, sent


def test_results_are_files_and_events_are_small(tmp_path: Path) -> None:
    ended, sent = done(order(tmp_path / "run1", params={"assets": 2, "note": "n", "size_px": 32}))
    assert ended == Ended(run=1, outcome="finished")
    note, *results = sent
    assert note == Noted(run=1, text="n")
    for index, message in enumerate(results):
        assert isinstance(message, ProducedMessage) and message.name == f"result{index}"
        draft = msgspec.convert(message.draft, neutral.Draft)
        folder = Path(message.folder)
        assert folder.parent == tmp_path / "run1"
        assert [path.name for path in folder.iterdir()] == [part.file for part in draft.parts]
        pixels = np.load(folder / draft.parts[0].file)
        assert pixels.shape == (32, 32, 3)


def test_clouds_are_stored_in_falling_importance(tmp_path: Path) -> None:
    (ended, sent) = done(
        order(tmp_path / "run1", function="tests.fakes:grow", params_type="tests.fakes:GrowParams", params={"steps": 2})
    )
    assert ended.outcome == "finished"
    [produced] = [message for message in sent if isinstance(message, ProducedMessage)]
    parts = {name: np.load(Path(produced.folder) / f"{name}.npy") for name in ("opacities", "scales", "positions")}
    weights = importance(parts["opacities"], parts["scales"])
    assert len(weights) == 52 and (np.diff(weights) <= 0).all()
    assert not any(isinstance(message, Grown) for message in sent), "nobody watches"


def test_inputs_arrive_as_assets(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    draft = neutral.write(Image(pixels), tmp_path)
    digest = "a" * 64
    manifest = neutral.manifest_of(draft, {"pixels": digest}, {})
    (tmp_path / "manifest").write_bytes(neutral.manifest_bytes(manifest))
    row = InputOrder(manifest=str(tmp_path / "manifest"), parts={digest: str(tmp_path / "pixels.npy")})
    job = order(tmp_path / "run", "tests.fakes:repaint", params_type="generators.spec:Params", inputs={"picture": row})
    ended, sent = done(job)
    assert ended.outcome == "finished" and isinstance(sent[0], ProducedMessage)
    np.testing.assert_array_equal(np.load(Path(sent[0].folder) / "pixels.npy"), 255 - pixels)
    damaged = msgspec.structs.replace(job, inputs={"picture": msgspec.structs.replace(row, parts={digest: "/nowhere"})})
    ended, _ = done(damaged)
    assert (ended.outcome, ended.cause) == ("failed", "told") and "pixels" in ended.message
    assert ended.message.startswith("input 'picture': ") and digest not in ended.message


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("no_such_module:run", "no_such_module:run cannot be imported"),
        ("tests.fakes:no_such", "tests.fakes:no_such cannot be imported"),
    ],
)
def test_a_function_that_is_not_there_is_told(tmp_path: Path, function: str, words: str) -> None:
    ended, _ = done(order(tmp_path, function))
    assert ended.outcome == "failed" and words in ended.message
    with pytest.raises(GeneratorError):
        imported(function)


def test_a_cancelled_run_does_nothing(tmp_path: Path) -> None:
    ended, sent = done(order(tmp_path / "run1"), cancelled=True)
    assert ended.outcome == "cancelled" and not sent and not (tmp_path / "run1").exists()


def test_the_defect_of_a_gpu_run_taints_the_worker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for device, tainted in (("cpu", False), ("cuda:0", True)):
        job = msgspec.structs.replace(order(tmp_path, params={"raises": "defect"}), device=device)
        ended, _ = done(job)
        assert (ended.cause, ended.tainted) == ("defect", tainted)
        assert "ZeroDivisionError" in capsys.readouterr().err
    assert done(order(tmp_path, params={"raises": "memory"}))[0].tainted
    assert not done(order(tmp_path, params={"raises": "told"}))[0].tainted


def scribbling(request: Request, context: Context) -> Iterator[Event]:
    (context.scratch / "draft").write_text("x")
    yield Progress(float("nan"))
    yield Progress(7.0, "s" * 1000)
    yield Note("n" * 100_000)
    try:
        yield Produced(Image(np.zeros((2, 2, 3), np.uint8)))
    finally:
        (context.scratch / "late").write_text("x")


def noisy(request: Request, context: Context) -> Iterator[Event]:
    for number in range(MOST_NOTES + 1):
        yield Note(f"{number}")


def stubborn(request: Request, context: Context) -> Iterator[Event]:
    try:
        yield Note("x")
        raise GeneratorError("enough")
    finally:
        raise RuntimeError("and in the clean-up too")


def unsuitable(request: Request, context: Context) -> Iterator[Event]:
    yield Produced(Image(np.zeros((2, 2), np.complex64)))


def local(name: str, spool: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Ended, list[WorkerMessage]]:
    found = {"local:run": globals()[name], "local:Params": Params}
    monkeypatch.setattr(runner, "imported", found.__getitem__)
    return done(order(spool, "local:run", params_type="local:Params"))


def test_scratch_is_removed_and_words_are_kept_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, sent = local("scribbling", tmp_path, monkeypatch)
    assert ended.outcome == "finished" and not (tmp_path / "scratch").exists()
    assert sent[0] == Progressed(run=1, fraction=0.0)
    assert all(len(message.text) <= 4000 for message in sent if isinstance(message, Noted))


def test_too_many_notes_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, sent = local("noisy", tmp_path, monkeypatch)
    assert ended.outcome == "failed" and "more than 64 notes" in ended.message and len(sent) == MOST_NOTES


def test_a_clean_up_that_fails_is_for_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, _ = local("stubborn", tmp_path, monkeypatch)
    assert ended.outcome == "failed" and "clean-up" in ended.message + capsys.readouterr().err


def test_an_asset_that_breaks_its_form_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, sent = local("unsuitable", tmp_path, monkeypatch)
    assert (ended.outcome, ended.cause) == ("failed", "told") and ended.message and not sent


def test_a_film_is_handed_over_as_its_file_where_captures_are_taken(tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41" + bytes(64))
    digest = "ab" * 32
    manifest = neutral.manifest_for_file(film, digest, name="walk")
    (tmp_path / "manifest").write_bytes(neutral.manifest_bytes(manifest))
    row = InputOrder(manifest=str(tmp_path / "manifest"), parts={digest: str(film)}, undecoded=True)
    assert runner.read_input(row) == Capture(film, "walk")
    with pytest.raises(DamagedFile):
        runner.read_input(msgspec.structs.replace(row, undecoded=False))


def exhausting(request: Request, context: Context) -> Iterator[Event]:
    import torch

    yield Progress(0.5, "filling")
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. " + "See the documentation. " * 50)


def test_memory_that_runs_out_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, _ = local("exhausting", tmp_path, monkeypatch)
    assert (ended.outcome, ended.cause, ended.tainted) == ("failed", "memory", True)
    assert ended.message.startswith("memory ran out on cpu: CUDA out of memory. Tried to allocate 20.00 GiB.")
    assert "smaller size" in ended.remedy and len(ended.message) <= 400
