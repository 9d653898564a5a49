/**
 * What other providers show in a document, told to the server by `graft/otherDiagnostics`, so that it neither repeats
 * nor forgets to mend it. Plain: the caller says what is there and how it is sent.
 */

/** How long findings must be quiet before they are sent, milliseconds: linters send theirs in several pieces. */
export const QUIET_MS = 300;

/** A diagnostic of the protocol, as far as the server reads it. */
export interface Foreign {
  range: { start: Place; end: Place };
  message: string;
  severity?: number;
  code?: string | number;
  source?: string;
}

interface Place {
  line: number;
  character: number;
}

export interface World {
  /** What others show in a document that the server has open; undefined if it has not. */
  found(uri: string): readonly Foreign[] | undefined;
  send(uri: string, diagnostics: readonly Foreign[]): void;
}

/** Collects changes of one window and sends each document's findings when they are quiet, and only if they changed. */
export class Others {
  private readonly waiting = new Map<string, NodeJS.Timeout>();
  private readonly sent = new Map<string, string>();

  constructor(
    private readonly world: World,
    private readonly quiet = QUIET_MS,
  ) {}

  /** Findings in a document changed, ours or others'. */
  changed(uri: string): void {
    clearTimeout(this.waiting.get(uri));
    this.waiting.set(uri, setTimeout(() => this.tell(uri), this.quiet));
  }

  /** The server forgot a document: it was closed, or the server is another one. */
  forget(uri: string): void {
    clearTimeout(this.waiting.get(uri));
    this.waiting.delete(uri);
    this.sent.delete(uri);
  }

  /** Forget all documents. */
  clear(): void {
    for (const uri of [...this.waiting.keys(), ...this.sent.keys()]) this.forget(uri);
  }

  private tell(uri: string): void {
    this.waiting.delete(uri);
    const found = this.world.found(uri);
    if (!found) return;
    const now = JSON.stringify(found);
    // Nothing is what the server takes for granted.
    if (now === (this.sent.get(uri) ?? "[]")) return;
    this.sent.set(uri, now);
    this.world.send(uri, found);
  }
}
