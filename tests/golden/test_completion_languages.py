"""The catalogue of completion in other languages than Python: what the model says, and what must be shown.

`|` is where the suggestion ends; the rest of the line is what the document keeps.  Each feature stands for all six.
"""

import pytest

from graft_testing.completing import complete, seen

FILES = {
    "python": "main.py",
    "typescript": "main.ts",
    "go": "main.go",
    "rust": "main.rs",
    "c": "main.c",
    "java": "Main.java",
}


async def check(language: str, source: str, said: str, expected: str, *, newline: str = "\n") -> None:
    header = f"//- /{FILES[language]}\n"
    completions, text, _ = await complete(header + source, said, language=language, newline=newline)
    assert seen(completions, text).replace("\r", "") == expected


@pytest.mark.parametrize(
    ("language", "source", "said", "expected"),
    [
        # -- brackets
        ("python", "x = f($0\n", "a, [1])\n", "x = f(a, [1])|"),
        ("typescript", "const x = f($0\n", "a, [1]);\n", "const x = f(a, [1]);|"),
        ("go", "x := f($0\n", "a, m[1])\n", "x := f(a, m[1])|"),
        ("rust", "let x = f($0\n", "a, v[1]);\n", "let x = f(a, v[1]);|"),
        ("c", "int x = f($0\n", "a, v[1]);\n", "int x = f(a, v[1]);|"),
        ("java", "int x = f($0\n", "a, v[1]);\n", "int x = f(a, v[1]);|"),
        # one closer too many is cut
        ("typescript", "const x = f($0)\n", "a))\n", "const x = f(a)|"),
        ("go", "x := f($0)\n", "a))\n", "x := f(a)|"),
        ("rust", "let x = f($0);\n", "a));\n", "let x = f(a)|;"),
        ("c", "int x = f($0);\n", "a));\n", "int x = f(a)|;"),
        ("java", "int x = f($0);\n", "a));\n", "int x = f(a)|;"),
        # -- auto-closed pairs are covered, whatever was closed
        ("typescript", "foo(bar($0))\n", "a, b));\n", "foo(bar(a, b));|"),
        ("go", "foo(bar($0))\n", "a, b))\n", "foo(bar(a, b))|"),
        ("rust", "foo(bar($0))\n", "a, b));\n", "foo(bar(a, b));|"),
        ("c", "foo(bar($0))\n", "a, b));\n", "foo(bar(a, b));|"),
        ("java", "foo(bar($0))\n", "a, b));\n", "foo(bar(a, b));|"),
        ("typescript", "const a = [$0]\n", "1, 2];\n", "const a = [1, 2];|"),
        ("rust", "let a = [$0];\n", "1, 2\n", "let a = [1, 2|];"),
        # -- quotes
        ("python", "x = d['$0']\n", "key']\n", "x = d['key']|"),
        ("typescript", 'const s = "$0"\n', 'hello";\n', 'const s = "hello";|'),
        ("typescript", "const s = `$0`\n", "a${b}`;\n", "const s = `a${b}`;|"),
        ("go", 'fmt.Println("$0")\n', 'hello")\n', 'fmt.Println("hello")|'),
        ("rust", 'println!("$0");\n', 'it\'s {}", x);\n', 'println!("it\'s {}", x);|'),
        ("c", 'puts("$0");\n', 'hello");\n', 'puts("hello");|'),
        ("java", 'System.out.println("$0");\n', 'hello");\n', 'System.out.println("hello");|'),
        # the brace of a block that begins is not the middle of a line
        ("typescript", "if (f($0)) {\n}\n", "abc)) {\n", "if (f(abc|)) {"),
        ("go", "if f($0) {\n}\n", "abc) {\n", "if f(abc|) {"),
        ("java", "while ($0) {\n}\n", "a < b) {\n", "while (a < b|) {"),
        # a lifetime, a character and an apostrophe are no open strings
        ("rust", "fn f<'a>(x: &'a str) -> $0 {\n", "&'a str\n", "fn f<'a>(x: &'a str) -> &'a str| {"),
        ("c", "if (c == '\\'' || c == $0)\n", "'(')\n", "if (c == '\\'' || c == '(')|"),
        ("java", "char c = '('; foo($0);\n", "c);\n", "char c = '('; foo(c);|"),
        ("go", "r := '('; foo($0)\n", "r)\n", "r := '('; foo(r)|"),
        # brackets in strings and comments do not count
        ("typescript", 'const s = "(" + f($0)\n', "a)\n", 'const s = "(" + f(a)|'),
        ("go", 's := "((" + f($0)\n', "a)\n", 's := "((" + f(a)|'),
        ("c", "/* ( */ foo($0);\n", "a);\n", "/* ( */ foo(a);|"),
        ("c", "#define F(x) foo($0)\n", "(x))\n", "#define F(x) foo((x))|"),
        # a line may lack its semicolon, or be the head of a block
        ("c", "int f(int a) {\n    while ($0\n}\n", "a > 0)\n", "    while (a > 0)|"),
        ("java", "class A {\n  int f() {\n    return $0\n  }\n}\n", "a + b\n", "    return a + b|"),
        ("rust", "fn f() {\n    if $0\n}\n", "a > 0 {\n        b();\n    }\n",
         "    if a > 0 {\n        b();\n    }|"),
        ("c", "int f(void) {\n    $0\n}\n", "int = = 3;\n", "(parses: does not parse here)"),
        ("go", "func f() {\n\t$0\n}\n", "x := := 1\n", "(parses: does not parse here)"),
        # -- indentation: the file's own, whatever the model writes
        ("typescript", "function f() {\n  const a = 1;\n  $0\n}\n", "const b = 2;\n}\n", "  const b = 2;|"),
        ("go", "func f() {\n\tif a {\n\t\t$0\n\t}\n}\n", "b()\n        c()\n    }\n", "\t\tb()\n\t\tc()|"),
        ("rust", "fn f() {\n    if a {\n        $0\n    }\n}\n", "b();\n    }\n}\n", "        b();|"),
        ("c", "int f() {\n\tint a = 1;\n\t$0\n}\n", "return a;\n}\n", "\treturn a;|"),
        ("java", "class A {\n\tvoid f() {\n\t\t$0\n\t}\n}\n", "b();\n\t}\n", "\t\tb();|"),
        ("c", "void f() {\n    if (a) {  // note\n$0\n}\n", "    } else {\n", "    } else {|"),
        ("c", "void f() {\n    if (a) {  // note\n        b();\n    $0\n}\n", "    } else {\n", "    } else {|"),
        # tabs in a block where the model writes spaces
        ("go", "func f() int {\n\t$0\n}\n", "if a {\n        return 1\n    }\n    return 2\n}\n",
         "\tif a {\n\t\treturn 1\n\t}\n\treturn 2|"),
        ("c", "int f(void) {\n\t$0\n}\n", "if (a) {\n        return 1;\n    }\n    return 2;\n}\n",
         "\tif (a) {\n\t\treturn 1;\n\t}\n\treturn 2;|"),
        # a block ends where its scope ends
        ("typescript", "function f() {\n  $0\n}\n", "return 1;\n}\n\nfunction g() {\n}\n", "  return 1;|"),
        ("rust", "fn f() -> i32 {\n    $0\n}\n", "let x = 1;\n    x\n}\n\nfn g() {}\n", "    let x = 1;\n    x|"),
        ("java", "class A {\n    int f() {\n        $0\n    }\n}\n", "int a = 1;\n        return a;\n    }\n",
         "        int a = 1;\n        return a;|"),
        # -- comments
        ("typescript", "const a = 1; // no$0\n", "te\n", "(gate: in a comment)"),
        ("typescript", "/* a\n * b$0\n */\n", "c\n", "(gate: in a comment)"),
        ("go", "// no$0\n", "te\n", "(gate: in a comment)"),
        ("rust", "/// do$0\nfn f() {}\n", "cs\n", "(gate: in a comment)"),
        ("c", "int a; /* no$0\n", "te */\n", "(gate: in a comment)"),
        ("c", "#include $0\n", "<stdio.h>\n", "#include <stdio.h>|"),
        ("java", "/** A\n * b$0\n */\n", "c\n", "(gate: in a comment)"),
        ("java", 'String s = "// no" + $0\n', "other;\n", 'String s = "// no" + other;|'),
        ("typescript", "const s = 'http://a' + $0\n", "b;\n", "const s = 'http://a' + b;|"),
        # a remark of the model's own is not wanted, a comment inside a block is
        ("python", "x = 1  $0\n", "# the answer\n", "(comment: cut 12 characters)"),
        ("python", "x = $0\n", "compute()  # the answer\n", "x = compute()|"),
        ("python", "x = $0\n", "'# no comment'\n", "x = '# no comment'|"),
        ("python", "def f():\n    $0\n", "x = 1\n    # then\n    return x\n", "    x = 1\n    # then\n    return x|"),
        ("go", "x := $0\n", "compute() // the answer\n", "x := compute()|"),
        ("c", "int x = $0\n", "f(a / b); /* why */\n", "int x = f(a / b);|"),
        ("typescript", "$0\n", "// TODO\n", "(comment: cut 7 characters)"),
        # -- strings
        ("go", 's := "a $0"\n', 'word"\n', 's := "a word"|'),
        ("rust", 'let s = "a $0";\n', 'word";\n', 'let s = "a word";|'),
        # -- decorators, annotations, attributes
        ("python", "@$0\nclass A: pass\n", "dataclass\n", "@dataclass|"),
        ("typescript", "@$0\nclass A {}\n", "Component({})\n", "@Component({})|"),
        ("rust", "#[$0]\nstruct A;\n", "derive(Debug)]\n", "#[derive(Debug)]|"),
        ("java", "class A {\n  @$0\n  void f() {}\n}\n", "Override\n", "  @Override|"),
        # -- mid-word: from the word's start on, what is typed stays
        ("typescript", "const total = comp$0\n", "ute(a);\n", "const total = compute(a);|"),
        ("go", "total := comp$0\n", "ute(a)\n", "total := compute(a)|"),
        ("rust", "let total = comp$0\n", "ute(a);\n", "let total = compute(a);|"),
        ("c", "int total = comp$0\n", "ute(a);\n", "int total = compute(a);|"),
        ("java", "int total = comp$0\n", "ute(a);\n", "int total = compute(a);|"),
        ("go", "total := com$0pute\n", "x\n", "(gate: in the middle of a line)"),
        # -- what stands below is not said again
        ("typescript", "const a = 1;\n$0\nconst b = 2;\n", "const b = 2;\n", "(duplicate: cut 12 characters)"),
        ("go", "func f() {\n\ta()\n\t$0\n\tb()\n}\n", "b()\n}\n", "(duplicate: cut 3 characters)"),
        ("c", "int f() {\n    a();\n    $0\n    return 1;\n}\n", "return 1;\n}\n", "(duplicate: cut 9 characters)"),
        # a closing brace that stands there is not closed twice
        ("typescript", "if (a) {\n  b();\n$0}\n", "}\n", "(length: too short to be worth a look)"),
        ("java", "void f() {\n    b();\n$0}\n", "}\n}\n", "(length: too short to be worth a look)"),
        # -- emoji before the cursor, empty files
        ("typescript", "const s = '😀' + $0\n", "other;\n", "const s = '😀' + other;|"),
        ("go", 's := "😀" + $0\n', "other\n", 's := "😀" + other|'),
        ("rust", 'let s = "😀".to_string() + $0\n', "other;\n", 'let s = "😀".to_string() + other;|'),
        ("c", 'char *s = "😀"; f($0\n', "s);\n", 'char *s = "😀"; f(s);|'),
        ("java", 'String s = "😀" + $0\n', "other;\n", 'String s = "😀" + other;|'),
        ("typescript", "$0", 'import a from "a";\n', 'import a from "a";|'),
        ("go", "$0", "package main\n", "package main|"),
        ("rust", "$0", "use std::fs;\n", "use std::fs;|"),
        ("c", "$0", "#include <stdio.h>\n", "#include <stdio.h>|"),
        ("java", "$0", "package a;\n", "package a;|"),
        # -- special tokens, secrets
        ("go", "x := $0\n", "value<|endoftext|>rest\n", "x := value|"),
        ("c", "x = $0\n", "'ghp_0123456789abcdefghijABCDEFGHIJ012345';\n", "(secrets: looks like a secret)"),
    ],
)  # fmt: skip
async def test_what_is_shown(language: str, source: str, said: str, expected: str) -> None:
    await check(language, source, said, expected)


@pytest.mark.parametrize(
    ("language", "source", "said", "expected"),
    [
        ("typescript", "function f() {\n  $0\n}\n", "a();\n  b();\n}\n", "  a();\n  b();|"),
        ("go", "func f() {\n\t$0\n}\n", "a()\n\tb()\n}\n", "\ta()\n\tb()|"),
        ("rust", "fn f() {\n    $0\n}\n", "a();\n    b();\n}\n", "    a();\n    b();|"),
        ("c", "void f() {\n    $0\n}\n", "a();\n    b();\n}\n", "    a();\n    b();|"),
        ("java", "void f() {\n    $0\n}\n", "a();\n    b();\n}\n", "    a();\n    b();|"),
    ],
)
async def test_line_ends_are_the_files(language: str, source: str, said: str, expected: str) -> None:
    await check(language, source, said, expected, newline="\r\n")


@pytest.mark.parametrize(
    ("language", "line", "said", "expected"),
    [
        ("typescript", "fs.re", "Sync(a);\n", "fs.readFileSync(a);|"),
        ("go", "os.Re", "(a)\n", "os.readFile(a)|"),
        ("rust", "fs.re", "(a);\n", "fs.readFile(a);|"),
        ("c", "fs_re", "(a);\n", "readFile(a);|"),
        ("java", "fs.re", "(a);\n", "fs.readFile(a);|"),
    ],
)
async def test_the_selected_entry_is_extended(language: str, line: str, said: str, expected: str) -> None:
    start = line.rfind(".") + 1
    source = f"//- /{FILES[language]}\n{line}$0\n"
    name = "readFile"
    completions, text, engine = await complete(source, said, language=language, selected=(start, len(line), name))
    assert engine.requests[0].hole.typed == line[:start] + name
    assert seen(completions, text) == expected
