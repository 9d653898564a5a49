/** Hiding findings of ours that another provider already shows at the same place. Pure functions. */

export interface Finding {
  line: number;
  /** First column, and the column after the last. */
  start: number;
  end: number;
  source: string;
  /** 0 error, 1 warning, 2 information, 3 hint, as in VS Code. */
  severity: number;
}

/** `auto`: another error or warning hides ours, a mere hint does not; `on`: anything does; `off`: nothing does. */
export type Overlap = "auto" | "on" | "off";

/** Our findings without those that another provider already shows at an overlapping place of the same line. */
export function withoutDuplicates<T extends Finding>(ours: readonly T[], others: readonly Finding[], mode: Overlap): T[] {
  if (mode === "off") return [...ours];
  const counted = others.filter((other) => mode === "on" || other.severity <= 1);
  return ours.filter(
    (our) =>
      !counted.some(
        (other) => other.source !== our.source && other.line === our.line && other.start < our.end && our.start < other.end,
      ),
  );
}
