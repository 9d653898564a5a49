import assert from "node:assert/strict";
import { test } from "node:test";
import { installSteps, runSteps } from "../src/install";
import { locate, type Machine, type Places } from "../src/locate";
import { awake, restartDelay, shown, snoozed, withoutOverlaps } from "../src/state";

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

test("snoozing ends by itself, and may be for one language or file", () => {
  assert.ok(snoozed({ ...awake, until: 100 }, "python", "a", 50));
  assert.ok(!snoozed({ ...awake, until: 100 }, "python", "a", 150));
  assert.ok(snoozed({ ...awake, files: ["a"] }, "python", "a", 0));
  assert.ok(!snoozed({ ...awake, languages: ["go"] }, "python", "a", 0));
  assert.match(shown({ kind: "ready" }, { ...awake, until: 120_000 }, "python", "a", 0).text, /snoozed 2 min/);
});

test("every state has a word of its own", () => {
  const kinds = ["ready", "indexing", "loading", "no-model", "graph-only", "restarted", "error", "off", "starting", "missing"];
  const texts = kinds.map((kind) => shown({ kind }, awake, "python", "a", 0).text);
  assert.equal(new Set(texts).size, kinds.length);
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

test("findings that another provider shows at the same place are left out", () => {
  const at = (start: number, end: number, source: string) => ({ line: 1, start, end, source });
  assert.deepEqual(withoutOverlaps([at(0, 5, "graft"), at(8, 9, "graft")], [at(4, 6, "Pylance")]), [at(8, 9, "graft")]);
});

test("installing from a folder of wheels never asks an index", () => {
  const [, install] = installSteps("python3", "/e", "/wheels", "linux");
  assert.deepEqual(install?.args.slice(4, 7), ["--no-index", "--find-links", "/wheels"]);
});

test("a failing step ends the installation with one line", async () => {
  const steps = [{ title: "Trying", command: process.execPath, args: ["-e", "process.exit(3)"] }];
  const lines: string[] = [];
  await assert.rejects(runSteps(steps, (l) => lines.push(l), () => {}, new AbortController().signal), /Trying failed \(status 3\)/);
});
