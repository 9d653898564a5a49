/** The server's process: its pipes for the protocol, its log, and how it ended. No VS Code in here. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { PassThrough } from "node:stream";

export type Level = "error" | "warn" | "info" | "debug";

export interface Exit {
  /** One line for a person. */
  reason: string;
}

export interface Running {
  child: ChildProcessWithoutNullStreams;
  /** What it writes, for the protocol's reader. */
  output: PassThrough;
  /** Resolves once, however the process ends, also if it never began. */
  ended: Promise<Exit>;
  kill(): void;
  /** Why it was killed, for the user; empty if it was not. */
  complaint: string;
}

/** Start the server; lines of its standard error go to `log` with their level. */
export function startProcess(command: string, args: readonly string[], cwd: string, log: (level: Level, line: string) => void): Running {
  const child = spawn(command, args, { cwd, stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
  const said = new Said(log);
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text: string) => said.take(text));
  // A pipe that closes under a write is the end of the process, which is told of below.
  child.stdin.on("error", () => undefined);
  const ended = new Promise<Exit>((resolve) => {
    child.on("error", (error) => resolve({ reason: error.message }));
    child.on("close", (code, signal) => {
      said.flush();
      const how = signal ? `was ended by ${signal}` : `ended with status ${code ?? "unknown"}`;
      resolve({ reason: said.last ? `${how}: ${said.last}` : how });
    });
  });
  const output = new PassThrough();
  const running: Running = { child, output, ended, kill: () => void child.kill("SIGKILL"), complaint: "" };
  child.stdout.once("data", (first: Buffer) => {
    // The protocol's reader would wait for ever for the end of a header.
    const begin = first.toString("latin1", 0, 60);
    if (/^content-/i.test(begin.slice(0, 8)) || first.length < 8) return;
    running.complaint = `wrote what is no message of the protocol: ${JSON.stringify(begin.split("\n")[0])}`;
    running.kill();
  });
  child.stdout.pipe(output);
  return running;
}

const LINE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$/;
const LEVELS: Record<string, Level> = { DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error", CRITICAL: "error" };

/** Lines of the server's standard error; what continues a message (a traceback) keeps its level. */
export class Said {
  /** The last line that is no log line: of a traceback, the one that names the error. */
  last = "";
  private rest = "";
  private level: Level = "info";

  constructor(private readonly log: (level: Level, line: string) => void) {}

  take(text: string): void {
    const lines = (this.rest + text).split(/\r?\n/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.line(line);
  }

  flush(): void {
    if (this.rest) this.line(this.rest);
    this.rest = "";
  }

  private line(line: string): void {
    const match = LINE.exec(line);
    if (match) {
      this.level = LEVELS[match[1] ?? ""] ?? "info";
      this.log(this.level, match[2] ?? "");
    } else if (line.trim()) {
      this.last = line.trim().slice(0, 200);
      this.log(this.level, line);
    }
  }
}
