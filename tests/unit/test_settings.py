"""Settings: layers, trust, messages."""

from pathlib import Path

from graft_server.settings import Layer, Settings, load, merge, reference
from graft_server.settings_types import RETIRED


def test_later_layers_win() -> None:
    settings, messages = merge(
        [Layer("user", {"completion": {"threshold": 0.1}}), Layer("client", {"graft.completion.threshold": 0.2})]
    )
    assert (settings.completion_threshold, messages) == (0.2, [])


def test_a_workspace_may_not_name_programs_or_addresses(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.graft]\n"model.path" = "/tmp/evil.gguf"\n[tool.graft.completion]\nmultiline = false\n'
    )
    settings, messages = load(tmp_path, None)
    assert (settings.model_path, settings.completion_multiline) == ("", False)
    assert len(messages) == 1 and "may only be set by the user" in messages[0]


def test_wrong_values_are_told_and_the_default_stays() -> None:
    settings, messages = merge([Layer("user", {"completion.delay": "soon", "model.threads": True, "nonsense": 1})])
    assert settings == Settings()
    assert [m.split(": ", 1)[1] for m in messages] == [
        "'completion.delay' must be one of 'adaptive', 'none', 'long', not 'soon'",
        "'model.threads' must be a whole number, not True",
        "unknown setting 'nonsense'",
    ]


def test_a_setting_of_earlier_versions_is_one_line_and_keeps_its_meaning() -> None:
    old = {"completion": {"enable": False, "maxTokens": 10}, "index.jobs": 3, "graft.model.contextTokens": 900}
    settings, messages = merge([Layer("user", old)])
    assert settings == Settings(completion_eagerness="off")
    assert len(messages) == 4 and all("is no longer a setting: " in message for message in messages)
    assert "user: 'completion.enable' is no longer a setting: `completion.eagerness` has the value 'off'" in messages
    # A later layer wins over it as over the setting that has taken its place; what was the default changes nothing.
    later, _ = merge([Layer("user", old), Layer("client", {"completion.eagerness": "subtle"})])
    assert later.completion_eagerness == "subtle"
    same, _ = merge([Layer("user", {"completion.enable": True, "completion.eagerness": "subtle"})])
    assert same.completion_eagerness == "subtle"


def test_what_is_retired_is_no_setting_and_points_to_settings_that_are() -> None:
    names = {entry["name"].removeprefix("graft.") for entry in reference()}
    assert names.isdisjoint(RETIRED)
    for name, retired in RETIRED.items():
        settings, messages = merge([Layer("user", {name: old}) for old, _, _ in retired.values])
        assert len(messages) == len(retired.values), messages
        assert (settings != Settings()) == bool(retired.values)


def test_a_broken_file_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff = [")
    _, messages = load(None, tmp_path / "config.toml")
    assert len(messages) == 1 and "settings ignored" in messages[0]


def test_every_setting_is_described() -> None:
    for entry in reference():
        assert entry["description"].endswith("."), entry["name"]
        assert entry["group"], entry["name"]
