"""What the setting means, and where keys come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft_models.remote_dialects import by_format, by_name
from graft_models.remote_endpoints import Endpoint, load_keys, parse_endpoints
from graft_models.remote_http import Address, Channel, RemoteError

LOCAL = Address("127.0.0.1", 8080, False, "")


def test_one_address_is_as_simple_as_before() -> None:
    assert parse_endpoints("http://127.0.0.1:8080") == [Endpoint("http://127.0.0.1:8080", None, LOCAL)]


def test_kind_model_and_format() -> None:
    text = "openai+https://gpu.example/v1#Qwen/Qwen2.5-Coder-7B;format=qwen ollama+http://localhost:11434#qwen:1.5b"
    vllm, ollama = parse_endpoints(text)
    assert (vllm.kind, vllm.model, vllm.form) == ("openai", "Qwen/Qwen2.5-Coder-7B", "qwen")
    assert vllm.address == Address("gpu.example", 443, True, "/v1")
    assert (ollama.kind, ollama.model, ollama.address.port) == ("ollama", "qwen:1.5b", 11434)


def test_plain_http_leaves_this_machine_only_when_said() -> None:
    for text in ("http://gpu.example:8080", "llama+http://10.0.0.5:8080", "gpu.example:8080"):
        with pytest.raises(RemoteError, match="unencrypted to another machine"):
            parse_endpoints(text)
    (there,) = parse_endpoints("llama+insecure+http://10.0.0.5:8080")
    assert there.address.insecure and not there.address.secure
    for text in ("http://localhost:1", "http://127.0.0.7:1", "http://[::1]:1"):
        parse_endpoints(text)


@pytest.mark.parametrize("text", ["", " ", "http://h:x", "https://h;colour=red", "https://h;format=", "http://[::1"])
def test_bad_settings_are_one_line(text: str) -> None:
    with pytest.raises(RemoteError) as caught:
        parse_endpoints(text)
    assert "\n" not in str(caught.value)


def test_families_by_name() -> None:
    for name, form in (
        ("Qwen/Qwen2.5-Coder-7B", "qwen"),
        ("starcoder2:3b", "starcoder2"),
        ("ibm-granite/granite-4.0-h-small", "granite4"),
        ("graft-embedded.gguf", "graft"),
        ("deepseek-coder:1.3b-base", "deepseek"),
    ):
        found = by_name(name)
        assert found is not None and found.name == form
    assert by_name("llama-3.1-8b") is None and by_format("nothing") is None


def test_keys_come_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "remote.key"
    assert load_keys({}, file).of(LOCAL) is None
    assert load_keys({"GRAFT_REMOTE_KEY": " secret\n"}, None).of(LOCAL) == "secret"
    file.write_text("# ours\nall\ngpu.example own\n127.0.0.1:8080 port\n")
    file.chmod(0o600)
    keys = load_keys({}, file)
    assert keys.of(LOCAL) == "port"
    assert keys.of(Address("gpu.example", 443, True, "")) == "own"
    assert keys.of(Address("other", 443, True, "")) == "all"
    assert load_keys({"GRAFT_REMOTE_KEY": "env"}, file).of(Address("other", 443, True, "")) == "env"
    assert "all" not in repr(keys) and "secret" not in repr(Channel(LOCAL, "secret"))


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "remote.key"
    file.write_text("secret")
    for mode in (0o644, 0o640, 0o602):
        file.chmod(mode)
        with pytest.raises(RemoteError, match="chmod 600"):
            load_keys({}, file)
    file.chmod(0o600)
    file.write_text("a b c")
    with pytest.raises(RemoteError, match="HOST KEY"):
        load_keys({}, file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RemoteError, match="cannot be read"):
        load_keys({}, file)
    for key in ("a\r\nX: y", "ключ"):
        with pytest.raises(RemoteError, match="no key has"):
            load_keys({"GRAFT_REMOTE_KEY": key}, None)
