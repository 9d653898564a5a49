"""The catalogue of completion: what the model says, and what must be shown.

`|` is where the suggestion ends; the rest of the line is what the editor's document keeps.
"""

import asyncio
from dataclasses import replace

import pytest

from graft_models.engine import ScriptedAnswer
from graft_models.scripted import ScriptedEngine
from graft_server.completion.model import Snapshot
from graft_server.completion.pipeline import Pipeline
from graft_server.settings import Settings
from graft_testing.completing import complete, seen


async def check(source: str, said: str, expected: str, *, language: str = "python", manual: bool = False) -> None:
    name = {"python": "main.py", "typescript": "main.ts", "go": "main.go", "rust": "main.rs", "c": "main.c"}
    header = f"//- /{name.get(language, 'Main.java')}\n"
    completions, text, _ = await complete(header + source, said, language=language, manual=manual)
    assert seen(completions, text) == expected


@pytest.mark.parametrize(
    ("source", "said", "expected"),
    [
        # -- lines
        ("x = $0\n", "compute(1)\ny = 2\n", "x = compute(1)|"),
        ("import os\n$0\n", "import sys\n", "import sys|"),
        ("x = [\n    1,\n    $0\n]\n", "2,\n    3,\n]\n", "    2,|"),
        # -- brackets, quotes, auto-closed pairs
        ("print($0)\n", "value)\n", "print(value)|"),
        ("print($0)\n", "value\n", "print(value|)"),
        ("print(f($0))\n", "a, b))\n", "print(f(a, b))|"),
        ("print(f($0))\n", "a, b)\n", "print(f(a, b)|)"),
        ("x = d[$0]\n", "'key'] + 1\n", "x = d['key'] + 1|"),
        ('print("$0")\n', 'hello")\n', 'print("hello")|'),
        ("print('$0')\n", "hello'\n", "print('hello'|)"),
        ("f(a, $0)\n", "b)))\n", "f(a, b)|"),
        ("x = (1 + $0\n", "2)\n", "x = (1 + 2)|"),
        ("if f($0):\n    pass\n", "x):\n    pass\n", "if f(x):|"),
        # Strings further up are no brackets, however they look.
        ('x = "it\'s (a"\ny = """don\'t [\n"""\n\n\ndef f(a) $0\n    return a\n', "-> int:\n", "def f(a) -> int:|"),
        ("f(\n    a,\n    b$0\n)\n", ".c,\n", "    b.c,|"),
        # -- what tree-sitter's grammar takes and Python's does not
        ("from os import $0\n", "path, sep,\n", "from os import path, sep|"),
        ("from os import $0\n", "path, 0, sep\n", "(parses: does not parse here)"),
        ("def f($0):\n    pass\n", "a=1, b\n", "(parses: Python would not read it)"),
        ("$0\n", "print value\n", "(parses: Python would not read it)"),
        # -- spaces at the seam
        ("x = $0\n", " 1 + 1\n", "x = 1 + 1|"),
        ("return_value =$0\n", " 10 + 1\n", "return_value = 10 + 1|"),
        # -- indentation
        ("def f(a):\n    $0\n", "    return a\n", "    return a|"),
        ("def f(a):\n    $0\n", "b = a\n    return b\n\n\ndef g():\n    pass\n", "    b = a\n    return b|"),
        ("if a:\n\tx = 1\n\t$0\n", "y = 2\n", "\ty = 2|"),
        ("def f(a):\n\tx = 1\n\tif a:\n\t\t$0\n", "b = 2\n        c = 3\n", "\t\tb = 2\n\t\tc = 3|"),
        ("def f(a):\n    if a:\n        $0\n    return b\n", "b = 2\n    return b\n", "        b = 2|"),
        ("def f(a):\n    with g(\n        a,\n    $0\n        pass\n", "    ) as b:\n", "    ) as b:|"),
        ("def f(a):\n    with g(\n        a,\n$0\n        pass\n", "    ) as b:\n", "    ) as b:|"),
        ("def f(a):\n    with g(\n    $0\n        pass\n", "        ) as b:\n", "    ) as b:|"),
        ("def f(a):\n    with g(  # note\n$0\n        pass\n", "    ) as b:\n", "    ) as b:|"),
        (
            "def f(a):\n    with g(\n        k(b),\n        c[\n            0,\n        $0\n",
            "    ].d,\n",
            "        ].d,|",
        ),
        ("def f(a):\n    x = [\n    $0\n", "    a,\n", "        a,|"),
        # -- duplicates
        ("a = 1\n$0\nb = 2\n", "b = 2\n", "(duplicate: cut 5 characters)"),
        ("x = foo()\n$0\n", "x = foo()\n", "(duplicate: cut 9 characters)"),
        ("def f():\n    $0\n\n\nprint(1)\n", "x = 1\n\n\nprint(1)\n", "    x = 1|"),
        # -- repetition
        ("x = $0\n", "foo(foo(foo(foo(foo(\n", "(repetition: cut 21 characters)"),
        ("values = $0\n", "[1, 2, 3, 4]\n", "values = [1, 2, 3, 4]|"),
        # -- special tokens
        ("x = $0\n", "value<|endoftext|>rest\n", "x = value|"),
        ("x = $0\n", "<|file_sep|>other.py\n", "(special-tokens: cut 20 characters)"),
        # -- does not parse
        ("x = $0\n", "if while\n", "(parses: does not parse here)"),
        ("def f():\n    return $0\n", "class\n", "(parses: does not parse here)"),
        # -- broken before, no matter
        ("def broken(:\n    pass\n\n\nx = $0\n", "value + 1\n", "x = value + 1|"),
        # -- comments, strings
        ("# a comm$0\n", "ent\n", "(gate: in a comment)"),
        ("x = 1  # no$0\n", "te\n", "(gate: in a comment)"),
        ("x = 'a # b' + $0\n", "other\n", "x = 'a # b' + other|"),
        # -- middle of a line, of a word
        ("x = f($0, b)\n", "a\n", "(gate: in the middle of a line)"),
        ("x = val$0ue\n", "x\n", "(gate: in the middle of a line)"),
        # -- decorators, headers
        ("@$0\ndef f(): pass\n", "staticmethod\n", "@staticmethod|"),
        ("@$0\n", "staticmethod\n", "@staticmethod|"),
        ("for x in $0\n", "range(10):\n    print(x)\n", "for x in range(10):|"),
        ("try:\n    x = 1\n$0\n", "except ValueError:\n    pass\n", "except ValueError:|"),
        # -- mid-word
        ("import collec$0\n", "tions\n", "import collections|"),
        # -- emoji before the cursor, empty file
        ("s = '😀' + $0\n", "other\n", "s = '😀' + other|"),
        ("$0", "import os\n", "import os|"),
        # -- too short, white space
        ("x = $0\n", "   \n", "(seam: cut 3 characters)"),
        ("f(a$0\n", ")\n", "(length: too short to be worth a look)"),
        # -- secrets
        ("token = $0\n", "'ghp_0123456789abcdefghijABCDEFGHIJ012345'\n", "(secrets: looks like a secret)"),
    ],
)
async def test_python(source: str, said: str, expected: str) -> None:
    await check(source, said, expected)


@pytest.mark.parametrize(
    ("language", "source", "said", "expected"),
    [
        ("typescript", "const x = f($0)\n", "a, b);\n", "const x = f(a, b);|"),
        ("typescript", "function f() {\n  $0\n}\n", "return 1;\n}\n", "  return 1;|"),
        ("typescript", "// no$0\n", "te\n", "(gate: in a comment)"),
        ("go", "func f() int {\n\t$0\n}\n", "x := 1\n    return x\n}\n", "\tx := 1\n\treturn x|"),
        ("go", "x := m[$0]\n", '"key"]\n', 'x := m["key"]|'),
        ("rust", "fn f() -> i32 {\n    $0\n}\n", "let x = 1;\n    x\n}\n", "    let x = 1;\n    x|"),
        ("rust", "let v = vec![$0]\n", "1, 2];\n", "let v = vec![1, 2];|"),
        ("c", "int main(void) {\n    $0\n}\n", "return 0;\n}\n", "    return 0;|"),
        ("c", 'printf("$0");\n', 'hello\\n");\n', 'printf("hello\\n");|'),
        ("java", "class A {\n    int f() {\n        $0\n    }\n}\n", "return 1;\n    }\n}\n", "        return 1;|"),
        ("java", "String s = map.get($0);\n", "key);\n", "String s = map.get(key);|"),
    ],
)
async def test_other_languages(language: str, source: str, said: str, expected: str) -> None:
    await check(source, said, expected, language=language)


async def test_in_mid_line_when_asked() -> None:
    await check("x = f($0, b)\n", "a, b)\n", "x = f(a|, b)", manual=True)
    await check("total = price * $0 + tax\n", "amount + tax\n", "total = price * amount| + tax", manual=True)


async def test_line_ends_are_the_files() -> None:
    completions, _, engine = await complete("def f(a):\n    $0\n", "b = a\n    return b\n", newline="\r\n")
    assert [c.insert for c in completions if c.shown] == ["    b = a\r\n    return b"]
    assert "\r" not in engine.requests[0].hole.prefix


async def test_the_selected_entry_is_extended() -> None:
    source = "import os\nos.pa$0\n"
    completions, text, engine = await complete(source, ".join(a, b)\n", selected=(13, 15, "path"))
    assert engine.requests[0].hole.typed == "os.path"
    assert seen(completions, text) == "os.path.join(a, b)|"


async def test_low_confidence_is_not_shown() -> None:
    completions, text, _ = await complete("x = $0\n", ScriptedAnswer("something\n", logprob=-3.0))
    assert seen(completions, text) == "(confidence: 0.05 per token, 0.35 wanted)"
    assert completions[0].text == "something"


UNSURE_END = ScriptedAnswer(
    "compute(first, second)\n",
    tokens=("compute", "(", "first", ",", " second", ")\n"),
    logprobs=(-0.1, -0.1, -0.1, -2.5, -4.0, -0.1),
)


async def test_an_end_that_is_not_sure_enough_is_left_out() -> None:
    completions, text, _ = await complete("x = $0\n", UNSURE_END)
    assert seen(completions, text) == "x = compute(first|"
    assert completions[0].shortened
    said = [v.detail for v in completions[0].gates if v.gate == "confidence"]
    assert said == ["9 characters left out that are not sure enough"]
    # The bracket that the editor closed keeps its partner.
    inner = replace(UNSURE_END, tokens=("compute", "(", "first", ",", " second", "))\n"))
    completions, text, _ = await complete("print($0)\n", inner)
    assert seen(completions, text) == "print(compute|)"


async def test_what_is_measured_or_one_of_several_stays_whole() -> None:
    engine = ScriptedEngine([UNSURE_END])
    pipeline = Pipeline(None, lambda: engine, lambda: Settings(completion_delay="none"))
    (measured,) = await pipeline.complete(Snapshot("main.py", "x = \n", 4), force=True)
    assert (measured.text, measured.shown) == ("compute(first, second)", False)
    (several,) = await pipeline.complete(Snapshot("main.py", "y = \n", 4), 3)
    assert (several.text, several.shown) == ("compute(first, second)", False)


async def test_what_was_rejected_as_a_whole_or_in_part_is_not_shown_in_part() -> None:
    for rejected in ("compute(first, second)", "compute(first"):
        engine = ScriptedEngine([UNSURE_END])
        pipeline = Pipeline(None, lambda engine=engine: engine, lambda: Settings(completion_delay="none"))
        pipeline.memory.reject("x = ", rejected)
        (found,) = await pipeline.complete(Snapshot("main.py", "x = \n", 4))
        assert not found.shown and found.gates[-1].gate == "rejected"


async def test_the_users_own_threshold_counts_for_beginnings_too() -> None:
    said = replace(UNSURE_END, logprobs=(-1.9, -1.9, -1.9, -5.0, -5.0, -5.0))
    completions, text, _ = await complete("x = $0\n", said)
    assert seen(completions, text).startswith("(confidence")
    settings = Settings(completion_delay="none", completion_threshold=0.1)
    completions, text, _ = await complete("x = $0\n", said, settings=settings)
    assert seen(completions, text) == "x = compute(first|"


async def test_asked_by_hand_all_of_it_is_shown() -> None:
    completions, text, _ = await complete("x = $0\n", UNSURE_END, manual=True)
    assert seen(completions, text) == "x = compute(first, second)|" and not completions[0].shortened


async def test_what_was_left_out_is_at_hand_when_the_rest_was_taken() -> None:
    engine = ScriptedEngine([UNSURE_END])
    settings = Settings(completion_delay="none")
    pipeline = Pipeline(None, lambda: engine, lambda: settings)
    (shown,) = await pipeline.complete(Snapshot("main.py", "x = \n", 4))
    await pipeline.prepare(Snapshot("main.py", "x = \n", 4), shown)
    (typed,) = await pipeline.complete(Snapshot("main.py", "x = compute\n", 11))
    assert (typed.shown, typed.source, typed.text) == (True, "cache", "(first")
    (after,) = await pipeline.complete(Snapshot("main.py", "x = compute(first\n", 17))
    assert not after.shown and after.text == ", second)"
    assert len(engine.requests) == 1


async def test_the_next_line_is_ready_when_a_suggestion_is_accepted() -> None:
    engine = ScriptedEngine(["compute(1)\n", "y = compute(2)\n", "not this\n"])
    settings = Settings(completion_delay="none")
    pipeline = Pipeline(None, lambda: engine, lambda: settings)
    first = Snapshot("a.py", "x = \n", 4)
    (shown,) = await pipeline.complete(first)
    await pipeline.prepare(first, shown)
    assert engine.requests[1].background and engine.requests[1].hole.typed == "x = compute(1)\n"
    assert engine.requests[1].hole.prefix == engine.requests[0].hole.prefix
    accepted = "x = compute(1)\n"
    (ready,) = await pipeline.complete(Snapshot("a.py", accepted + "\n", len(accepted)))
    assert (ready.text, ready.source) == ("y = compute(2)", "cache")
    assert len(engine.requests) == 2


async def test_a_compatible_decode_under_way_is_joined() -> None:
    engine = ScriptedEngine([ScriptedAnswer("compute(width, height)\n", delay_ms=20)])
    settings = Settings(completion_delay="none")
    pipeline = Pipeline(None, lambda: engine, lambda: settings)
    old = asyncio.create_task(pipeline.complete(Snapshot("a.py", "x = \n", 4)))
    await asyncio.sleep(0.05)
    old.cancel()
    (joined,) = await pipeline.complete(Snapshot("a.py", "x = comp\n", 8))
    assert joined.text == "ute(width, height)" and len(engine.requests) == 1 and engine.cancelled == []


async def test_a_decode_that_nobody_wants_is_cancelled() -> None:
    engine = ScriptedEngine([ScriptedAnswer("compute(width, height)\n", delay_ms=50)])
    settings = Settings(completion_delay="none")
    pipeline = Pipeline(None, lambda: engine, lambda: settings)
    task = asyncio.create_task(pipeline.complete(Snapshot("a.py", "x = \n", 4)))
    await asyncio.sleep(0.06)
    task.cancel()
    await asyncio.sleep(0.1)
    assert engine.cancelled == [1]
