"""Things on the artist's disk: named, looked for in the model cache, or told to be missing."""

from __future__ import annotations

from pathlib import Path

from generators.located import Located, found, missing

NEED = Located(setting="some_folder", what="weights of Something (1 GB, licence MIT)", cached="some/thing")


def test_a_named_path_wins_and_must_exist(tmp_path: Path) -> None:
    assert found(NEED, {"SCENECAST_SOME_FOLDER": str(tmp_path)}) == tmp_path
    gone = {"SCENECAST_SOME_FOLDER": str(tmp_path / "gone"), "HF_HOME": str(tmp_path)}
    assert found(NEED, gone) is None and "does not exist" in missing(NEED, gone)
    assert missing(NEED, {"HF_HOME": str(tmp_path)}) == (
        "it needs weights of Something (1 GB, licence MIT); name it in the setting some_folder"
    )


def test_the_model_cache_is_looked_through_for_whole_snapshots(tmp_path: Path) -> None:
    snapshots = tmp_path / "hub" / "models--some--thing" / "snapshots"
    (snapshots / "half").mkdir(parents=True)
    environment = {"HF_HOME": str(tmp_path)}
    assert found(NEED, environment) is None
    (snapshots / "whole").mkdir()
    (snapshots / "whole" / "model_index.json").write_text("{}")
    assert found(NEED, environment) == snapshots / "whole" and missing(NEED, environment) == ""
    assert found(NEED, {"HF_HUB_CACHE": str(tmp_path / "hub")}) == snapshots / "whole"
    assert found(Located(setting="other", what="x"), environment) is None
