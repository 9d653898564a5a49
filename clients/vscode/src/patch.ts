/** Applying a unified diff to a text. Pure functions. */

/**
 * `text` after the hunks of `diff` for the file `path`. Throws where a line that the diff names is not in its place:
 * the text has changed since the diff was made, and nothing is guessed. Line endings of the text are kept.
 */
export function applyDiff(text: string, diff: string, path: string): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = text.split(/\r?\n/);
  const out: string[] = [];
  let at = 0;
  let here = false;
  let left = 0;
  for (const line of diff.split(/\r?\n/)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@/.exec(line);
    if (left <= 0 && line.startsWith("+++ ")) {
      here = line.slice(4).replace(/^b\//, "").split("\t")[0]?.trim() === path;
    } else if (hunk) {
      const count = Number(hunk[2] ?? 1);
      const start = Number(hunk[1]) - (count ? 1 : 0);
      left = 1;
      if (!here) continue;
      if (start < at) throw new Error(`the patch of ${path} is out of order`);
      out.push(...lines.slice(at, start));
      at = start;
    } else if (line.startsWith("--- ") || line.startsWith("diff ")) {
      left = 0;
    } else if (here && left) {
      if (line.startsWith("+")) out.push(line.slice(1));
      else if (line.startsWith("-") || line.startsWith(" ")) {
        if (lines[at] !== line.slice(1)) throw new Error(`${path} has changed since the patch was made (line ${at + 1})`);
        if (line.startsWith(" ")) out.push(line.slice(1));
        at++;
      }
    }
  }
  return [...out, ...lines.slice(at)].join(newline);
}
