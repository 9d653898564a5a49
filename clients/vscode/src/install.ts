/** Creating the extension's private environment: only when the user says so, with progress and a log. No VS Code. */
import { execFile, spawn } from "node:child_process";
import * as fs from "node:fs/promises";

export interface Step {
  title: string;
  command: string;
  args: string[];
}

/** Where Graft comes from: the registry that pip is configured to use, or a folder of wheel files. */
export interface Source {
  /** Empty for the registry. */
  wheels: string;
  /** Whether the model's engine is installed too; without it Graft answers from the graph alone. */
  engine: boolean;
}

export const OLDEST_PYTHON: readonly [number, number] = [3, 11];

/** Programs that may be a Python, in the order in which they are tried. */
export function pythonCandidates(platform: string): string[] {
  const numbered = ["python3.13", "python3.12", "python3.11"];
  return platform === "win32" ? ["python", "python3", ...numbered] : ["python3", ...numbered, "python"];
}

/** The first Python that is new enough and can make environments. Rejects with one line that says what to install. */
export async function findPython(candidates: readonly string[], log: (line: string) => void): Promise<string> {
  const code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
  for (const candidate of candidates) {
    const said = await new Promise<string>((resolve) => {
      // -I: neither the workspace nor the user's folders are looked at for modules.
      execFile(candidate, ["-I", "-c", code], { timeout: 20_000 }, (error, stdout, stderr) =>
        resolve(error ? `! ${stderr.trim().split("\n").pop() || error.message}` : stdout.trim()),
      );
    });
    log(`${candidate}: ${said}`);
    const [major = 0, minor = 0] = said.split(".").map(Number);
    if (major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1])) return candidate;
  }
  throw new Error(
    `no Python ${OLDEST_PYTHON.join(".")} or newer with venv was found; install one (on Debian and Ubuntu also python3-venv), then try again`,
  );
}

/** What a folder of wheels can give. Rejects with one line if Graft is not in it. */
export async function wheelSource(folder: string): Promise<Source> {
  const names = await fs.readdir(folder);
  if (!names.some((name) => /^graft_ls-.*\.whl$/.test(name))) throw new Error(`no wheel of Graft (graft_ls-….whl) in ${folder}`);
  return { wheels: folder, engine: names.some((name) => /^llama_cpp_python-.*\.whl$/.test(name)) };
}

/** The commands that install Graft into `environment`. */
export function installSteps(python: string, environment: string, source: Source, platform: string): Step[] {
  const inside = platform === "win32" ? `${environment}\\Scripts\\python.exe` : `${environment}/bin/python`;
  const from = source.wheels ? ["--no-index", "--find-links", source.wheels] : [];
  const what = source.engine ? "graft-ls[llama]" : "graft-ls";
  return [
    { title: "Creating a private Python environment", command: python, args: ["-I", "-m", "venv", "--clear", environment] },
    {
      title: "Installing Graft",
      command: inside,
      args: ["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", ...from, what],
    },
    { title: "Checking", command: inside, args: ["-I", "-m", "graft_server.cli", "--version"] },
  ];
}

/** What a line of pip's output says about its progress; undefined for lines that say nothing of it. */
export function pipProgress(line: string): string | undefined {
  const collecting = /^(?:Collecting|Processing) (?:.*\/)?([A-Za-z0-9_.]+)/.exec(line);
  if (collecting) return `reading ${collecting[1]}`;
  const downloading = /^\s*Downloading (\S+?)-\d\S* \(([^)]+)\)/.exec(line);
  if (downloading) return `downloading ${downloading[1]}, ${downloading[2]}`;
  const building = /^\s*Building wheel for (\S+)/.exec(line);
  if (building) return `compiling ${building[1]} (minutes, the first time)`;
  return line.startsWith("Installing collected packages") ? "unpacking" : undefined;
}

/** Run the steps in order; rejects with one line if one fails, resolves after the last. `signal` ends the running one. */
export async function runSteps(
  steps: readonly Step[],
  log: (line: string) => void,
  progress: (title: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    progress(step.title);
    log(`$ ${step.command} ${step.args.join(" ")}`);
    await new Promise<void>((resolve, reject) => {
      const child = spawn(step.command, step.args, { stdio: ["ignore", "pipe", "pipe"], signal });
      let last = "";
      const take = (data: Buffer) => {
        for (const line of data.toString().split(/\r?\n/)) {
          if (!line.trim()) continue;
          log(line);
          last = line.trim();
          const said = pipProgress(line);
          if (said) progress(`${step.title}: ${said}`);
        }
      };
      child.stdout.on("data", take);
      child.stderr.on("data", take);
      child.on("error", (error) =>
        reject(new Error(error.name === "AbortError" ? "the installation was cancelled" : `${step.title} failed: ${error.message}`)),
      );
      child.on("close", (code) =>
        code === 0 ? resolve() : reject(new Error(`${step.title} failed (status ${code ?? "none"}): ${last.slice(0, 200)}`)),
      );
    });
  }
}
