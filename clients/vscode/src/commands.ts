/** The commands of the category Graft. */
import * as vscode from "vscode";
import { type Session, show, tellOnce } from "./extension";
import { installSteps, runSteps } from "./install";
import { inEnvironment } from "./locate";
import { findServer, privateEnvironment } from "./machine";

type Start = () => Promise<void>;

/** Register every command that package.json declares. */
export function registerCommands(session: Session, start: Start): void {
  const table: Record<string, (...args: unknown[]) => unknown> = {
    "graft.menu": () => menu(),
    "graft.restart": () => {
      session.crashes.length = 0;
      session.told.clear();
      return start();
    },
    "graft.showLog": () => session.log.show(),
    "graft.trigger": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
    "graft.snooze": () => snooze(session),
    "graft.wake": () => {
      session.snooze = { until: 0, languages: [], files: [] };
      show(session);
    },
    "graft.showWhatTheModelSaw": () => explain(session),
    "graft.chooseModel": () => chooseModel(),
    "graft.indexNow": () => ask(session, "graft.index"),
    "graft.repairFailingTest": () => repair(session),
    "graft.statistics": () => terminal(session, "Graft: statistics", ["stats"]),
    "graft.doctor": () => terminal(session, "Graft: doctor", ["doctor"]),
    "graft.install": () => install(session, start),
  };
  for (const [name, run] of Object.entries(table)) {
    session.context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
}

async function menu(): Promise<void> {
  const entries: [string, string][] = [
    ["$(bell-slash) Snooze…", "graft.snooze"],
    ["$(bell) Wake", "graft.wake"],
    ["$(eye) Show what the model saw", "graft.showWhatTheModelSaw"],
    ["$(package) Choose a model…", "graft.chooseModel"],
    ["$(wrench) Repair a failing test…", "graft.repairFailingTest"],
    ["$(refresh) Index now", "graft.indexNow"],
    ["$(graph) Statistics", "graft.statistics"],
    ["$(pulse) Doctor", "graft.doctor"],
    ["$(output) Show log", "graft.showLog"],
    ["$(debug-restart) Restart", "graft.restart"],
  ];
  const chosen = await vscode.window.showQuickPick(entries.map(([label, command]) => ({ label, command })), { title: "Graft" });
  if (chosen) await vscode.commands.executeCommand(chosen.command);
}

async function snooze(session: Session): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const minute = 60_000;
  const items = [
    { label: "For 5 minutes", until: () => Date.now() + 5 * minute },
    { label: "For 1 hour", until: () => Date.now() + 60 * minute },
    { label: "Until restart", until: () => Infinity },
    ...(document ? [{ label: `For ${document.languageId} files` }, { label: "For this file" }] : []),
  ] as { label: string; until?: () => number }[];
  const chosen = await vscode.window.showQuickPick(items, { title: "Snooze Graft's suggestions" });
  if (!chosen) return;
  if (chosen.until) session.snooze = { ...session.snooze, until: chosen.until() };
  else if (document && chosen.label === "For this file")
    session.snooze = { ...session.snooze, files: [...session.snooze.files, document.uri.toString()] };
  else if (document) session.snooze = { ...session.snooze, languages: [...session.snooze.languages, document.languageId] };
  show(session);
}

/** Ask the server to run one of its commands; undefined if it is not running or does not know the command. */
async function ask(session: Session, command: string, ...args: unknown[]): Promise<unknown> {
  if (!session.client?.isRunning()) {
    await tellOnce(session, "Graft's server is not running.", "Show log");
    return undefined;
  }
  try {
    return await session.client.sendRequest("workspace/executeCommand", { command, arguments: args });
  } catch (error) {
    session.log.error(`${command}: ${String(error)}`);
    void vscode.window.showInformationMessage(`Graft: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function explain(session: Session): Promise<void> {
  const answer = await ask(session, "graft.explain");
  if (answer === undefined || answer === null) return;
  const content = typeof answer === "string" ? answer : JSON.stringify(answer, null, 2);
  const document = await vscode.workspace.openTextDocument({ language: typeof answer === "string" ? "markdown" : "json", content });
  await vscode.window.showTextDocument(document, { preview: true });
}

async function chooseModel(): Promise<void> {
  const embedded = "The model that comes with Graft";
  const file = "A GGUF file on this machine…";
  const chosen = await vscode.window.showQuickPick([embedded, file], { title: "Choose a model" });
  if (!chosen) return;
  let value: string | undefined;
  if (chosen === file) {
    const picked = await vscode.window.showOpenDialog({ filters: { "GGUF models": ["gguf"] }, title: "Choose a GGUF model" });
    if (!picked?.[0]) return;
    value = picked[0].fsPath;
  }
  await vscode.workspace.getConfiguration("graft").update("model.path", value, vscode.ConfigurationTarget.Global);
}

async function terminal(session: Session, name: string, args: string[], cwd?: string): Promise<void> {
  const found = findServer(session.context);
  if ("missing" in found) {
    await tellOnce(session, found.missing);
    return;
  }
  // The program is started directly, not through a shell: nothing in `args` can be interpreted.
  const options: vscode.TerminalOptions = { name, shellPath: found.command, shellArgs: args };
  if (cwd) options.cwd = cwd;
  const opened = vscode.window.createTerminal(options);
  opened.show(true);
}

async function repair(session: Session): Promise<void> {
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showWarningMessage("Graft runs tests only in a trusted workspace.");
    return;
  }
  const folder = vscode.workspace.workspaceFolders?.[0];
  if (!folder) return;
  const command = await vscode.window.showInputBox({
    title: "Repair what makes this command fail",
    value: "python -m pytest -x -q",
    prompt: "The command runs in a sandbox; the files stay untouched until you accept a patch.",
  });
  if (!command) return;
  const answer = await vscode.window.showWarningMessage(`Run «${command}» in ${folder.name}?`, { modal: true }, "Run");
  if (answer === "Run") await terminal(session, "Graft: repair", ["repair", "--test", command, "--root", folder.uri.fsPath], folder.uri.fsPath);
}

async function install(session: Session, start: Start): Promise<void> {
  const registry = "From the Python package registry that pip uses";
  const folder = "From a folder of wheels…";
  const source = await vscode.window.showQuickPick([registry, folder], { title: "Install Graft's server" });
  if (!source) return;
  let wheels = "";
  if (source === folder) {
    const picked = await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, title: "Folder of wheels" });
    if (!picked?.[0]) return;
    wheels = picked[0].fsPath;
  }
  const environment = privateEnvironment(session.context);
  const python = process.platform === "win32" ? "python" : "python3";
  try {
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: "Graft", cancellable: true },
      async (progress, token) => {
        const abort = new AbortController();
        token.onCancellationRequested(() => abort.abort());
        await runSteps(
          installSteps(python, environment, wheels, process.platform),
          (line) => session.log.info(line),
          (message) => progress.report({ message }),
          abort.signal,
        );
      },
    );
  } catch (error) {
    session.log.error(String(error));
    void vscode.window.showErrorMessage(`Graft: ${error instanceof Error ? error.message : String(error)}`, "Show log").then((a) => {
      if (a === "Show log") session.log.show();
    });
    return;
  }
  session.log.info(`installed: ${inEnvironment(environment, process.platform)}`);
  await start();
}
