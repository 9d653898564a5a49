"""Settings: layers, trust, messages."""

from pathlib import Path

from graft_server.settings import Layer, Settings, load, merge, reference


def test_later_layers_win() -> None:
    settings, messages = merge(
        [Layer("user", {"completion": {"maxTokens": 10}}), Layer("client", {"graft.completion.maxTokens": 20})]
    )
    assert (settings.completion_max_tokens, messages) == (20, [])


def test_a_workspace_may_not_name_programs_or_addresses(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.graft]\n"model.path" = "/tmp/evil.gguf"\n[tool.graft.completion]\nmultiline = false\n'
    )
    settings, messages = load(tmp_path, None)
    assert (settings.model_path, settings.completion_multiline) == ("", False)
    assert len(messages) == 1 and "may only be set by the user" in messages[0]


def test_wrong_values_are_told_and_the_default_stays() -> None:
    settings, messages = merge([Layer("user", {"completion.delay": "soon", "index.jobs": True, "nonsense": 1})])
    assert settings == Settings()
    assert [m.split(": ", 1)[1] for m in messages] == [
        "'completion.delay' must be one of 'adaptive', 'none', 'long', not 'soon'",
        "'index.jobs' must be a whole number, not True",
        "unknown setting 'nonsense'",
    ]


def test_a_broken_file_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff = [")
    _, messages = load(None, tmp_path / "config.toml")
    assert len(messages) == 1 and "settings ignored" in messages[0]


def test_every_setting_is_described() -> None:
    for entry in reference():
        assert entry["description"].endswith("."), entry["name"]
        assert entry["group"], entry["name"]
