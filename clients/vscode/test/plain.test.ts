import assert from "node:assert/strict";
import { test } from "node:test";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { chosenOf, type Levels, switchedOff } from "../src/chosen";
import { withoutDuplicates } from "../src/duplicates";
import { findPython, installSteps, pipProgress, runSteps, wheelSource } from "../src/install";
import { servedLanguages } from "../src/languages";
import { locate, type Machine, type Places } from "../src/locate";
import { type Foreign, Others } from "../src/others";
import { applyDiff } from "../src/patch";
import { Said, startProcess } from "../src/process";
import { awake, choices, minutesLeft, snoozed } from "../src/snooze";
import { type Here, older, restartDelay, type ServerStatus, shown, type View } from "../src/state";

const machine = (...files: string[]): Machine => ({
  platform: "linux",
  path: "/usr/bin:relative/bin:/w/bin",
  executable: (file) => files.includes(file),
});
const places = (change: Partial<Places> = {}): Places => ({
  userSetting: "",
  privateEnvironment: "/storage/environment",
  folders: ["/w"],
  trusted: false,
  ...change,
});

test("the user's setting wins, and a wrong one is said rather than passed over", () => {
  const all = machine("/my/graft", "/storage/environment/bin/graft");
  assert.deepEqual(locate(places({ userSetting: "/my/graft" }), all), { command: "/my/graft", source: "setting" });
  assert.ok("missing" in locate(places({ userSetting: "/nothing" }), all));
});

test("an untrusted workspace cannot supply the program", () => {
  const inside = machine("/w/.venv/bin/graft", "/w/bin/graft", "relative/bin/graft");
  assert.ok("missing" in locate(places(), inside));
  assert.deepEqual(locate(places({ trusted: true }), machine("/w/.venv/bin/graft")), {
    command: "/w/.venv/bin/graft",
    source: "workspace environment",
  });
});

test("the private environment comes before PATH", () => {
  const found = locate(places(), machine("/usr/bin/graft", "/storage/environment/bin/graft"));
  assert.deepEqual(found, { command: "/storage/environment/bin/graft", source: "private environment" });
});

const here: Here = { language: "python", uri: "file:///a.py", off: "" };
const status = (change: Partial<ServerStatus> = {}): ServerStatus => ({
  kind: "normal", message: "", busy: false, model: "", device: "", state: "ready", done: 0, total: 0, ...change,
});
const view = (change: Partial<View> = {}): View => ({
  phase: "running", reason: "", version: "0.1.0", status: status(), details: undefined, snooze: awake, ...change,
});

test("snoozing ends by itself, and may be for one language or file", () => {
  assert.ok(snoozed({ ...awake, until: 100 }, "python", "a", 50));
  assert.ok(!snoozed({ ...awake, until: 100 }, "python", "a", 150));
  assert.ok(snoozed({ ...awake, files: ["a"] }, "python", "a", 0));
  assert.ok(!snoozed({ ...awake, languages: ["go"] }, "python", "a", 0));
  assert.equal(minutesLeft({ ...awake, until: 100_000 }, 0), 2);
  assert.equal(minutesLeft({ ...awake, until: Infinity }, 0), 0);
});

test("every way to snooze is offered, and those for a document only with one", () => {
  assert.deepEqual(choices(awake, undefined, 0).map((choice) => choice.label), ["For 5 minutes", "For 1 hour", "Until restart"]);
  const made = choices(awake, { language: "python", uri: "a" }, 0).map((choice) => choice.snooze);
  assert.deepEqual(made.map((snooze) => [snooze.until, ...snooze.languages, ...snooze.files]), [
    [300_000], [3_600_000], [Infinity], [0, "python"], [0, "a"],
  ]);
});

test("every state has a word of its own", () => {
  const states = ["ready", "indexing", "loading", "no-model", "graph-only", "restarting", "restarted", "snoozed", "off"] as const;
  const texts = states.map((state) => shown(view({ status: status({ state }) }), here, 0).text);
  for (const phase of ["missing", "starting", "stopped", "outdated"] as const) texts.push(shown(view({ phase }), here, 0).text);
  assert.equal(new Set(texts).size, states.length + 4);
  assert.match(shown(view({ status: status({ state: "indexing", done: 3, total: 9 }) }), here, 0).text, /indexing 3 of 9$/);
  assert.match(shown(view({ snooze: { ...awake, until: 120_000 } }), here, 0).text, /snoozed 2 min$/);
  assert.match(shown(view(), { ...here, off: "not here" }, 0).text, /off here$/);
});

test("the tooltip says model, speed, index and today, and no name in it becomes Markdown", () => {
  const details = { folders: [{ root: "/w", files: 12, ready: true }], tokens_per_second: 900, today: { offered: 4, accepted: 1, characters_accepted: 30 } };
  const { tooltip } = shown(view({ status: status({ model: "my_[model](x)", device: "cpu" }), details }), here, 0);
  for (const part of ["my\\_\\[model\\]\\(x\\) on cpu", "900 tokens", "12 files", "1 of 4 suggestions taken, 30 characters"]) {
    assert.ok(tooltip.includes(part), `${part} in ${tooltip}`);
  }
});

test("a crashing server is started four times, then no more", () => {
  const crashes: number[] = [];
  const delays: (number | null)[] = [];
  for (let n = 0; n < 6; n++) {
    crashes.push(n * 1000);
    delays.push(restartDelay(crashes, n * 1000));
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, null, null]);
  assert.equal(restartDelay([0, 1, 2, 3, 4, 400_000], 400_000), 500);
});

test("versions are compared by their numbers", () => {
  assert.deepEqual(
    [older("0.0.9", "0.1.0"), older("0.1.0", "0.1.0"), older("0.10.0", "0.9.9"), older("", "0.1.0"), older("0.1.0rc1", "0.1.0")],
    [true, false, false, true, false],
  );
});

test("findings that another provider shows at the same place are left out", () => {
  const at = (start: number, end: number, source: string, severity = 0) => ({ line: 1, start, end, source, severity });
  const ours = [at(0, 5, "graft"), at(8, 9, "graft")];
  assert.deepEqual(withoutDuplicates(ours, [at(4, 6, "Pylance")], "auto"), [ours[1]]);
  assert.deepEqual(withoutDuplicates(ours, [at(4, 6, "Pylance", 3)], "auto"), ours);
  assert.deepEqual(withoutDuplicates(ours, [at(4, 6, "Pylance", 3)], "on"), [ours[1]]);
  assert.deepEqual(withoutDuplicates(ours, [at(4, 6, "Pylance")], "off"), ours);
});

test("installing from a folder of wheels never asks an index", () => {
  const [, install] = installSteps("python3", "/e", { wheels: "/wheels", engine: false }, "linux");
  assert.deepEqual(install?.args.slice(-4), ["--no-index", "--find-links", "/wheels", "graft-ls"]);
});

test("a folder without Graft's wheel is refused, one without the engine's is taken", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "wheels-"));
  await assert.rejects(wheelSource(folder), /no wheel of Graft/);
  fs.writeFileSync(path.join(folder, "graft_ls-0.1.0-py3-none-any.whl"), "");
  assert.deepEqual(await wheelSource(folder), { wheels: folder, engine: false });
  fs.writeFileSync(path.join(folder, "llama_cpp_python-0.3.36-py3-none-linux_x86_64.whl"), "");
  assert.equal((await wheelSource(folder)).engine, true);
  fs.rmSync(folder, { recursive: true });
});

test("pip's lines become progress", () => {
  assert.equal(pipProgress("Processing /w/graft_ls-0.1.0-py3-none-any.whl (from x)"), "reading graft_ls");
  assert.equal(pipProgress("  Downloading numpy-2.1.0-cp311.whl (16.3 MB)"), "downloading numpy, 16.3 MB");
  assert.equal(pipProgress("  Building wheel for llama-cpp-python (pyproject.toml): started"), "compiling llama-cpp-python (minutes, the first time)");
  assert.equal(pipProgress("Requirement already satisfied: x"), undefined);
});

test("without a Python that is new enough it is said what to install", async () => {
  await assert.rejects(findPython(["/nothing/python3"], () => {}), /no Python 3\.11 or newer/);
});

test("a failing step ends the installation with one line", async () => {
  const steps = [{ title: "Trying", command: process.execPath, args: ["-e", "console.error('no space left'); process.exit(3)"] }];
  const lines: string[] = [];
  await assert.rejects(runSteps(steps, (l) => lines.push(l), () => {}, new AbortController().signal), /Trying failed \(status 3\): no space left/);
});

test("the server's log keeps its levels, and a traceback the level of its message", () => {
  const lines: string[] = [];
  const said = new Said((level, line) => lines.push(`${level} ${line}`));
  said.take("2026-01-01 10:00:00,123 WARNING graft.x: careful\n2026-01-01 10:00:00,124 ERROR graft.y: br");
  said.take("oken\nTraceback\nValueError: no\n");
  assert.deepEqual(lines, ["warn graft.x: careful", "error graft.y: broken", "error Traceback", "error ValueError: no"]);
  assert.equal(said.last, "ValueError: no");
});

test("the end of a process has one reason, also if it never began", async () => {
  const ended = startProcess(process.execPath, ["-e", "console.error('ImportError: x'); process.exit(2)"], "/", () => {}).ended;
  assert.equal((await ended).reason, "ended with status 2: ImportError: x");
  assert.match((await startProcess("/nothing/graft", [], "/", () => {}).ended).reason, /ENOENT/);
});

const DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n@@ -5 +5,2 @@\n five\n+six\n";

test("a patch is applied where its lines are, and nowhere else", () => {
  assert.equal(applyDiff("one\ntwo\nthree\nfour\nfive\n", DIFF, "x.py"), "one\nTWO\nthree\nfour\nfive\nsix\n");
  assert.equal(applyDiff("one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n", DIFF, "x.py"), "one\r\nTWO\r\nthree\r\nfour\r\nfive\r\nsix\r\n");
  assert.equal(applyDiff("untouched\n", DIFF, "y.py"), "untouched\n");
  assert.throws(() => applyDiff("one\n2\nthree\nfour\nfive\n", DIFF, "x.py"), /has changed since/);
});

test("what is no message of the protocol is noticed at once", async () => {
  const running = startProcess(process.execPath, ["-e", "console.log('Hello, I am a shell'); setTimeout(() => {}, 60000)"], "/", () => {});
  await running.ended;
  assert.equal(running.complaint, 'wrote what is no message of the protocol: "Hello, I am a shell"');
});

test("what starts the extension is what it serves", () => {
  assert.deepEqual(servedLanguages({ activationEvents: ["onLanguage:python", "onCommand:x", "onLanguage:go"] }), ["python", "go"]);
});

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const finding = (message: string): Foreign => ({
  range: { start: { line: 0, character: 0 }, end: { line: 0, character: 1 } }, message,
});

test("others' findings are sent when they are quiet, once each, and only of open documents", async () => {
  const shown = new Map<string, Foreign[]>([["a", []]]);
  const sent: [string, string[]][] = [];
  const others = new Others({ found: (uri) => shown.get(uri), send: (uri, found) => sent.push([uri, found.map((one) => one.message)]) }, 20);
  others.changed("a"); // Nothing there: nothing to say.
  others.changed("closed");
  await pause(60);
  shown.set("a", [finding("x")]);
  for (let n = 0; n < 5; n++) others.changed("a");
  await pause(60);
  others.changed("a");
  await pause(60);
  assert.deepEqual(sent, [["a", ["x"]]]);
  shown.set("a", []);
  others.changed("a");
  await pause(60);
  assert.deepEqual(sent.slice(1), [["a", []]]);
  shown.set("a", [finding("x")]);
  others.changed("a");
  others.clear(); // The server went: what waits is not sent, and the next one is told all.
  await pause(60);
  assert.equal(sent.length, 2);
  others.changed("a");
  await pause(60);
  assert.deepEqual(sent.slice(2), [["a", ["x"]]]);
});

test("a setting of an earlier version counts in a workspace too, an unknown one only in one's own settings", () => {
  const set: Record<string, Levels> = {
    "completion.enable": { workspaceValue: false },
    "completion.maxTokens": { globalValue: 10, workspaceValue: 20, workspaceFolderValue: 30 },
    "completion.context": { globalValue: true, workspaceValue: false },
    "completion.unheardOf": { globalValue: 1, workspaceValue: 2 },
    "model.unheardOf": { workspaceValue: "/tmp/evil" },
    "server.path": { globalValue: "/my/graft" },
  };
  const sent = chosenOf(["completion.context", "log.level", "server.path"], Object.keys(set), (name) => set[name]);
  assert.deepEqual(sent, {
    "completion.enable": false, "completion.maxTokens": 30, "completion.context": false, "completion.unheardOf": 1,
  });
});

test("suggestions are off by today's setting and by the one that it has replaced, the closest level first", () => {
  const off = (levels: Levels | undefined, eagerness = "eager") => switchedOff((name) => (name === "completion.enable" ? levels : undefined), eagerness);
  assert.ok(off(undefined, "off"));
  assert.ok(!off(undefined));
  assert.ok(off({ workspaceValue: false }));
  assert.ok(off({ globalValue: false }));
  assert.ok(!off({ globalValue: false, workspaceFolderValue: true }));
});
