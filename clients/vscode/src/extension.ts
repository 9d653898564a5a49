/** The extension: starts the server, shows its state, and offers its commands. Everything that decides is in plain modules. */
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type ServerOptions,
  State,
} from "vscode-languageclient/node";
import { registerCommands } from "./commands";
import { findServer } from "./machine";
import { awake, restartDelay, type ServerStatus, shown, type Snooze, snoozed, withoutOverlaps } from "./state";

/** Languages that Graft's server is started for; completion can be switched off for each by a setting. */
export const LANGUAGES = ["python"];

/** What the extension's parts share. */
export interface Session {
  context: vscode.ExtensionContext;
  log: vscode.LogOutputChannel;
  client: LanguageClient | undefined;
  status: ServerStatus;
  snooze: Snooze;
  crashes: number[];
  told: Set<string>;
  item: vscode.StatusBarItem;
}

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Graft", { log: true });
  const item = vscode.window.createStatusBarItem("graft.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "Graft";
  item.command = "graft.menu";
  session = { context, log, client: undefined, status: { kind: "starting" }, snooze: awake, crashes: [], told: new Set(), item };
  const current = session;
  context.subscriptions.push(log, item, { dispose: () => void current.client?.stop() });
  registerCommands(current, () => start(current));
  context.subscriptions.push(
    vscode.window.onDidChangeActiveTextEditor(() => show(current)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void start(current)),
  );
  const timer = setInterval(() => show(current), 30_000);
  context.subscriptions.push({ dispose: () => clearInterval(timer) });
  show(current);
  // Activation returns at once; the server starts beside it.
  void start(current);
}

export async function deactivate(): Promise<void> {
  await session?.client?.stop();
}

/** Redraw the status item. */
export function show(current: Session): void {
  const document = vscode.window.activeTextEditor?.document;
  const state = shown(current.status, current.snooze, document?.languageId ?? "", document?.uri.toString() ?? "", Date.now());
  current.item.text = state.text;
  current.item.tooltip = new vscode.MarkdownString(state.tooltip, true);
  current.item.backgroundColor =
    state.severity === "normal" ? undefined : new vscode.ThemeColor(`statusBarItem.${state.severity}Background`);
  current.item.show();
}

/** A message that is shown once per window, never in a loop. */
export function tellOnce(current: Session, message: string, ...actions: string[]): Thenable<string | undefined> {
  if (current.told.has(message)) return Promise.resolve(undefined);
  current.told.add(message);
  return vscode.window.showWarningMessage(message, ...actions);
}

async function start(current: Session): Promise<void> {
  await current.client?.stop().catch((error: unknown) => current.log.warn(String(error)));
  current.client = undefined;
  const found = findServer(current.context);
  if ("missing" in found) {
    current.status = { kind: "missing", message: found.missing };
    show(current);
    current.log.warn(found.missing);
    const answer = await tellOnce(current, `${found.missing}. Install it into a private environment?`, "Install", "Not now");
    if (answer === "Install") await vscode.commands.executeCommand("graft.install");
    return;
  }
  current.log.info(`server: ${found.command} (${found.source})`);
  current.status = { kind: "starting" };
  show(current);
  const server: ServerOptions = { command: found.command, args: ["serve", "--stdio"], options: { cwd: current.context.extensionPath } };
  const client = new LanguageClient("graft", "Graft", server, clientOptions(current));
  current.client = client;
  client.onDidChangeState((change) => {
    if (change.newState === State.Stopped && current.client === client) {
      current.status = { kind: "error", message: "The server has stopped." };
      show(current);
    }
  });
  client.onNotification("graft/status", (status: ServerStatus) => {
    current.status = status;
    show(current);
  });
  try {
    await client.start();
    if (current.status.kind === "starting") current.status = { kind: "ready" };
  } catch (error) {
    current.status = { kind: "error", message: String(error) };
    current.log.error(String(error));
  }
  show(current);
}

function clientOptions(current: Session): LanguageClientOptions {
  return {
    documentSelector: LANGUAGES.flatMap((language) => [
      { scheme: "file", language },
      { scheme: "untitled", language },
    ]),
    outputChannel: current.log,
    initializationOptions: settingsForServer(),
    synchronize: { configurationSection: "graft" },
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => {
        current.crashes.push(Date.now());
        const delay = restartDelay(current.crashes, Date.now());
        if (delay === null) {
          current.status = { kind: "error", message: "The server stopped five times in three minutes." };
          show(current);
          void tellOnce(current, "Graft's server keeps stopping.", "Show log").then((answer) => {
            if (answer === "Show log") current.log.show();
          });
        } else {
          setTimeout(() => void start(current), delay);
        }
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    },
    middleware: {
      provideInlineCompletionItems: (document, position, context, token, next) => {
        if (snoozed(current.snooze, document.languageId, document.uri.toString(), Date.now())) return [];
        const subtle = vscode.workspace.getConfiguration("graft").get<string>("completion.eagerness") === "subtle";
        if (subtle && context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic) return [];
        return next(document, position, context, token);
      },
      handleDiagnostics: (uri, diagnostics, next) => {
        const overlap = vscode.workspace.getConfiguration("graft").get<string>("diagnosis.hideDuplicates");
        if (overlap === "off") return next(uri, diagnostics);
        const place = (d: vscode.Diagnostic) => ({
          line: d.range.start.line,
          start: d.range.start.character,
          end: d.range.isSingleLine ? Math.max(d.range.end.character, d.range.start.character + 1) : Number.MAX_SAFE_INTEGER,
          source: d.source ?? "",
          diagnostic: d,
        });
        const others = vscode.languages.getDiagnostics(uri).filter((d) => d.source !== "graft").map(place);
        next(uri, withoutOverlaps(diagnostics.map(place), others).map((d) => d.diagnostic));
      },
    },
  };
}

/** The user's settings as the server reads them; only what differs from the default is sent. */
export function settingsForServer(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("graft");
  const declared = vscode.extensions.getExtension("graft-ls.graft-ls")?.packageJSON as
    | { contributes: { configuration: { properties: Record<string, unknown> }[] } }
    | undefined;
  const out: Record<string, unknown> = {};
  for (const group of declared?.contributes.configuration ?? []) {
    for (const full of Object.keys(group.properties)) {
      const name = full.replace(/^graft\./, "");
      if (name.startsWith("server.")) continue;
      const values = configuration.inspect(name);
      const chosen = values?.workspaceFolderValue ?? values?.workspaceValue ?? values?.globalValue;
      if (chosen !== undefined) out[name] = chosen;
    }
  }
  return out;
}
