"""What a sampled answer must prove before it is trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from graft_training import items, rewards
from graft_training.product_context import ProductContext

UNITS = "class Weight:\n    KILO = 'kg'\n\n\ndef convert(amount, unit):\n    return amount * unit\n"
SHOP = """from shop.units import Weight, convert


def heavy(amount):
    total = convert(amount, Weight.KILO)
    return total
"""


def line_of(text: str) -> items.Line:
    found = [line for line in items.candidates("shop", {"shop/a.py": SHOP}) if line.text.strip().startswith(text)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("answer", "parses", "names"),
    [
        ("total = convert(amount, Weight.KILO)", True, True),
        ("total = convert(Weight.KILO, amount)", True, True),
        ("total = convert(amount, Weight.STONE)", True, False),
        ("total = convert(amounts, Weight.KILO)", True, False),
        ("total = convert(amount)", True, False),
        ("total = convert(amount,", False, False),
        ("if amount:", False, False),
    ],
)
def test_an_answer_must_parse_and_its_names_resolve(answer: str, parses: bool, names: bool) -> None:
    line = line_of("total =")
    with ProductContext([("shop/__init__.py", ""), ("shop/units.py", UNITS), ("shop/a.py", SHOP)]) as product:
        (said,) = rewards.judged(product, line, {answer: -0.5})
    assert said.verdict == rewards.Verdict(parses, names, None)
    assert said.verdict.rewarded is (parses and names)


def test_what_was_wrong_elsewhere_is_not_held_against_an_answer() -> None:
    text = SHOP + "    return missing\n"
    line = items.Line("shop", "shop/a.py", 5, SHOP.partition("    total")[0], "    total = amount", text, False)
    with ProductContext([("shop/a.py", text)]) as product:
        (said,) = rewards.judged(product, line, {"total = amount + 1": -0.5})
    assert said.verdict.names


def test_the_modules_own_tests_decide() -> None:
    import colorsys

    text = Path(colorsys.__file__).read_text("utf-8")
    before, found, after = text.partition("    y = 0.30*r + 0.59*g + 0.11*b\n")
    assert found
    line = items.Line("cpython", "colorsys.py", before.count("\n") + 1, before, found.rstrip("\n"), after, False)
    assert rewards.tested(line) and rewards.noticed(line)
    assert rewards.tests_pass(line, rewards.with_answer(line, "    y = 0.11*b + 0.30*r + 0.59*g"))
    assert not rewards.tests_pass(line, rewards.with_answer(line, "    y = 0.30*r + 0.59*b + 0.11*g"))


def test_only_modules_with_tests_are_tested() -> None:
    assert not rewards.tested(items.Line("cpython", "json/decoder.py", 1, "", "x", "", False))
    assert not rewards.tested(items.Line("other", "colorsys.py", 1, "", "x", "", False))


def test_proved_answers_are_kept_before_likely_ones() -> None:
    line = line_of("total =")
    good, fine, wrong = (rewards.Verdict(True, True, t) for t in (True, None, False))
    said = [
        rewards.Said(line, "a", -0.1, wrong),
        rewards.Said(line, "b", -0.2, fine),
        rewards.Said(line, "c", -3.0, good),
        rewards.Said(line, "d", -0.3, fine),
    ]
    assert [s.text for s in rewards.kept(said)] == ["c", "b"]


def test_an_unknown_package_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "documents.jsonl").write_text('{"package": "p", "path": "p/a.py", "text": "x = 1\\n"}\n')
    command = [str(tmp_path / "m.gguf"), "--work", str(tmp_path), "--out", str(tmp_path / "out")]
    assert rewards.main([*command, "--packages", "absent"]) == 2
    assert "no documents of absent" in capsys.readouterr().err
