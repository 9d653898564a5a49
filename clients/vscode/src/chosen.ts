/** Which of a setting's values counts, and what settings of earlier versions still mean. */

/** A setting's values by their level, as VS Code's `inspect` gives them. */
export interface Levels {
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}
export type Inspect = (name: string) => Levels | undefined;

/** Settings of earlier versions that a workspace could set; the server says what they mean today. */
export const RETIRED: readonly string[] = ["completion.enable", "completion.maxTokens", "model.contextTokens", "index.jobs"];

/** The value that somebody chose, the closest level first; undefined for none. */
export function chosen(levels: Levels | undefined): unknown {
  return levels?.workspaceFolderValue ?? levels?.workspaceValue ?? levels?.globalValue;
}

/**
 * What is chosen, by name. `declared` names and retired ones may come from a workspace; of all the others that are
 * `found`, only the person's own value counts: VS Code keeps what may not come from a workspace apart for declared
 * names only. The extension's own settings stay here.
 */
export function chosenOf(declared: readonly string[], found: readonly string[], inspect: Inspect): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const open = new Set([...RETIRED, ...declared]);
  for (const name of new Set([...found, ...open])) {
    if (name.startsWith("server.")) continue;
    const levels = inspect(name);
    const value = open.has(name) ? chosen(levels) : levels?.globalValue;
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** Whether suggestions are switched off, by the setting of today or the one that it has replaced. */
export function switchedOff(inspect: Inspect, eagerness: unknown): boolean {
  return eagerness === "off" || chosen(inspect("completion.enable")) === false;
}
