/** What the user has set, as the server wants to hear it. */
import * as vscode from "vscode";
import { chosenOf, switchedOff } from "./chosen";

interface Declared {
  contributes: { configuration: { properties: Record<string, unknown> }[] };
}

/**
 * Settings with a value that somebody chose, by their names without `graft.`. Defaults are left out: they are the
 * server's own, and must not override what `[tool.graft]` in a project says. The extension's own settings stay here.
 * What is set under a name that is not declared any more is sent too: the server says what it means today.
 */
export function chosenSettings(packageJSON: unknown): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("graft");
  const declared = (packageJSON as Declared).contributes.configuration.flatMap((group) =>
    Object.keys(group.properties).map((full) => full.replace(/^graft\./, "")),
  );
  const found = leaves(vscode.workspace.getConfiguration().get("graft"));
  return chosenOf(declared, found, (name) => configuration.inspect(name));
}

/** Names of the values in nested tables, dotted. */
function leaves(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return prefix ? [prefix] : [];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, prefix ? `${prefix}.${key}` : key));
}

/** Why a document gets no suggestions; empty if it does. */
export function offHere(document: vscode.TextDocument, languages: readonly string[]): string {
  const configuration = vscode.workspace.getConfiguration("graft", document.uri);
  if (switchedOff((name) => configuration.inspect(name), configuration.get("completion.eagerness"))) return "suggestions are switched off here";
  if (configuration.get<string[]>("completion.disabledLanguages", []).includes(document.languageId))
    return `suggestions are switched off for ${document.languageId}`;
  if (!languages.includes(document.languageId)) return `${document.languageId} is not one of Graft's languages`;
  const globs = configuration.get<string[]>("completion.disabledGlobs", []);
  if (globs.some((pattern) => vscode.languages.match({ pattern }, document) > 0))
    return "suggestions are switched off for this file";
  return "";
}
