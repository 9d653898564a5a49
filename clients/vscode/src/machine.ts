/** This machine, as `locate` wants to see it. */
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { type Found, locate } from "./locate";

/** Folder of the extension's own virtual environment. */
export function privateEnvironment(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "environment");
}

/** The server's program on this machine, or why there is none. */
export function findServer(context: vscode.ExtensionContext): Found | { missing: string } {
  return locate(
    {
      userSetting: vscode.workspace.getConfiguration("graft").inspect<string>("server.path")?.globalValue ?? "",
      privateEnvironment: privateEnvironment(context),
      folders: (vscode.workspace.workspaceFolders ?? []).filter((f) => f.uri.scheme === "file").map((f) => f.uri.fsPath),
      trusted: vscode.workspace.isTrusted,
    },
    { platform: process.platform, path: process.env["PATH"] ?? "", executable },
  );
}

function executable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The server's program if there is one. */
export function program(context: vscode.ExtensionContext): string | undefined {
  const found = findServer(context);
  return "missing" in found ? undefined : found.command;
}
