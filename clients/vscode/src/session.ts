/** What the extension's parts share. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type { Running } from "./process";
import type { Others } from "./others";
import { offHere } from "./settings";
import { shown, type View } from "./state";

/** Our findings in one document, all of them, and those that were passed on. */
export interface Found {
  uri: vscode.Uri;
  diagnostics: vscode.Diagnostic[];
  next: (uri: vscode.Uri, diagnostics: vscode.Diagnostic[]) => void;
  sent: vscode.Diagnostic[] | undefined;
}

export interface Session {
  context: vscode.ExtensionContext;
  log: vscode.LogOutputChannel;
  item: vscode.StatusBarItem;
  client: LanguageClient | undefined;
  running: Running | undefined;
  view: View;
  found: Map<string, Found>;
  /** Languages that the server is started for; suggestions can be switched off for each by a setting. */
  languages: readonly string[];
  others: Others;
  /** When the server ended unasked, milliseconds since the epoch. */
  crashes: number[];
  told: Set<string>;
  /** Number of the latest start: an earlier one that is still under way gives up. */
  turn: number;
}

/** Redraw the status item. It hides where no text editor is in front. */
export function show(session: Session): void {
  const document = vscode.window.activeTextEditor?.document;
  const here = {
    language: document?.languageId ?? "",
    uri: document?.uri.toString() ?? "",
    off: document ? offHere(document, session.languages) : "",
  };
  const state = shown(session.view, here, Date.now());
  session.item.text = state.text;
  session.item.tooltip = new vscode.MarkdownString(state.tooltip);
  session.item.backgroundColor =
    state.severity === "normal" ? undefined : new vscode.ThemeColor(`statusBarItem.${state.severity}Background`);
  session.item.show();
}

/** A message that is shown once per window, never in a loop. */
export function tellOnce(session: Session, message: string, ...actions: string[]): Thenable<string | undefined> {
  // What differs from one time to the next (a number, a path) does not make it another message.
  const key = message.split(":", 1)[0] ?? message;
  if (session.told.has(key)) return Promise.resolve(undefined);
  session.told.add(key);
  return vscode.window.showWarningMessage(message, ...actions);
}
