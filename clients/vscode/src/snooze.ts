/** Snoozing: no automatic suggestions for a while, for a language, or for a file. Pure functions. */

export interface Snooze {
  /** Milliseconds since the epoch; 0: not snoozed, Infinity: until restart. */
  until: number;
  languages: readonly string[];
  files: readonly string[];
}

export const awake: Snooze = { until: 0, languages: [], files: [] };

const MINUTE = 60_000;

/** Whether a document gets no suggestions by itself now. */
export function snoozed(snooze: Snooze, language: string, uri: string, now: number): boolean {
  return snooze.until > now || snooze.languages.includes(language) || snooze.files.includes(uri);
}

/** Whole minutes left, rounded up; 0 if it does not end by itself. */
export function minutesLeft(snooze: Snooze, now: number): number {
  return snooze.until > now && Number.isFinite(snooze.until) ? Math.ceil((snooze.until - now) / MINUTE) : 0;
}

/** What may be chosen, with the snooze that follows; the last two only with a document in front. */
export function choices(
  snooze: Snooze,
  document: { language: string; uri: string } | undefined,
  now: number,
): { label: string; snooze: Snooze }[] {
  const found = [
    { label: "For 5 minutes", snooze: { ...snooze, until: now + 5 * MINUTE } },
    { label: "For 1 hour", snooze: { ...snooze, until: now + 60 * MINUTE } },
    { label: "Until restart", snooze: { ...snooze, until: Infinity } },
  ];
  if (document) {
    const { language, uri } = document;
    found.push(
      { label: `For ${language} files`, snooze: { ...snooze, languages: [...new Set([...snooze.languages, language])] } },
      { label: "For this file", snooze: { ...snooze, files: [...new Set([...snooze.files, uri])] } },
    );
  }
  return found;
}
