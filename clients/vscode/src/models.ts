/** Choosing and downloading models: the work is the server program's, `graft models`. */
import { execFile, spawn } from "node:child_process";
import * as vscode from "vscode";
import { program } from "./machine";
import { type Session, tellOnce } from "./session";

interface Listed {
  path: string;
  name?: string;
  embedded: boolean;
  error: string;
  parameters?: number;
  quantization?: string;
  size_bytes?: number;
}

const SETTING = "model.path";

/** A list of what is on this machine, and ways to more. */
export async function chooseModel(session: Session): Promise<void> {
  const graft = await programOrSay(session);
  if (!graft) return;
  const models = await listed(graft, session);
  const now = vscode.workspace.getConfiguration("graft").get<string>(SETTING, "");
  type Entry = vscode.QuickPickItem & { run: () => Thenable<unknown> };
  const entries: Entry[] = models.map((model) => ({
    label: `${(model.embedded ? !now : now === model.path) ? "$(check) " : ""}${model.embedded ? "The model that comes with Graft" : (model.name ?? model.path)}`,
    description: model.error || [millions(model.parameters), model.quantization, megabytes(model.size_bytes)].filter(Boolean).join(", "),
    ...(model.embedded ? {} : { detail: model.path }),
    run: () => use(model.embedded ? undefined : model.path),
  }));
  if (!models.some((model) => model.embedded)) {
    entries.unshift({ label: "The model that comes with Graft", run: () => use(undefined) });
  }
  entries.push(
    { label: "$(folder-opened) A GGUF file on this machine…", run: () => fileOnDisk() },
    { label: "$(cloud-download) Download a model…", run: () => vscode.commands.executeCommand("graft.downloadModel") },
  );
  const chosen = await vscode.window.showQuickPick(entries, { title: "Choose a model", matchOnDescription: true });
  await chosen?.run();
}

/** Ask for a name of the catalogue (or an address), show the licence that the program prints, download, use it. */
export async function downloadModel(session: Session): Promise<void> {
  const graft = await programOrSay(session);
  if (!graft) return;
  const name = await catalogueName(graft, session);
  if (!name) return;
  const before = new Set((await listed(graft, session)).map((model) => model.path));
  const failure = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Graft: downloading ${name}`, cancellable: true },
    (progress, token) => pull(session, graft, name, progress, token),
  );
  if (failure === undefined) {
    const fresh = (await listed(graft, session)).find((model) => !before.has(model.path));
    const answer = await vscode.window.showInformationMessage(`Graft: ${name} is on this machine.`, "Use It");
    if (answer === "Use It" && fresh) await use(fresh.path);
  } else if (failure) {
    const answer = await vscode.window.showErrorMessage(`Graft: ${failure}`, "Show Log");
    if (answer) session.log.show();
  }
}

/** Resolves with undefined when done, "" when cancelled, else with one line that says what failed. */
function pull(
  session: Session,
  graft: string,
  name: string,
  progress: vscode.Progress<{ message?: string; increment?: number }>,
  token: vscode.CancellationToken,
): Promise<string | undefined> {
  session.log.info(`$ ${graft} models pull ${name}`);
  return new Promise((resolve) => {
    const child = spawn(graft, ["models", "pull", name], { stdio: ["ignore", "pipe", "pipe"] });
    // The program keeps what has come for the next time.
    token.onCancellationRequested(() => child.kill("SIGINT"));
    let reported = 0;
    let last = "";
    const take = (data: Buffer) => {
      for (const line of data.toString().split(/[\r\n]+/)) {
        if (!line.trim()) continue;
        last = line.trim();
        const percent = Number(/(\d+(?:\.\d+)?) ?%/.exec(line)?.[1] ?? Number.NaN);
        if (Number.isNaN(percent)) session.log.info(line);
        const increment = Number.isNaN(percent) ? 0 : Math.max(0, percent - reported);
        reported += increment;
        progress.report({ message: last.slice(0, 120), increment });
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => resolve(code === 0 ? undefined : token.isCancellationRequested ? "" : last || `status ${code}`));
  });
}

async function catalogueName(graft: string, session: Session): Promise<string | undefined> {
  const answer = await json(graft, ["models", "recommend", "--json"], session);
  const rows = (answer as { models?: { name: string; licence?: string; size_bytes?: number; reason?: string }[] } | undefined)?.models;
  const other = "$(edit) Another name or address…";
  if (rows?.length) {
    const entries = rows.map((row) => ({
      label: row.name,
      description: [megabytes(row.size_bytes), row.licence].filter(Boolean).join(", "),
      ...(row.reason ? { detail: row.reason } : {}),
    }));
    const chosen = await vscode.window.showQuickPick([...entries, { label: other }], { title: "Download a model" });
    if (chosen?.label !== other) return chosen?.label;
  }
  return vscode.window.showInputBox({ title: "Download a model", prompt: "A name of Graft's catalogue, or the address of a GGUF file" });
}

async function fileOnDisk(): Promise<void> {
  const picked = await vscode.window.showOpenDialog({ filters: { "GGUF models": ["gguf"] }, title: "Choose a GGUF model" });
  if (picked?.[0]) await use(picked[0].fsPath);
}

function use(path: string | undefined): Thenable<void> {
  return vscode.workspace.getConfiguration("graft").update(SETTING, path, vscode.ConfigurationTarget.Global);
}

async function listed(graft: string, session: Session): Promise<Listed[]> {
  const answer = await json(graft, ["models", "list", "--json"], session);
  return (answer as { models?: Listed[] } | undefined)?.models ?? [];
}

function json(graft: string, args: string[], session: Session): Promise<unknown> {
  return new Promise((resolve) => {
    execFile(graft, args, { timeout: 30_000, maxBuffer: 1 << 22 }, (error, stdout, stderr) => {
      if (error) session.log.warn(`graft ${args.join(" ")}: ${stderr.trim() || error.message}`);
      try {
        resolve(error ? undefined : JSON.parse(stdout));
      } catch {
        session.log.warn(`graft ${args.join(" ")} printed no JSON`);
        resolve(undefined);
      }
    });
  });
}

async function programOrSay(session: Session): Promise<string | undefined> {
  const found = program(session.context);
  if (!found) await tellOnce(session, "Graft's server is not installed.");
  return found;
}

function millions(parameters: number | undefined): string {
  return parameters ? `${(parameters / 1e6).toFixed(parameters < 1e8 ? 1 : 0)} million parameters` : "";
}

function megabytes(bytes: number | undefined): string {
  return bytes ? `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB` : "";
}
