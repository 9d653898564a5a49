/** Repairing what makes a test command fail: shown, confirmed, run by `graft repair` in its sandbox, offered as a patch. */
import { spawn } from "node:child_process";
import * as vscode from "vscode";
import { program } from "./machine";
import { openPage } from "./pages";
import { applyDiff } from "./patch";
import { type Session, tellOnce } from "./session";

interface Answer {
  status: string;
  reason: string;
  patches: { diff: string; verified: string[] }[];
  tests_run: number;
  seconds: number;
}

const REMEMBERED = "repair.command";

export async function repair(session: Session): Promise<void> {
  if (!vscode.workspace.isTrusted) {
    void vscode.window.showWarningMessage("Graft runs tests only in a trusted workspace.");
    return;
  }
  const graft = program(session.context);
  if (!graft) {
    await tellOnce(session, "Graft's server is not installed.");
    return;
  }
  const folder = await chooseFolder();
  if (!folder) return;
  const command = await vscode.window.showInputBox({
    title: "Repair what makes this command fail",
    value: session.context.workspaceState.get<string>(REMEMBERED, "python -m pytest -x -q"),
    prompt: "It runs in a sandbox without a network; your files stay untouched until you accept a patch.",
  });
  if (!command) return;
  await session.context.workspaceState.update(REMEMBERED, command);
  const answer = await vscode.window.showWarningMessage(
    `Run this command in ${folder.name}?`,
    { modal: true, detail: `${command}\n\nIt is run many times, in a sandbox, with candidate changes to your code.` },
    "Run",
  );
  if (answer !== "Run") return;
  const found = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "Graft: repairing", cancellable: true },
    (progress, token) => run(session, graft, ["repair", "--test", command, "--root", folder.uri.fsPath, "--json"], progress, token),
  );
  if (found) await offer(folder, found);
}

async function offer(folder: vscode.WorkspaceFolder, found: Answer): Promise<void> {
  const patch = found.patches[0];
  if (!patch) {
    void vscode.window.showInformationMessage(`Graft: ${found.reason || found.status}`);
    return;
  }
  await openPage("Graft patch.diff", patch.diff);
  const verified = patch.verified.length ? ` Checked: ${patch.verified.join(", ")}.` : "";
  const answer = await vscode.window.showInformationMessage(`Graft found a patch in ${found.seconds.toFixed(0)} s.${verified}`, "Apply", "Leave");
  if (answer !== "Apply") return;
  try {
    const edit = new vscode.WorkspaceEdit();
    for (const path of new Set(Array.from(patch.diff.matchAll(/^\+\+\+ (?:b\/)?(\S.*)$/gm), (match) => match[1] ?? ""))) {
      const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder.uri, path));
      const before = document.getText();
      const everything = new vscode.Range(document.positionAt(0), document.positionAt(before.length));
      edit.replace(document.uri, everything, applyDiff(before, patch.diff, path));
    }
    await vscode.workspace.applyEdit(edit);
  } catch (error) {
    void vscode.window.showErrorMessage(`Graft: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Run the program to its end; its JSON, or undefined after having said why there is none. */
function run(
  session: Session,
  graft: string,
  args: string[],
  progress: vscode.Progress<{ message?: string }>,
  token: vscode.CancellationToken,
): Promise<Answer | undefined> {
  session.log.info(`$ ${graft} ${args.join(" ")}`);
  return new Promise((resolve) => {
    const child = spawn(graft, args, { stdio: ["ignore", "pipe", "pipe"] });
    token.onCancellationRequested(() => child.kill("SIGINT"));
    let out = "";
    let last = "";
    child.stdout.on("data", (data: Buffer) => (out += data.toString()));
    child.stderr.on("data", (data: Buffer) => {
      for (const line of data.toString().split(/[\r\n]+/)) {
        if (!line.trim()) continue;
        last = line.trim();
        session.log.info(last);
        progress.report({ message: last.slice(0, 120) });
      }
    });
    child.on("error", (error) => {
      last = error.message;
    });
    child.on("close", () => {
      try {
        resolve(JSON.parse(out) as Answer);
      } catch {
        if (!token.isCancellationRequested) void vscode.window.showErrorMessage(`Graft: ${last || "graft repair printed nothing"}`);
        resolve(undefined);
      }
    });
  });
}

async function chooseFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter((folder) => folder.uri.scheme === "file");
  if (folders.length > 1) return vscode.window.showWorkspaceFolderPick({ placeHolder: "Where the command runs" });
  if (!folders[0]) void vscode.window.showInformationMessage("Graft: open a folder first.");
  return folders[0];
}
