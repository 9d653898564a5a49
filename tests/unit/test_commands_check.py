"""`graft check` and `graft fix` as a user runs them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from graft_server.cli import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GRAFT_CONFIG", str(tmp_path / "config.toml"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(root)
    return root


def test_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "a.py").write_text("def f(length):\n    return 'é', lenght\n")
    (project / "b.py").write_text("x = 1\n")
    assert main(["check", "."]) == 1
    out, err = capsys.readouterr()
    assert out == snapshot("a.py:2:17: error: `lenght` is not defined; did you mean `length`? [undefined-name]\n")
    assert err == snapshot("1 finding in 2 files\n")
    assert main(["check", "b.py"]) == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"def f(:\n  x\n", "a.py: not checked where it does not parse\n"),
        (b"x = 1\0\n", "a.py: not checked: binary: holds NUL bytes\n"),
        ("x = 1\n".encode("utf-16"), ""),
        (b"x = [" + b"1," * 5_000_001 + b"lenght]\n", "a.py: not checked: larger than 10 MB\n"),
        (b"x = '\xe9'\n", ""),
    ],
)
def test_what_was_not_checked_is_said(
    project: Path, capsys: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    (project / "a.py").write_bytes(data)
    assert main(["check", "a.py"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{said}0 findings in 1 file\n")


def test_a_file_without_checks_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "notes.txt").write_text("x\n")
    (project / "a.py").write_text("x = 1\n")
    assert main(["check", "notes.txt"]) == 0
    assert capsys.readouterr().err == (
        "notes.txt: not checked: there are checks for Python, TypeScript, JavaScript and Go\n0 findings in 1 file\n"
    )
    assert main(["check", "."]) == 0
    assert capsys.readouterr().err == "0 findings in 1 file\n"


def test_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = b"\xef\xbb\xbfdef f(length):\r\n    return '\xc3\xa9', lenght\r\n"
    (project / "a.py").write_bytes(text)
    assert main(["check", "a.py", "--format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert found == snapshot(
        {
            "path": "a.py",
            "line": 2,
            "column": 17,
            "end_line": 2,
            "end_column": 23,
            "code": "undefined-name",
            "severity": "error",
            "message": "`lenght` is not defined; did you mean `length`?",
            "fixes": [
                {
                    "title": "Change to `length` - checked: parses, resolves, finding gone, nothing new",
                    "safe": True,
                    "verified": ["parses", "resolves", "finding gone", "nothing new"],
                    "edits": [{"path": "a.py", "start": 36, "end": 42, "text": "length"}],
                }
            ],
        }
    )
    (edit,) = found["fixes"][0]["edits"]
    assert text[edit["start"] : edit["end"]] == b"lenght"


def test_sarif(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "a.py").write_text("def f(length):\n    return lenght\n")
    assert main(["check", "a.py", "--format", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = {r["id"] for r in run["tool"]["driver"]["rules"]}
    (result,) = run["results"]
    assert result["ruleId"] in rules
    assert result["locations"][0]["physicalLocation"]["region"] == snapshot(
        {"startLine": 2, "startColumn": 12, "endLine": 2, "endColumn": 18}
    )
    assert result["fixes"][0]["artifactChanges"][0]["replacements"][0] == snapshot(
        {
            "deletedRegion": {"startLine": 2, "startColumn": 12, "endLine": 2, "endColumn": 18},
            "insertedContent": {"text": "length"},
        }
    )


def _region(value: dict[str, int]) -> None:
    """SARIF 2.1.0, 3.30: a text region by lines and columns, both from 1, and no bytes beside them."""
    assert set(value) == {"startLine", "startColumn", "endLine", "endColumn"}
    assert all(isinstance(v, int) and v >= 1 for v in value.values())
    assert (value["startLine"], value["startColumn"]) <= (value["endLine"], value["endColumn"])


def _address(value: dict[str, str]) -> None:
    """3.4.3: a relative reference or an absolute URI, percent-encoded."""
    assert re.fullmatch(r"(?:file://)?[A-Za-z0-9._~%!$&'()*+,;=:@/-]+", value["uri"])
    assert not value["uri"].startswith("/")


def test_sarif_has_the_shape_that_the_standard_asks_for(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "a b.py").write_text("import nothere\n\n\ndef f(length):\n    return lenght + os.sep\n\n\nf(1, 2)\n")
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "é.py").write_text("print(undefined)\n")
    assert main(["check", ".", str(outside), "--format", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://")
    for run in log["runs"]:
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        driver = run["tool"]["driver"]
        assert driver["name"]
        ids = [r["id"] for r in driver["rules"]]
        assert len(ids) == len(set(ids))
        for rule in driver["rules"]:
            assert rule["shortDescription"]["text"]
            assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        assert len(run["results"]) >= 4
        for result in run["results"]:
            assert ids[result["ruleIndex"]] == result["ruleId"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert result["message"]["text"]
            for location in result["locations"]:
                _address(location["physicalLocation"]["artifactLocation"])
                _region(location["physicalLocation"]["region"])
            for fix in result.get("fixes", ()):
                assert fix["description"]["text"]
                assert fix["artifactChanges"]
                for change in fix["artifactChanges"]:
                    _address(change["artifactLocation"])
                    assert change["replacements"]
                    for replacement in change["replacements"]:
                        _region(replacement["deletedRegion"])
                        assert isinstance(replacement["insertedContent"]["text"], str)


def test_fix_prints_a_diff_that_patch_applies(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = b"def f(length):\r\n    return lenght + os.sep"
    (project / "a.py").write_bytes(before)
    assert main(["fix", "."]) == 0
    out, err = capsys.readouterr()
    assert (project / "a.py").read_bytes() == before
    assert err == snapshot("2 can be fixed in 1 file, 0 left\n")
    subprocess.run(["git", "apply", "-"], input=out.encode(), cwd=project, check=True)
    assert (project / "a.py").read_bytes() == b"import os\r\n\r\n\r\ndef f(length):\r\n    return length + os.sep"
    assert main(["check", "."]) == 0


def test_fix_applies_byte_exactly(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "a.py"
    file.write_bytes(b"# coding: latin-1\r\nname = '\xe9'\r\nprint(naem)\r\n")
    assert main(["fix", "a.py", "--apply"]) == 0
    assert file.read_bytes() == b"# coding: latin-1\r\nname = '\xe9'\r\nprint(name)\r\n"


def test_unsafe_fixes_need_the_flag(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "a.py"
    file.write_text("def f(a): ...\n\nf(1, 2)\n")
    assert main(["fix", "a.py", "--apply"]) == 0
    assert file.read_text() == "def f(a): ...\n\nf(1, 2)\n"
    assert main(["fix", "a.py", "--apply", "--unsafe"]) == 0
    assert file.read_text() == "def f(a): ...\n\nf(1)\n"


def test_what_cannot_be_written_back_is_left(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "a.py"
    data = b"name = 1  # \xff\nprint(naem)\n"
    file.write_bytes(data)
    assert main(["fix", "a.py", "--apply"]) == 0
    assert file.read_bytes() == data


def test_bad_input(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "missing.py"]) == 2
    assert capsys.readouterr().err == "graft check: missing.py: no such file or folder\n"
    (project / "a.py").write_text("def f(:\n")
    assert main(["check", "a.py"]) == 0


def test_checks_are_chosen_on_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "a.py").write_text("def f(length):\n    return lenght\n    print('%s %s' % (1,))\n")
    assert main(["check", "a.py"]) == 1
    every = re.findall(r"\[([\w-]+)\]$", capsys.readouterr().out, re.M)
    assert every == ["undefined-name", "unreachable-code", "format-string"]
    assert main(["check", "a.py", "--select", "format-string,undefined-name", "--ignore=undefined-name"]) == 1
    assert re.findall(r"\[([\w-]+)\]$", capsys.readouterr().out, re.M) == ["format-string"]
    assert main(["fix", "a.py", "--select", "format-string"]) == 0
    assert "can be fixed" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_a_check_that_does_not_exist_is_named(project: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    (project / "a.py").write_text("x = 1\n")
    assert main(["check", "a.py", option, "undefined-nmae"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        "graft check: no check is called 'undefined-nmae'; did you mean 'undefined-name'?; there are "
    )
    assert err.count("\n") == 1


def test_an_unknown_check_in_the_settings_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "a.py").write_text("x = 1\n")
    (project / "pyproject.toml").write_text('[tool.graft]\ndiagnosis.disabledChecks = ["undefined-nmae", "F821"]\n')
    assert main(["check", "a.py"]) == 0
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first.endswith(
        "'diagnosis.disabledChecks': no check is called 'undefined-nmae'; did you mean 'undefined-name'?"
    )
    assert second.endswith("no check is called 'F821'")


def test_settings_are_honoured(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "a.py").write_text("print(undefined)\n")
    (project / "gen").mkdir()
    (project / "gen/b.py").write_text("print(undefined)\n")
    (project / "pyproject.toml").write_text('[tool.graft]\ndiagnosis.exclude = ["gen/**"]\n')
    assert main(["check", "."]) == 1
    assert "gen/b.py" not in capsys.readouterr().out
    (project / "pyproject.toml").write_text('[tool.graft]\ndiagnosis.disabledChecks = ["undefined-name"]\n')
    assert main(["check", "."]) == 0
