/**
 * Finding the server. Plain functions over an interface, so that they are tested without VS Code.
 *
 * Order: the user's own setting, the extension's private environment, PATH. The workspace's virtual environment is
 * considered only if the workspace is trusted, because a program in it belongs to whoever wrote the workspace.
 */
import * as path from "node:path";

export interface Machine {
  /** "win32", "linux", "darwin" */
  platform: string;
  /** The PATH variable. */
  path: string;
  /** Whether a file exists and may be run. */
  executable(file: string): boolean;
}

export interface Places {
  /** `graft.server.path` of the user's level only; never a workspace's value. */
  userSetting: string;
  /** Folder of the extension's own virtual environment. */
  privateEnvironment: string;
  /** Absolute paths of the workspace folders. */
  folders: readonly string[];
  trusted: boolean;
}

export interface Found {
  command: string;
  source: "setting" | "private environment" | "PATH" | "workspace environment";
}

/** The server's program, or why there is none (one line for the user). */
export function locate(places: Places, machine: Machine): Found | { missing: string } {
  if (places.userSetting) {
    if (machine.executable(places.userSetting)) return { command: places.userSetting, source: "setting" };
    return { missing: `graft.server.path names ${places.userSetting}, which is not a program` };
  }
  const own = inEnvironment(places.privateEnvironment, machine.platform);
  if (machine.executable(own)) return { command: own, source: "private environment" };
  const name = machine.platform === "win32" ? "graft.exe" : "graft";
  const separator = machine.platform === "win32" ? ";" : ":";
  for (const folder of machine.path.split(separator)) {
    // A relative entry, or one inside the workspace, would let the workspace choose the program.
    if (!folder || !path.isAbsolute(folder)) continue;
    if (!places.trusted && places.folders.some((f) => isInside(folder, f))) continue;
    const file = path.join(folder, name);
    if (machine.executable(file)) return { command: file, source: "PATH" };
  }
  if (places.trusted) {
    for (const folder of places.folders) {
      for (const environment of [".venv", "venv"]) {
        const file = inEnvironment(path.join(folder, environment), machine.platform);
        if (machine.executable(file)) return { command: file, source: "workspace environment" };
      }
    }
  }
  return { missing: "Graft's server is not installed" };
}

/** Path of the `graft` program inside a virtual environment. */
export function inEnvironment(environment: string, platform: string): string {
  return platform === "win32"
    ? path.join(environment, "Scripts", "graft.exe")
    : path.join(environment, "bin", "graft");
}

function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative));
}
