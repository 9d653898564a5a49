/** The extension: wires its parts together. Everything that decides is in the plain modules beside this one. */
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { servedLanguages } from "./languages";
import { Others } from "./others";
import { registerPages } from "./pages";
import { client } from "./server";
import { type Session, show } from "./session";
import { awake } from "./snooze";

let session: Session | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const begun = performance.now();
  const log = vscode.window.createOutputChannel("Graft", { log: true });
  const item = vscode.window.createStatusBarItem("graft.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "Graft";
  item.command = "graft.menu";
  const current: Session = {
    context,
    log,
    item,
    client: undefined,
    running: undefined,
    view: { phase: "starting", reason: "", version: "", status: undefined, details: undefined, snooze: awake },
    found: new Map(),
    languages: servedLanguages(context.extension.packageJSON),
    others: new Others({
      found: (uri) => (current.client ? client().othersIn(current, uri) : undefined),
      send: (uri, diagnostics) => client().sendOthers(current, uri, diagnostics),
    }),
    crashes: [],
    told: new Set(),
    turn: 0,
  };
  session = current;
  const timer = setInterval(() => {
    show(current);
    if (current.client) void client().askDetails(current);
  }, 30_000);
  context.subscriptions.push(
    log,
    item,
    { dispose: () => clearInterval(timer) },
    registerPages(),
    ...registerCommands(current),
    vscode.window.onDidChangeActiveTextEditor(() => show(current)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void client().start(current)),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (!change.affectsConfiguration("graft")) return;
      show(current);
      if (change.affectsConfiguration("graft.diagnosis.hideDuplicates")) {
        for (const key of current.found.keys()) client().publish(current, key);
      }
      if (change.affectsConfiguration("graft.server.path")) {
        current.crashes.length = 0;
        current.told.clear();
        void client().start(current);
      }
    }),
    vscode.languages.onDidChangeDiagnostics((change) => {
      for (const uri of change.uris) {
        if (current.found.has(uri.toString())) client().publish(current, uri.toString());
        if (current.client) current.others.changed(uri.toString());
      }
    }),
    // A document that is opened again, or as another language, is a new one to the server.
    vscode.workspace.onDidCloseTextDocument((document) => current.others.forget(document.uri.toString())),
    vscode.workspace.onDidOpenTextDocument((document) => {
      if (current.client) current.others.changed(document.uri.toString());
    }),
    { dispose: () => current.others.clear() },
  );
  show(current);
  // Activation returns at once; the server starts after it.
  setImmediate(() => void client().start(current));
  log.info(`activated in ${(performance.now() - begun).toFixed(1)} ms`);
}

export async function deactivate(): Promise<void> {
  if (session?.client) await client().stop(session);
}
