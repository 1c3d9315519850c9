from __future__ import annotations

import inspect
from pathlib import Path

import msgspec
import pytest

from bridge import settings
from bridge.settings import Settings, SettingsError


def test_defaults_are_loopback_and_valid() -> None:
    chosen = settings.checked({})
    assert chosen == Settings()
    assert chosen.loopback
    assert not chosen.origins


def test_file_then_environment_then_caller(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('port = 1\nsessions = 2\nlog_level = "debug"\n[[watched_folders]]\npath = "/in"\n')
    environment = {"SCENECAST_PORT": "3", "SCENECAST_SESSIONS": "4", "SCENECAST_RUNTIME_DIR": "/r", "PATH": "/bin"}
    chosen = settings.load({"port": 5, "data_dir": None}, file=file, environment=environment)
    assert (chosen.port, chosen.sessions, chosen.log_level) == (5, 4, "debug")
    assert chosen.watched_folders[0].path == "/in"


def test_lists_and_truth_values_come_from_the_environment() -> None:
    environment = {
        "SCENECAST_ORIGINS": '["https://a.example"]',
        "SCENECAST_FSYNC": "true",
        "SCENECAST_TOKEN": "1" * 32,
    }
    chosen = settings.load(environment=environment, file=None)
    assert (chosen.origins, chosen.fsync, chosen.token) == (["https://a.example"], True, "1" * 32)


def test_assignments_are_read_like_the_environment() -> None:
    assert settings.assignments(["port=0", "data_dir=0"]) == {"port": 0, "data_dir": "0"}
    with pytest.raises(SettingsError):
        settings.assignments(["port"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prot": 1}, "did you mean 'port'"),
        ({"port": 70000}, "65535"),
        ({"port": "7263"}, "int"),
        ({"sessions": 0}, ">= 1"),
        ({"token": "short"}, "32"),
        ({"origins": ["null"]}, "null"),
        ({"origins": ["*"]}, "null"),
        ({"tls_certificate": "c.pem"}, "together"),
        ({"address": "0.0.0.0"}, "allow_remote"),
        ({"address": "192.168.1.5"}, "allow_remote"),
        ({"address": "::"}, "allow_remote"),
        ({"address": "studio.local"}, "allow_remote"),
        ({"address": "0.0.0.0", "allow_remote": True}, "TLS"),
        ({"watched_folders": [{"path": "/x", "titel": "y"}]}, "titel"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.checked(values)
    assert words in f"{caught.value.message} {caught.value.remedy}"


def test_unknown_variables_are_refused() -> None:
    with pytest.raises(SettingsError, match="SCENECAST_PROT"):
        settings.load(environment={"SCENECAST_PROT": "1"})


@pytest.mark.parametrize("text", ["port = ", "\xff", "port = 1\nport = 2"])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError):
        settings.load(file=file, environment={})


def test_remote_with_tls_is_accepted() -> None:
    chosen = settings.checked(
        {"address": "0.0.0.0", "allow_remote": True, "tls_certificate": "c.pem", "tls_key": "k.pem"}
    )
    assert not chosen.loopback


def test_every_setting_says_what_it_is() -> None:
    source = inspect.getsource(Settings)
    for field in msgspec.structs.fields(Settings):
        after = source.split(f"    {field.name}: ", 1)[1].split("\n", 2)[1]
        assert after.strip().startswith('"""') or field.name == "log_level", field.name
