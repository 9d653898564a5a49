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

/** A known model, as `graft models list --known --json` has it. */
interface Known {
  id: string;
  title: string;
  size: number | null;
  about_bytes: number | null;
  licence: string | null;
  commercial: boolean | null;
}

interface Advice {
  recommended: string | null;
  models: { id: string; verdict: string; reason: string }[];
}

/** Choose from the catalogue (or name an address), show the licence, download with progress and cancel, offer to use it. */
export async function downloadModel(session: Session): Promise<void> {
  const graft = await programOrSay(session);
  if (!graft) return;
  const chosen = await catalogueModel(graft, session);
  if (!chosen || !(await licenceAccepted(chosen))) return;
  const accept = chosen.commercial === false && chosen.licence ? ["--accept-licence", chosen.licence] : [];
  const pulled = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Graft: downloading ${chosen.title}`, cancellable: true },
    (progress, token) => pull(session, graft, ["models", "pull", chosen.id, "--yes", "--json", ...accept], progress, token),
  );
  if (pulled.path) {
    const answer = await vscode.window.showInformationMessage(`Graft: ${chosen.title} is on this machine.`, "Use It");
    if (answer === "Use It") await use(pulled.path);
  } else if (pulled.failure) {
    const answer = await vscode.window.showErrorMessage(`Graft: ${pulled.failure}`, "Show Log");
    if (answer) session.log.show();
  }
}

async function licenceAccepted(model: Known): Promise<boolean> {
  const licence = model.licence ?? "not known";
  const terms = model.commercial === false ? " It does not allow commercial use." : "";
  const size = megabytes(model.size ?? model.about_bytes ?? undefined);
  const detail = `Licence: ${licence}.${terms}${size ? `\nSize: about ${size}.` : ""}\nIt is kept on this machine; nothing is sent.`;
  return (await vscode.window.showInformationMessage(`Download ${model.title}?`, { modal: true, detail }, "Download")) === "Download";
}

/** Run the download: the file's path, or one line that says what failed; neither if it was cancelled. */
function pull(
  session: Session,
  graft: string,
  args: string[],
  progress: vscode.Progress<{ message?: string; increment?: number }>,
  token: vscode.CancellationToken,
): Promise<{ path?: string; failure?: string }> {
  session.log.info(`$ ${graft} ${args.join(" ")}`);
  return new Promise((resolve) => {
    const child = spawn(graft, args, { stdio: ["ignore", "pipe", "pipe"] });
    // The program keeps what has come for the next time.
    token.onCancellationRequested(() => child.kill("SIGINT"));
    let reported = 0;
    let last = "";
    let out = "";
    child.stdout.on("data", (data: Buffer) => (out += data.toString()));
    child.stderr.on("data", (data: Buffer) => {
      for (const line of data.toString().split(/[\r\n]+/)) {
        if (!line.trim()) continue;
        last = line.trim();
        const percent = Number(/(\d+(?:\.\d+)?) ?%/.exec(line)?.[1] ?? Number.NaN);
        if (Number.isNaN(percent)) session.log.info(line);
        const increment = Number.isNaN(percent) ? 0 : Math.max(0, percent - reported);
        reported += increment;
        progress.report({ message: last.slice(0, 120), increment });
      }
    });
    child.on("error", (error) => resolve({ failure: error.message }));
    child.on("close", (code) => {
      if (token.isCancellationRequested) resolve({});
      else if (code !== 0) resolve({ failure: last || `graft models pull ended with status ${code}` });
      else resolve(pulledPath(out));
    });
  });
}

function pulledPath(out: string): { path?: string; failure?: string } {
  try {
    return { path: (JSON.parse(out) as { path: string }).path };
  } catch {
    return { failure: "graft models pull printed no JSON" };
  }
}

async function catalogueModel(graft: string, session: Session): Promise<Known | undefined> {
  const [known, advice] = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: "Graft: looking what fits this machine" },
    () => Promise.all([json(graft, ["models", "list", "--known", "--json"], session), json(graft, ["models", "recommend", "--json"], session)]),
  );
  const rows = (known as { models?: Known[] } | undefined)?.models ?? [];
  const said = advice as Advice | undefined;
  const entries = rows.map((model) => {
    const verdict = said?.models.find((one) => one.id === model.id);
    return {
      label: `${said?.recommended === model.id ? "$(star) " : ""}${model.title}`,
      description: [megabytes(model.size ?? model.about_bytes ?? undefined), model.licence].filter(Boolean).join(", "),
      ...(verdict ? { detail: [verdict.verdict, verdict.reason].filter(Boolean).join(": ") } : {}),
      model,
    };
  });
  const other = { label: "$(edit) An address of a GGUF file…", model: undefined as Known | undefined };
  const chosen = await vscode.window.showQuickPick([...entries, other], { title: "Download a model", matchOnDetail: true });
  if (!chosen || chosen.model) return chosen?.model;
  const address = await vscode.window.showInputBox({ title: "Download a model", prompt: "The address of a GGUF file (https)" });
  return address ? { id: address, title: address.split("/").pop() ?? address, size: null, about_bytes: null, licence: null, commercial: null } : undefined;
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
