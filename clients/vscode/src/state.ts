/** What the status item says, and snoozing: pure functions, tested without VS Code. */

export interface ServerStatus {
  kind: "ready" | "indexing" | "loading" | "no-model" | "graph-only" | "restarted" | "error" | "off" | string;
  message?: string;
  busy?: boolean;
  model?: string | null;
  device?: string | null;
}

export interface Snooze {
  /** Milliseconds since the epoch; 0: not snoozed, Infinity: until restart. */
  until: number;
  languages: readonly string[];
  files: readonly string[];
}

export interface Shown {
  text: string;
  tooltip: string;
  severity: "normal" | "warning" | "error";
}

export const awake: Snooze = { until: 0, languages: [], files: [] };

/** Whether a document gets no suggestions now. */
export function snoozed(snooze: Snooze, language: string, uri: string, now: number): boolean {
  return snooze.until > now || snooze.languages.includes(language) || snooze.files.includes(uri);
}

/** The status item's text: one clear word for every state. */
export function shown(status: ServerStatus, snooze: Snooze, language: string, uri: string, now: number): Shown {
  const lines = ["**Graft** — completion and repair, on this machine only", ""];
  if (status.model) lines.push(`Model: ${status.model}${status.device ? ` on ${status.device}` : ""}`, "");
  if (status.message) lines.push(status.message, "");
  lines.push("Click for actions.");
  const tooltip = lines.join("\n");
  if (status.kind !== "error" && snoozed(snooze, language, uri, now)) {
    const left = snooze.until > now && Number.isFinite(snooze.until) ? Math.ceil((snooze.until - now) / 60_000) : 0;
    return { text: left ? `$(bell-slash) Graft: snoozed ${left} min` : "$(bell-slash) Graft: snoozed", tooltip, severity: "normal" };
  }
  const words: Record<string, [string, Shown["severity"]]> = {
    ready: ["$(check) Graft", "normal"],
    indexing: [`$(sync~spin) Graft: ${status.message ?? "indexing"}`, "normal"],
    loading: ["$(sync~spin) Graft: loading model", "normal"],
    "no-model": ["$(circle-slash) Graft: no model", "warning"],
    "graph-only": ["$(graph) Graft: graph only", "normal"],
    restarted: ["$(warning) Graft: engine restarted", "warning"],
    error: ["$(error) Graft: stopped", "error"],
    off: ["$(circle-slash) Graft: off here", "normal"],
    starting: ["$(sync~spin) Graft: starting", "normal"],
    missing: ["$(cloud-download) Graft: install", "warning"],
  };
  const [text, severity] = words[status.kind] ?? [`Graft: ${status.kind}`, "normal"];
  return { text, tooltip, severity };
}

/**
 * Whether to start a crashed server again: at most four times in three minutes, waiting longer each time.
 * Returns the delay in milliseconds, or null to stop trying.
 */
export function restartDelay(crashes: readonly number[], now: number): number | null {
  const recent = crashes.filter((time) => now - time < 180_000).length;
  return recent > 4 ? null : Math.min(8_000, 500 * 2 ** Math.max(0, recent - 1));
}

export interface Finding {
  line: number;
  start: number;
  end: number;
  source: string;
}

/** Our findings without those that another provider already shows at an overlapping place of the same line. */
export function withoutOverlaps<T extends Finding>(ours: readonly T[], others: readonly Finding[]): T[] {
  return ours.filter(
    (our) => !others.some((other) => other.source !== our.source && other.line === our.line && other.start < our.end && our.start < other.end),
  );
}
