/** Read-only documents: what the model saw, statistics, doctor, patches. */
import * as vscode from "vscode";

const SCHEME = "graft";
const contents = new Map<string, string>();
const changed = new vscode.EventEmitter<vscode.Uri>();

/** Let VS Code read the pages that `openPage` shows. */
export function registerPages(): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent: (uri) => contents.get(uri.path) ?? "",
  });
}

/** Show a page, or its new content if it is open. `name` is the tab's title and its ending decides the language. */
export async function openPage(name: string, content: string): Promise<vscode.TextEditor> {
  const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}` });
  contents.set(uri.path, content);
  changed.fire(uri);
  const document = await vscode.workspace.openTextDocument(uri);
  return vscode.window.showTextDocument(document, { preview: true, preserveFocus: false });
}
