/** What the status item says: pure functions, tested without VS Code. */
import { minutesLeft, type Snooze, snoozed } from "./snooze";

/** `graft/status`, as the server sends it. */
export interface ServerStatus {
  kind: "normal" | "warning" | "error" | "inactive";
  message: string;
  busy: boolean;
  model: string;
  device: string;
  state: "ready" | "indexing" | "loading" | "no-model" | "graph-only" | "restarting" | "restarted" | "snoozed" | "off";
  done: number;
  total: number;
}

/** What `graft.serverStatus` answers beside the status. */
export interface Details {
  folders: { root: string; files: number; ready: boolean }[];
  tokens_per_second: number;
  today: Record<string, number | null>;
}

/** Everything that the item depends on. */
export interface View {
  /** The server's process: not installed, starting, running, given up, or too old. */
  phase: "missing" | "starting" | "running" | "stopped" | "outdated";
  /** One line about the phase, such as why the server stopped. */
  reason: string;
  /** Version of the server; empty if it is not known. */
  version: string;
  status: ServerStatus | undefined;
  details: Details | undefined;
  snooze: Snooze;
}

/** The document in front; `off` says why there are no suggestions in it, empty if there are. */
export interface Here {
  language: string;
  uri: string;
  off: string;
}

export interface Shown {
  text: string;
  tooltip: string;
  severity: "normal" | "warning" | "error";
}

const PHASES: Record<Exclude<View["phase"], "running">, [string, Shown["severity"]]> = {
  missing: ["$(cloud-download) Graft: install", "warning"],
  outdated: ["$(cloud-download) Graft: update", "warning"],
  starting: ["$(sync~spin) Graft: starting", "normal"],
  stopped: ["$(error) Graft: stopped", "error"],
};

const WORDS: Record<ServerStatus["state"], [string, Shown["severity"]]> = {
  ready: ["$(check) Graft: ready", "normal"],
  indexing: ["$(sync~spin) Graft: indexing", "normal"],
  loading: ["$(sync~spin) Graft: model loading", "normal"],
  "no-model": ["$(warning) Graft: no model", "warning"],
  "graph-only": ["$(graph) Graft: graph only", "normal"],
  restarting: ["$(sync~spin) Graft: engine restarting", "warning"],
  restarted: ["$(warning) Graft: engine restarted", "warning"],
  snoozed: ["$(bell-slash) Graft: snoozed", "normal"],
  off: ["$(circle-slash) Graft: off here", "normal"],
};

/** The status item: one clear word for every state. `now` in milliseconds since the epoch. */
export function shown(view: View, here: Here, now: number): Shown {
  const [text, severity] = word(view, here, now);
  return { text, tooltip: tooltip(view, here), severity };
}

function word(view: View, here: Here, now: number): [string, Shown["severity"]] {
  if (view.phase !== "running") return PHASES[view.phase];
  if (snoozed(view.snooze, here.language, here.uri, now)) {
    const left = minutesLeft(view.snooze, now);
    return [left ? `$(bell-slash) Graft: snoozed ${left} min` : WORDS.snoozed[0], "normal"];
  }
  const status = view.status;
  if (!status) return PHASES.starting;
  if (here.off && status.state !== "indexing") return WORDS.off;
  if (status.state === "indexing" && status.total > 0) {
    return [`$(sync~spin) Graft: indexing ${status.done} of ${status.total}`, "normal"];
  }
  return WORDS[status.state] ?? [`Graft: ${status.state}`, "normal"];
}

/** The tooltip, Markdown. */
export function tooltip(view: View, here: Here): string {
  const lines = ["**Graft**: completion and repair, on this machine only", ""];
  const row = (name: string, value: string) => value && lines.push(`- ${name}: ${escaped(value)}`);
  const { status, details } = view;
  if (view.phase === "running" && status) {
    row("Model", status.model ? status.model + (status.device ? ` on ${status.device}` : "") : "none");
    if (details?.tokens_per_second) row("Speed", `reads ${details.tokens_per_second} tokens per second`);
    if (status.state === "indexing" && status.total) row("Index", `${status.done} of ${status.total} files`);
    else if (details) row("Index", `${details.folders.reduce((sum, folder) => sum + folder.files, 0)} files`);
    if (details) row("Today", today(details.today));
    row("Now", status.message);
    if (here.off) row("Here", here.off);
    row("Server", view.version);
  } else {
    lines.push(escaped(view.reason));
  }
  lines.push("", "Click for everything else.");
  return lines.join("\n");
}

function today(counts: Details["today"]): string {
  const offered = counts["offered"] ?? 0;
  if (!offered) return "nothing suggested yet";
  const characters = counts["characters_accepted"] ?? 0;
  return `${counts["accepted"] ?? 0} of ${offered} suggestions taken, ${characters} characters`;
}

/** Text of the repository or of a file name must not become Markdown. */
function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+!|<>]/g, "\\$&").replace(/\s+/g, " ");
}

/**
 * Whether to start a crashed server again: at most four times in three minutes, waiting longer each time.
 * Returns the delay in milliseconds, or null to stop trying.
 */
export function restartDelay(crashes: readonly number[], now: number): number | null {
  const recent = crashes.filter((time) => now - time < 180_000).length;
  return recent > 4 ? null : Math.min(8_000, 500 * 2 ** Math.max(0, recent - 1));
}

/** Whether version `have` is older than `least` (both as 1.2.3; what follows is not looked at). */
export function older(have: string, least: string): boolean {
  const numbers = (version: string) => version.split(/[.+-]/, 3).map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [numbers(have), numbers(least)];
  for (let n = 0; n < 3; n++) {
    const difference = (a[n] ?? 0) - (b[n] ?? 0);
    if (difference) return difference < 0;
  }
  return false;
}
