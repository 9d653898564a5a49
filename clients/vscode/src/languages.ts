/** The languages that Graft's server serves, as package.json declares them: what starts the extension is what it serves. */

interface Declared {
  activationEvents: string[];
}

const BEGIN = "onLanguage:";

/** VS Code's identifiers of the languages that start the extension. */
export function servedLanguages(packageJSON: unknown): string[] {
  const events = (packageJSON as Declared).activationEvents;
  return events.filter((event) => event.startsWith(BEGIN)).map((event) => event.slice(BEGIN.length));
}

/** Schemes of documents that the server knows: files, those not saved yet, and cells of notebooks. */
export const SCHEMES: readonly string[] = ["file", "untitled", "vscode-notebook-cell"];
