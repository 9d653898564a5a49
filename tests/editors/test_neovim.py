"""The Neovim plugin alone: real Neovims, real keys and screens, a scripted server with exact answers and delays."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from nvim import ROOT, Nvim

from conftest import Fake, Start

LOOP = "for item in items:\n    total += item.price\n    count += 1"


def attached(vim: Nvim) -> Nvim:
    """Wait for the server, go to insert mode."""
    vim.wait(lambda: vim.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'graft_ls' })"), say="the server")
    vim.keys("i")
    return vim


def test_typed_shown_accepted_undone(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = sum(values)"})
    vim = attached(start(fake.setup()))
    vim.type("tot")
    assert vim.ghost() == "al = sum(values)"
    vim.on_screen("total = sum(values)")
    assert vim.lines() == ["tot"]
    vim.keys("<M-l>")
    assert vim.lines() == ["total = sum(values)"]
    assert vim.cursor() == (1, len("total = sum(values)"))
    assert vim.peek() is None
    vim.wait(lambda: fake.messages("workspace/executeCommand"))
    assert fake.messages("workspace/executeCommand")[0]["command"] == "graft.accepted"
    vim.keys("<Esc>u")
    assert vim.lines() == ["tot"], "accepting is one step for undo"


def test_typing_as_suggested_shrinks_it_without_asking(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = sum(values)"})
    vim = attached(start(fake.setup()))
    vim.type("t")
    vim.ghost("otal = sum(values)")
    asked = len(fake.messages("textDocument/inlineCompletion"))
    vim.type("otal = s")
    assert vim.ghost() == "um(values)"
    assert len(fake.messages("textDocument/inlineCompletion")) == asked
    vim.type("x")
    vim.wait(lambda: vim.peek() is None)
    vim.keys("<M-l>")
    assert vim.lines()[0].startswith("total = sx")
    assert "um(values)" not in vim.lines()[0]


def test_word_and_line(start: Start, fake: Fake) -> None:
    fake.script({"full": LOOP})
    vim = attached(start(fake.setup()))
    vim.type("f")
    vim.ghost()
    vim.on_screen("    total += item.price")
    seen = []
    for _ in range(5):
        vim.keys("<M-w>")
        seen.append(vim.lines())
    assert seen[:2] == [["for"], ["for item"]]
    assert vim.lines() == ["for item in items:"]
    vim.keys("<M-w>")
    assert vim.lines() == ["for item in items:", "    total"]
    vim.keys("<M-j>")
    assert vim.lines() == ["for item in items:", "    total += item.price"]
    assert vim.cursor() == (2, len("    total += item.price"))
    vim.wait(lambda: len(fake.messages("textDocument/didPartiallyAcceptCompletion")) == 7)
    vim.type("\n")
    assert vim.ghost() == "count += 1", "the line break came with the indentation that was suggested"
    vim.keys("<M-l>")
    assert "\n".join(vim.lines()) == LOOP


def test_another_text_while_the_answer_travels(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = sum(values)", "delay_ms": 400})
    vim = attached(start(fake.setup()))
    vim.type("tot")
    vim.wait(lambda: fake.messages("textDocument/inlineCompletion"))
    vim.type("X")
    vim.wait(lambda: fake.messages("$/cancelRequest"), say="the outdated request is cancelled")
    vim.keys("<M-l>")
    assert vim.lua("return vim.wait(700, function() return require('graft_ls').is_visible() end)") is False
    assert vim.lines() == ["totX"] or vim.lines() == ["totXl"]


def test_fitting_text_while_the_answer_travels(start: Start, fake: Fake) -> None:
    # The key comes between the request and its answer, before the plugin has seen the change.
    fake.script({"full": "total = sum(values)", "delay_ms": 100})
    vim = attached(start(fake.setup()))
    vim.type("tot")
    vim.type("al =", pause=0.05)
    assert vim.ghost() == " sum(values)"
    vim.keys("<M-l>")
    assert vim.lines() == ["total = sum(values)"]


def test_many_keys_and_delays_never_insert_anything_wrong(start: Start, fake: Fake) -> None:
    vim = attached(start(fake.setup("ghost_text = { debounce = 1 }")))
    random_source = random.Random(11)
    accepted = 0
    for trial in range(25):
        full = f"value_{trial} = compute(first, second)"
        fake.script({"full": full, "delay_ms": random_source.choice([0, 5, 30])})
        vim.command("stopinsert")
        vim.call("nvim_buf_set_lines", 0, 0, -1, True, [""])
        vim.keys("i")
        typed = ""
        for _ in range(random_source.randrange(3, 14)):
            key = full[len(typed)] if random_source.random() < 0.93 else "Z"
            typed += key
            vim.type(key, pause=random_source.choice([0, 0.003, 0.03]))
            if not full.startswith(typed):
                break
        vim.lua("vim.wait(...)", random_source.choice([1, 20, 60]))
        if vim.lua("return require('graft_ls').accept()"):
            assert vim.lines() == [full]
            accepted += 1
        else:
            assert vim.lines() == [typed]
    assert accepted > 5


def test_closed_pairs_are_replaced(start: Start, fake: Fake) -> None:
    fake.script({"full": "print(len(names))"})
    vim = attached(start(fake.setup() + "\nvim.keymap.set('i', '(', '()<Left>')"))
    vim.type("pri")
    vim.ghost("nt(len(names))")
    vim.type("nt(")
    assert vim.lines() == ["print()"]
    assert vim.ghost() == "len(names))"
    vim.on_screen("print(len(names))")
    vim.keys("<M-w>")
    assert vim.lines() == ["print(len)"]
    vim.on_screen("print(len(names))")
    vim.keys("<M-l>")
    assert vim.lines() == ["print(len(names))"]


def test_a_range_over_closers(start: Start, fake: Fake) -> None:
    fake.script({"full": "print(names, sep='')", "min": 6, "until": ")"})
    vim = attached(start(fake.setup() + "\nvim.keymap.set('i', '(', '()<Left>')"))
    vim.type("print(")
    assert vim.ghost() == "names, sep='')"
    vim.on_screen("print(names, sep='')")
    vim.keys("<M-l>")
    assert vim.lines() == ["print(names, sep='')"]
    assert vim.cursor() == (1, len("print(names, sep='')"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_position_encodings(start: Start, fake: Fake, encoding: str) -> None:
    fake.script({"full": "s = '😀é' + name"}, encoding=encoding)
    vim = attached(start(fake.setup()))
    vim.type("s = '😀é' ")
    assert vim.ghost() == "+ name"
    vim.keys("<M-l>")
    assert vim.lines() == ["s = '😀é' + name"]


def test_next_previous_dismiss(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1", "alternatives": ["total = 2", "other", "total = 3"]})
    vim = attached(start(fake.setup()))
    vim.type("to")
    assert vim.ghost() == "tal = 1"
    vim.keys("<M-n>")
    assert vim.ghost() == "tal = 2"
    vim.keys("<M-n>")
    assert vim.ghost() == "tal = 3", "the one that does not fit is left out"
    vim.keys("<M-n>")
    assert vim.ghost() == "tal = 1"
    vim.keys("<M-p>")
    assert vim.ghost() == "tal = 3"
    vim.keys("<M-e>")
    assert vim.peek() is None
    vim.wait(lambda: fake.messages("graft/didRejectCompletion"))
    assert fake.messages("graft/didRejectCompletion")[0]["item"]["insertText"] == "total = 3"
    vim.keys("<M-t>")
    assert vim.ghost() == "tal = 1"
    assert fake.messages("textDocument/inlineCompletion")[-1]["context"]["triggerKind"] == 1


def test_a_change_elsewhere_takes_it_away(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start(fake.setup()))
    vim.type("import os\nto")
    vim.ghost()
    vim.call("nvim_buf_set_lines", 0, 0, 0, True, ["# above"])
    assert not vim.lua("return require('graft_ls').accept()")
    assert vim.lines() == ["# above", "import os", "to"]


def test_leaving_insert_mode_clears(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start(fake.setup()))
    vim.type("to")
    vim.ghost()
    vim.keys("<Esc>")
    assert "total = 1" not in vim.screen.text()
    vim.keys("a")
    vim.keys("<M-t>")
    vim.ghost()


def test_tab_stays_tab(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start("vim.o.expandtab = true\nvim.o.shiftwidth = 4\nvim.o.softtabstop = 4\n" + fake.setup()))
    vim.type("to")
    vim.ghost()
    vim.keys("<Tab>")
    assert vim.lines() == ["to  "]


def test_tab_by_choice_accepts_only_what_is_visible(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start("vim.o.expandtab = true\nvim.o.tabstop = 4\n" + fake.setup("keys = { accept = '<Tab>' }")))
    vim.keys("<Tab>")
    assert vim.lines() == ["    "]
    vim.keys("<C-u>")
    vim.type("to")
    vim.ghost()
    vim.keys("<Tab>")
    assert vim.lines() == ["total = 1"]


@pytest.mark.parametrize(
    "mapping",
    [
        "vim.keymap.set('i', '<Tab>', 'MAPPED')",
        "vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ 'MAPPED' }, 'c', false, true) end)",
        "vim.keymap.set('i', '<Tab>', function() return 'MAPPED' end, { expr = true })",
        "vim.keymap.set('i', '<Plug>(mine)', 'MAPPED') vim.keymap.set('i', '<Tab>', '<Plug>(mine)', { remap = true })",
        "vim.cmd([[inoremap <expr> <Tab> 'MAP' .. 'PED']])",
    ],
)
def test_a_key_falls_back_to_its_mapping(start: Start, fake: Fake, mapping: str) -> None:
    vim = attached(start(mapping + "\n" + fake.setup("keys = { accept = '<Tab>' }")))
    vim.keys("<Tab>")
    vim.wait(lambda: vim.lines() == ["MAPPED"], say="what the key was mapped to")


def test_no_keys_at_all(start: Start, fake: Fake) -> None:
    vim = attached(start(fake.setup("keys = false")))
    maps = vim.call("nvim_buf_get_keymap", 0, "i")
    assert [m for m in maps if m.get("desc", "").startswith("Graft")] == []


def test_beside_an_open_menu(start: Start, fake: Fake) -> None:
    fake.script({"full": LOOP})
    vim = attached(start("vim.o.completeopt = 'menuone,noinsert,noselect'\n" + fake.setup()))
    vim.type("forty format\nfo")
    vim.ghost()
    vim.keys("<C-n>")
    vim.wait(lambda: vim.call("nvim_call_function", "pumvisible", []))
    vim.on_screen("forty")
    vim.wait(lambda: "for item in items:" in vim.screen.text())
    assert "count += 1" not in vim.screen.text(), "the lines below would fight with the menu"
    vim.keys("<C-y>")
    vim.wait(lambda: not vim.call("nvim_call_function", "pumvisible", []))
    assert vim.lines()[1].startswith("fo")


def test_macros_are_left_alone(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start(fake.setup()))
    vim.keys("<Esc>qqi")
    vim.type("to")
    assert vim.lua("return vim.wait(300, function() return require('graft_ls').is_visible() end)") is False
    vim.keys("<Esc>q")
    assert fake.messages("textDocument/inlineCompletion") == []


def test_snooze_and_toggle(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"}, status={"kind": "normal", "message": "", "busy": False})
    vim = attached(start(fake.setup()))
    vim.type("to")
    vim.ghost()
    vim.command("GraftLs snooze")
    assert vim.peek() is None
    assert vim.lua("return require('graft_ls').statusline()") == "Graft: snoozed 5 min"
    vim.type("t")
    assert vim.lua("return vim.wait(200, function() return require('graft_ls').is_visible() end)") is False
    vim.command("GraftLs snooze off")
    vim.type("a")
    vim.ghost("l = 1")
    vim.command("GraftLs toggle")
    assert vim.lua("return require('graft_ls').statusline()") == "Graft: off here"
    vim.command("GraftLs toggle")
    vim.keys("<BS>a")
    vim.ghost("l = 1")


def test_status(start: Start, fake: Fake) -> None:
    status = {"kind": "normal", "message": "indexing 12 of 40", "busy": True, "model": "tiny", "device": "cpu"}
    fake.script(status=status)
    vim = attached(start("vim.o.statusline = '%{v:lua.require(\"graft_ls\").statusline()}'\n" + fake.setup()))
    vim.on_screen("Graft: indexing 12 of 40 …")
    vim.command("GraftLs status")
    said = "Graft: indexing 12 of 40; tiny on cpu"
    vim.wait(lambda: said in vim.call("nvim_exec2", "messages", {"output": True})["output"])
    assert vim.lua("return require('graft_ls').status().model") == "tiny"
    candidates = vim.call("nvim_call_function", "getcompletion", ["GraftLs s", "cmdline"])
    assert candidates == ["snooze", "start", "stats", "status", "stop"]
    vim.command("GraftLs nonsense")
    vim.wait(lambda: "there is no :GraftLs nonsense" in vim.call("nvim_exec2", "messages", {"output": True})["output"])


def test_health_and_help(start: Start, fake: Fake, tmp_path: Path) -> None:
    vim = attached(start(fake.setup()))
    vim.keys("<Esc>")
    vim.command("checkhealth graft_ls")
    report = "\n".join(vim.lines())
    assert "positions in utf-16" in report
    assert "ERROR" not in report.replace("--version failed", "").split("client 1")[-1]
    shutil.copytree(ROOT / "clients/neovim/doc", tmp_path / "plugin/doc")
    vim.command(f"helptags {tmp_path / 'plugin/doc'}")
    vim.command(f"set rtp+={tmp_path / 'plugin'}")
    # Debian's package leaves out the parser that the file type plugin for help needs.
    vim.command("noautocmd help graft-ls-keys")
    assert "graft-ls.txt" in vim.call("nvim_buf_get_name", 0)


def test_start_stop_and_restart(start: Start, fake: Fake) -> None:
    vim = attached(start(fake.setup()))
    vim.keys("<Esc>")
    count = "return #vim.lsp.get_clients({ name = 'graft_ls' })"
    vim.command("GraftLs stop")
    vim.wait(lambda: vim.lua(count) == 0, say="no server")
    vim.command("GraftLs status")
    vim.wait(lambda: "no server is attached" in vim.call("nvim_exec2", "messages", {"output": True})["output"])
    vim.command("GraftLs start")
    vim.wait(lambda: vim.lua(count) == 1, say="the server again")
    first = vim.lua("return vim.lsp.get_clients({ name = 'graft_ls' })[1].id")
    vim.command("GraftLs restart")
    vim.wait(
        lambda: (
            vim.lua("local c = vim.lsp.get_clients({ name = 'graft_ls' })[1]; return c and c.id") not in (None, first)
        )
    )
    assert len(fake.messages("initialize")) == 3


def test_index_and_explain_ask_the_server(start: Start, fake: Fake) -> None:
    vim = attached(start(fake.setup()))
    vim.keys("<Esc>")
    for command in ("index", "explain"):
        vim.command(f"GraftLs {command}")
    vim.wait(lambda: len(fake.messages("workspace/executeCommand")) == 2)
    assert [m["command"] for m in fake.messages("workspace/executeCommand")] == ["graft.index", "graft.explain"]
    vim.wait(lambda: "no suggestion yet" in vim.call("nvim_exec2", "messages", {"output": True})["output"])


def test_beside_another_server(start: Start, fake: Fake, tmp_path: Path) -> None:
    """Each server hears its own: no request of ours goes to another, and its findings stay where they are."""
    fake.script({"full": "total = 1"})
    (tmp_path / "other").mkdir()
    other = Fake(tmp_path / "other")
    command = ", ".join(f"[==[{part}]==]" for part in other.command)
    beside = (
        f"vim.lsp.config('other', {{ cmd = {{ {command} }}, filetypes = {{ 'python' }} }})\nvim.lsp.enable('other')\n"
    )
    vim = attached(start(beside + fake.setup()))
    vim.wait(lambda: vim.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 2, say="two servers")
    vim.type("to")
    vim.ghost("tal = 1")
    vim.keys("<M-l>")
    assert vim.lines() == ["total = 1"]
    vim.lua("vim.diagnostic.set(vim.api.nvim_create_namespace('x'), 0, { { lnum = 0, col = 0, message = 'theirs' } })")
    vim.wait(lambda: fake.messages("graft/otherDiagnostics"))
    for method in ("textDocument/inlineCompletion", "graft/otherDiagnostics", "workspace/executeCommand"):
        assert other.messages(method) == []
    assert vim.lua("return #vim.diagnostic.get(0)") == 1


def test_a_crashed_server_comes_back(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start(fake.setup()))
    vim.type("t")
    vim.ghost()
    vim.lua(
        "local c = vim.lsp.get_clients({ name = 'graft_ls' })[1]; _G.first = c.id;"
        "for _, p in ipairs(vim.api.nvim_get_proc_children(vim.fn.getpid())) do vim.uv.kill(p, 'sigkill') end"
    )
    vim.wait(lambda: vim.lua("local c = vim.lsp.get_clients({ name = 'graft_ls' })[1]; return c and c.id ~= first"))
    vim.type("o")
    vim.keys("<CR><BS>")
    vim.wait(lambda: vim.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'graft_ls' })"))
    vim.keys("t")
    vim.ghost("al = 1")
    vim.keys("<M-l>")
    assert vim.lines()[0] == "total = 1"


def test_a_server_that_always_crashes_is_given_up_once(start: Start, fake: Fake) -> None:
    fake.script(crash=True)
    count = "local n = 0; for _, m in ipairs(said) do if m:find('stopped 5 times') then n = n + 1 end end; return n"
    watch = "_G.said = {} vim.notify = function(m) table.insert(said, m) end\n"
    quick = "require('graft_ls.client').restart_delay = (function(f) return function(t, n)"
    quick += " return f(t, n) and 10 end end)(require('graft_ls.client').restart_delay)\n"
    vim = start(watch + quick + fake.setup())
    vim.wait(lambda: vim.lua(count) == 1, timeout=30, say="the message")
    vim.lua("vim.wait(300)")
    assert vim.lua(count) == 1
    assert len(fake.messages("initialize")) == 5
    assert vim.lua("return require('graft_ls').statusline()") == "Graft: stopped"


@pytest.mark.parametrize("old", ["0.0.9", "nonsense"])
def test_an_old_server_is_refused_once(start: Start, fake: Fake, work: Path, old: str) -> None:
    fake.script({"full": "hello = 1"}, version=old)
    watch = "_G.said = {} vim.notify = function(m) table.insert(said, m) end\n"
    vim = start(watch + fake.setup())
    vim.wait(lambda: vim.lua("return #said") == 1, say="a message")
    assert f"version {old}" in vim.lua("return said")[0]
    vim.wait(lambda: vim.lua("return #vim.lsp.get_clients()") == 0, say="no server")
    vim.type("ihello")
    (work / "b.py").write_text("")
    vim.keys("<Esc>")
    vim.command("edit! b.py")
    vim.lua("vim.wait(300)")
    assert vim.lua("return require('graft_ls').statusline()") == "Graft: stopped"
    assert len(fake.messages("initialize")) == 1 and vim.lua("return #said") == 1
    assert fake.messages("textDocument/inlineCompletion") == []


def test_a_missing_server_is_said_once(start: Start, work: Path) -> None:
    watch = "_G.said = {} vim.notify = function(m) table.insert(said, m) end\n"
    vim = start(watch + "vim.env.PATH = '/nowhere'\nrequire('graft_ls').setup({})")
    (work / "b.py").write_text("")
    vim.command("edit b.py")
    vim.type("ihello")
    said = vim.lua("return said")
    assert len(said) == 1
    assert "the program graft was not found" in said[0]
    assert vim.lines() == ["hello"]


def test_wrong_settings_are_said_and_left_at_their_defaults(start: Start, fake: Fake) -> None:
    fake.script({"full": "total = 1"})
    watch = "_G.said = {} vim.notify = function(m) table.insert(said, m) end\n"
    options = "filetypes = 'python', nonsense = 1, ghost_text = { menu = 'all', debounce = 'x' }, keys = { jump = 'x' }"
    vim = attached(start(watch + fake.setup(options)))
    vim.type("to")
    vim.ghost("tal = 1")
    said = "\n".join(sorted(vim.lua("return said")))
    for part in ("filetypes must be a table", "no setting nonsense", "ghost_text.menu", "debounce", "no key keys.jump"):
        assert part in said


def test_buffers_that_are_no_files_get_no_server(start: Start, fake: Fake) -> None:
    vim = start(fake.setup(), file="")
    vim.command("enew")
    vim.command("set ft=python")
    vim.type("ihello")
    vim.keys("<Esc>")
    vim.command("edit fugitive://x.py")
    vim.command("set ft=python")
    vim.lua("vim.wait(300)")
    assert vim.lua("return #vim.lsp.get_clients()") == 0


def test_the_servers_settings_arrive(start: Start, fake: Fake) -> None:
    vim = attached(start(fake.setup("settings = { completion = { multiline = false } }")))
    vim.wait(lambda: fake.messages("workspace/didChangeConfiguration"))
    wanted = {"graft": {"completion": {"multiline": False}}}
    assert fake.messages("workspace/didChangeConfiguration")[0]["settings"] == wanted
    assert fake.messages("initialize")[0]["initializationOptions"] == wanted


def test_what_others_show_is_told_once_quiet(start: Start, fake: Fake) -> None:
    others = "graft/otherDiagnostics"
    vim = attached(start(fake.setup()))
    vim.type("s = '😀é'; x\n")
    show = """
        local at = { lnum = 0, col = 14, end_lnum = 0, end_col = 15, message = 'no x', code = 'F821', source = 'Ruff' }
        local own = { lnum = 0, col = 0, message = 'ours', source = 'graft' }
        vim.diagnostic.set(vim.api.nvim_create_namespace('linter'), 0, ... and { at, own } or {})
    """
    for _ in range(4):
        vim.lua(show, True)
    (told,) = vim.wait(lambda: fake.messages(others), say="what others show")
    (one,) = told["diagnostics"]
    assert told["uri"].endswith("/main.py")
    assert (one["message"], one["code"], one["source"]) == ("no x", "F821", "Ruff")
    assert one["range"] == {"start": {"line": 0, "character": 11}, "end": {"line": 0, "character": 12}}, "in UTF-16"
    vim.lua(show, True)
    vim.lua("vim.wait(500)")
    assert len(fake.messages(others)) == 1, "nothing new is not told again"
    vim.lua(show, False)
    vim.wait(lambda: len(fake.messages(others)) == 2)
    assert fake.messages(others)[1]["diagnostics"] == []


@pytest.mark.parametrize(("file", "language"), [("app.ts", "typescript"), ("main.go", "go"), ("run.sh", "sh")])
def test_other_languages_start_the_server(
    start: Start, fake: Fake, work: Path, version: str, file: str, language: str
) -> None:
    if version == "0.11" and file != "app.ts":
        return  # the file types are the same
    (work / file).write_text("\n")
    (work / "notes.txt").write_text("hello\n")
    vim = start("vim.cmd('filetype on')\n" + fake.setup(), file="notes.txt")
    vim.lua("vim.wait(300)")
    assert vim.lua("return #vim.lsp.get_clients()") == 0, "a text file starts nothing"
    vim.command(f"edit {file}")
    attached(vim)
    opened = vim.wait(lambda: fake.messages("textDocument/didOpen"))[0]["textDocument"]
    assert opened["languageId"] == language


def test_install_with_vim_pack_from_the_subfolder(start: Start, version: str, fake: Fake, tmp_path: Path) -> None:
    if version == "0.11":
        return  # vim.pack is new in 0.12
    origin = tmp_path / "origin"
    shutil.copytree(ROOT / "clients/neovim", origin / "clients/neovim")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "plugin"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *identity, *arguments], cwd=origin, check=True)
    text = (ROOT / "clients/neovim/README.md").read_text("utf-8")
    (lines,) = [
        block.split("```")[0] for block in text.split("```lua\n")[1:] if "vim.pack.add" in block.split("```")[0]
    ]
    lines = lines.replace("REPOSITORY", f"file://{origin}").replace(
        "load = function", "confirm = false, load = function"
    )
    lines = lines.replace('require("graft_ls").setup({})', "")
    vim = attached(start(lines + fake.setup(), plugin=False))
    vim.keys("<Esc>")
    vim.command("GraftLs status")


LAZY = """
-- What lazy.nvim does with one plugin, by its documentation (it is in no registry that these tests may use).
local function lazy(spec, cloned)
  local plugin = { name = spec.name, dir = spec.dir or cloned }
  vim.opt.rtp:append(plugin.dir)
  if spec.config then
    spec.config(plugin, spec.opts or {})
  else
    vim.cmd.source(plugin.dir .. "/plugin/graft_ls.lua")
    require(spec.main).setup(spec.opts)
  end
end
"""


@pytest.mark.parametrize("kind", ["dir =", "url ="])
def test_the_lines_for_lazy_nvim(start: Start, fake: Fake, kind: str) -> None:
    text = (ROOT / "clients/neovim/README.md").read_text("utf-8")
    blocks = [part.split("```")[0] for part in text.split("```lua\n")[1:]]
    (spec,) = [block for block in blocks if block.startswith("{") and kind in block]
    spec = spec.replace("/path/to/graft", str(ROOT)).replace("opts = {}", "opts = OPTIONS")
    spec = spec.replace("setup({})", "setup(OPTIONS)")
    options = fake.setup().removeprefix("require('graft_ls').setup(").removesuffix(")")
    vim = attached(start(f"{LAZY}\nlocal OPTIONS = {options}\nlazy({spec}, [[{ROOT}]])", plugin=False))
    vim.keys("<Esc>")
    vim.command("GraftLs status")


def test_a_path_with_blanks_emoji_and_a_quote(start: Start, fake: Fake, work: Path) -> None:
    fake.script({"full": "total = 1"})
    folder = work / "a b '😀 %41#"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("")
    (folder / "main.py").write_text("")
    vim = start(fake.setup(), file="")
    vim.lua("vim.cmd.edit(vim.fn.fnameescape(...))", str(folder / "main.py"))
    attached(vim)
    vim.type("to")
    vim.ghost("tal = 1")
    root = fake.messages("initialize")[0]["rootUri"]
    assert fake.messages("textDocument/didOpen")[0]["textDocument"]["uri"] == root + "/main.py"
    assert vim.lua("return vim.uri_to_fname(...)", root) == str(folder)


def test_fifty_thousand_lines(start: Start, fake: Fake, work: Path) -> None:
    fake.script({"full": "total = 1"})
    (work / "main.py").write_text("x = 1\n" * 50_000)
    vim = attached(start(fake.setup()))
    vim.keys("<Esc>Go")
    vim.type("to")
    vim.ghost("tal = 1")
    vim.keys("<M-l>")
    assert vim.line() == "total = 1"
    assert len(vim.lines()) == 50_001


def test_a_file_deleted_outside(start: Start, fake: Fake, work: Path) -> None:
    fake.script({"full": "total = 1"})
    vim = attached(start(fake.setup()))
    (work / "main.py").unlink()
    vim.type("to")
    vim.ghost("tal = 1")
    vim.keys("<M-l><Esc>")
    vim.command("write")
    assert (work / "main.py").read_text() == "total = 1\n"


def test_two_windows_on_one_buffer_and_a_diff(start: Start, fake: Fake, work: Path) -> None:
    fake.script({"full": "total = 1"})
    (work / "old.py").write_text("total = 0\n")
    vim = attached(start(fake.setup()))
    vim.keys("<Esc>")
    vim.command("split")
    vim.command("vert diffsplit old.py")
    vim.command("wincmd p")
    vim.keys("i")
    vim.type("to")
    vim.ghost("tal = 1")
    vim.keys("<M-l>")
    assert vim.line() == "total = 1"


def test_a_server_that_speaks_garbage(start: Start, work: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.sh"
    garbage.write_text("#!/bin/sh\necho 'hello, this is no protocol'\ncat >/dev/null\n")
    garbage.chmod(0o755)
    watch = "_G.said = {} vim.notify = function(m) table.insert(said, m) end\n"
    vim = start(watch + f"require('graft_ls').setup({{ cmd = {{ [[{garbage}]] }} }})")
    vim.type("ihello")
    vim.lua("vim.wait(500)")
    assert vim.lines() == ["hello"]
    assert len(vim.lua("return said")) <= 2
