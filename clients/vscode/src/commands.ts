/** The commands of the category Graft. */
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import * as vscode from "vscode";
import { findPython, installSteps, pythonCandidates, runSteps, type Source, wheelSource } from "./install";
import { privateEnvironment, program } from "./machine";
import { chooseModel, downloadModel } from "./models";
import { openPage } from "./pages";
import { repair } from "./repair";
import { client } from "./server";
import { type Session, show, tellOnce } from "./session";
import { awake, choices } from "./snooze";

/** Register every command that package.json declares. */
export function registerCommands(session: Session): vscode.Disposable[] {
  const table: Record<string, () => unknown> = {
    "graft.menu": () => menu(session),
    "graft.restart": () => {
      session.crashes.length = 0;
      session.told.clear();
      if (session.view.snooze.until === Infinity) session.view.snooze = { ...session.view.snooze, until: 0 };
      return client().start(session);
    },
    "graft.showLog": () => session.log.show(),
    "graft.trigger": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
    "graft.snooze": () => snooze(session),
    "graft.wake": () => {
      session.view.snooze = awake;
      show(session);
    },
    "graft.showWhatTheModelSaw": () => explain(session),
    "graft.chooseModel": () => chooseModel(session),
    "graft.downloadModel": () => downloadModel(session),
    "graft.indexNow": () => client().ask(session, "graft.index"),
    "graft.repairFailingTest": () => repair(session),
    "graft.statistics": () => report(session, "Graft statistics.txt", ["stats"]),
    "graft.doctor": () => report(session, "Graft doctor.txt", ["doctor"]),
    "graft.install": () => install(session),
  };
  return Object.entries(table).map(([name, run]) => vscode.commands.registerCommand(name, run));
}

async function menu(session: Session): Promise<void> {
  const { phase, snooze } = session.view;
  const asleep = snooze.until > Date.now() || snooze.languages.length > 0 || snooze.files.length > 0;
  const entries: [string, string][] = [
    ...(phase === "missing" || phase === "outdated" ? [["$(cloud-download) Install the server…", "graft.install"] as [string, string]] : []),
    asleep ? ["$(bell) Wake", "graft.wake"] : ["$(bell-slash) Snooze…", "graft.snooze"],
    ["$(eye) Show what the model saw", "graft.showWhatTheModelSaw"],
    ["$(package) Choose a model…", "graft.chooseModel"],
    ["$(cloud-download) Download a model…", "graft.downloadModel"],
    ["$(wrench) Repair a failing test…", "graft.repairFailingTest"],
    ["$(refresh) Index now", "graft.indexNow"],
    ["$(graph) Statistics", "graft.statistics"],
    ["$(pulse) Doctor", "graft.doctor"],
    ["$(settings-gear) Settings", "graft.openSettings"],
    ["$(output) Show log", "graft.showLog"],
    ["$(debug-restart) Restart", "graft.restart"],
  ];
  const chosen = await vscode.window.showQuickPick(
    entries.map(([label, command]) => ({ label, command })),
    { title: "Graft", placeHolder: session.view.status?.message || session.view.reason || "What would you like to do?" },
  );
  if (chosen?.command === "graft.openSettings") await vscode.commands.executeCommand("workbench.action.openSettings", "@ext:graft-ls.graft-ls");
  else if (chosen) await vscode.commands.executeCommand(chosen.command);
}

async function snooze(session: Session): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const front = document && { language: document.languageId, uri: document.uri.toString() };
  const chosen = await vscode.window.showQuickPick(choices(session.view.snooze, front, Date.now()), { title: "Snooze Graft's suggestions" });
  if (!chosen) return;
  session.view.snooze = chosen.snooze;
  show(session);
  // What is on the screen goes too.
  await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
}

async function explain(session: Session): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const uri = document && document.uri.scheme !== "graft" ? [document.uri.toString()] : [];
  const answer = await client().ask(session, "graft.explain", ...uri);
  if (typeof answer !== "string") return;
  await openPage("What the model saw.md", `# What the model saw\n\nOf the last suggestion${document ? ` in ${vscode.workspace.asRelativePath(document.uri)}` : ""}.\n\n${answer}\n`);
}

/** What the program prints, as a page. */
async function report(session: Session, name: string, args: string[]): Promise<void> {
  const graft = program(session.context);
  if (!graft) {
    await tellOnce(session, "Graft's server is not installed.");
    return;
  }
  const cwd = vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === "file")?.uri.fsPath;
  const text = await new Promise<string>((resolve) => {
    execFile(graft, args, { timeout: 120_000, ...(cwd ? { cwd } : {}) }, (error, stdout, stderr) =>
      resolve(stdout || stderr || (error ? error.message : "")),
    );
  });
  await openPage(name, text);
}

async function install(session: Session): Promise<void> {
  const registry = { label: "$(cloud-download) From the Python package registry", detail: "As pip is configured on this machine; needs a network" };
  const folder = { label: "$(folder-opened) From a folder of wheels…", detail: "Without a network" };
  const chosen = await vscode.window.showQuickPick([registry, folder], { title: "Install Graft's server" });
  if (!chosen) return;
  const environment = privateEnvironment(session.context);
  const log = (line: string) => session.log.info(line);
  try {
    let source: Source = { wheels: "", engine: true };
    if (chosen === folder) {
      const picked = await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, title: "Folder of wheels", openLabel: "Install" });
      if (!picked?.[0]) return;
      source = await wheelSource(picked[0].fsPath);
      if (!source.engine) session.log.warn("no wheel of llama-cpp-python in that folder: Graft will answer from the graph alone");
    }
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: "Graft", cancellable: true },
      async (progress, token) => {
        const abort = new AbortController();
        token.onCancellationRequested(() => abort.abort());
        progress.report({ message: "looking for Python" });
        const python = await findPython(pythonCandidates(process.platform), log);
        const steps = installSteps(python, environment, source, process.platform);
        await runSteps(steps, log, (message) => progress.report({ message }), abort.signal);
      },
    );
  } catch (error) {
    // Half an environment must not be taken for a server.
    await fs.rm(environment, { recursive: true, force: true }).catch((failure: unknown) => session.log.warn(String(failure)));
    const message = error instanceof Error ? error.message : String(error);
    session.log.error(message);
    void vscode.window.showErrorMessage(`Graft: ${message}`, "Show Log").then((answer) => {
      if (answer) session.log.show();
    });
    return;
  }
  session.log.info(`installed in ${environment}`);
  session.crashes.length = 0;
  session.told.clear();
  await client().start(session);
}
