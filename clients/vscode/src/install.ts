/** Creating the extension's private environment: only when the user says so, with progress and a log. */
import { spawn } from "node:child_process";

export interface Step {
  title: string;
  command: string;
  args: string[];
}

/**
 * The commands that install Graft into `environment`. `wheels` is a folder of wheel files, or empty for the registry
 * that pip is configured to use.
 */
export function installSteps(python: string, environment: string, wheels: string, platform: string): Step[] {
  const inside = platform === "win32" ? `${environment}\\Scripts\\python.exe` : `${environment}/bin/python`;
  const from = wheels ? ["--no-index", "--find-links", wheels] : [];
  return [
    { title: "Creating a private Python environment", command: python, args: ["-m", "venv", "--clear", environment] },
    {
      title: "Installing Graft (this can take some minutes)",
      command: inside,
      args: ["-m", "pip", "install", "--disable-pip-version-check", ...from, "graft-ls[llama]"],
    },
    { title: "Checking", command: inside, args: ["-m", "graft_server.cli", "--version"] },
  ];
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
      child.stdout.on("data", (data: Buffer) => log(data.toString().trimEnd()));
      child.stderr.on("data", (data: Buffer) => log(data.toString().trimEnd()));
      child.on("error", (error) => reject(new Error(`${step.title} failed: ${error.message}`)));
      child.on("close", (code) =>
        code === 0 ? resolve() : reject(new Error(`${step.title} failed (status ${code ?? "none"}); see the log`)),
      );
    });
  }
}
