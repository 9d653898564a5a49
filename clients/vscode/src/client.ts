/** The server's life: found, started, supervised, started again, given up. One message for each trouble, never a loop. */
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  RevealOutputChannelOn,
  type StreamInfo,
} from "vscode-languageclient/node";
import { type Overlap, withoutDuplicates } from "./duplicates";
import { findServer } from "./machine";
import { type Running, startProcess } from "./process";
import { SCHEMES } from "./languages";
import type { Foreign } from "./others";
import { type Session, show, tellOnce } from "./session";
import { chosenSettings, offHere } from "./settings";
import { snoozed } from "./snooze";
import { type Details, older, restartDelay, type ServerStatus } from "./state";

/** The oldest server that this extension speaks with. */
export const OLDEST = "0.1.0";
/** A server that has not answered the first request after so long speaks something else. Milliseconds. */
const PATIENCE = 30_000;
/** After shutdown a server may take so long to end before it is killed. Milliseconds. */
const FAREWELL = 5_000;

/** The library's own pop-ups, one per failed attempt, go to the log: the extension says what is to be said, once. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }

  override warn(message: string, data?: unknown): void {
    super.warn(message, data, false);
  }
}

/** Start the server, or start it anew. What is wrong is said once; never rejects. */
export async function start(session: Session): Promise<void> {
  const turn = ++session.turn;
  await stop(session);
  if (turn !== session.turn) return;
  const found = findServer(session.context);
  if ("missing" in found) {
    enter(session, "missing", found.missing);
    session.log.warn(found.missing);
    await offerInstall(session, `${found.missing}. Install it into a private environment?`, "Install");
    return;
  }
  session.log.info(`server: ${found.command} (${found.source})`);
  enter(session, "starting", "");
  // Not in the workspace: Python would look there for modules first.
  const running = startProcess(found.command, ["serve", "--stdio"], session.context.extensionPath, (level, line) => session.log[level](line));
  session.running = running;
  const client = new QuietClient("graft", "Graft", () => streams(running), clientOptions(session, running));
  session.client = client;
  void running.ended.then((exit) => {
    if (session.running === running) crashed(session, running.complaint || exit.reason);
  });
  client.onNotification("graft/status", (status: ServerStatus) => {
    if (session.client !== client) return;
    session.view.status = status;
    show(session);
    if (!status.busy) void askDetails(session);
  });
  const patience = setTimeout(() => {
    running.complaint = `did not answer within ${PATIENCE / 1000} s`;
    running.kill();
  }, PATIENCE);
  try {
    await client.start();
  } catch (error) {
    // The process has ended or will be killed; `crashed` says so.
    session.log.error(`the server did not start: ${String(error)}`);
    running.kill();
    return;
  } finally {
    clearTimeout(patience);
  }
  if (session.client !== client) return;
  if (!client.initializeResult) {
    // The library gave up quietly.
    running.kill();
    return;
  }
  const version = client.initializeResult.serverInfo?.version ?? "";
  session.view.version = version;
  if (older(version || "0", OLDEST)) {
    enter(session, "outdated", `${found.command} is version ${version || "unknown"}; this extension needs ${OLDEST} or newer`);
    session.log.warn(session.view.reason);
    await stop(session);
    await offerInstall(session, `Graft's server is too old: ${session.view.reason}.`, "Update");
    return;
  }
  enter(session, "running", "");
  // What others showed before the server was there.
  for (const document of vscode.workspace.textDocuments) session.others.changed(document.uri.toString());
}

/** End the server, if there is one; what comes from it later is not listened to. */
export async function stop(session: Session): Promise<void> {
  const { client, running } = session;
  session.client = undefined;
  session.running = undefined;
  session.view.status = undefined;
  session.view.details = undefined;
  session.found.clear();
  session.others.clear();
  if (!client || !running) return;
  const overdue = setTimeout(() => running.kill(), FAREWELL);
  void running.ended.then(() => clearTimeout(overdue));
  await client.dispose(FAREWELL).catch((error: unknown) => session.log.debug(String(error)));
  if (running.child.exitCode === null && !running.child.stdin.destroyed) running.child.stdin.end();
}

/** The server's own commands. Undefined if it does not run or refuses, which is said. */
export async function ask(session: Session, command: string, ...args: unknown[]): Promise<unknown> {
  if (!session.client?.isRunning()) {
    await tellOnce(session, "Graft's server is not running.", "Show Log");
    return undefined;
  }
  try {
    return await session.client.sendRequest("workspace/executeCommand", { command, arguments: args });
  } catch (error) {
    session.log.error(`${command}: ${String(error)}`);
    void vscode.window.showInformationMessage(`Graft: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Numbers for the tooltip: every half minute, and when the server has finished something. */
export async function askDetails(session: Session): Promise<void> {
  const { client } = session;
  if (!client?.isRunning()) return;
  try {
    const details = await client.sendRequest("workspace/executeCommand", { command: "graft.serverStatus", arguments: [] });
    if (session.client !== client) return;
    session.view.details = details as Details;
    show(session);
  } catch (error) {
    session.log.debug(String(error));
  }
}

function enter(session: Session, phase: Session["view"]["phase"], reason: string): void {
  session.view.phase = phase;
  session.view.reason = reason;
  show(session);
}

async function offerInstall(session: Session, message: string, action: string): Promise<void> {
  const answer = await tellOnce(session, message, action, "Not Now");
  if (answer === action) await vscode.commands.executeCommand("graft.install");
}

function crashed(session: Session, reason: string): void {
  session.log.error(`the server ${reason}`);
  void stop(session);
  const now = Date.now();
  session.crashes.push(now);
  const delay = restartDelay(session.crashes, now);
  const turn = session.turn;
  if (delay !== null) {
    enter(session, "starting", `The server ${reason}.`);
    setTimeout(() => {
      if (turn === session.turn) void start(session);
    }, delay);
    return;
  }
  enter(session, "stopped", `The server ${reason}.`);
  void tellOnce(session, `Graft's server keeps stopping: it ${reason}`, "Restart", "Show Log").then((answer) => {
    if (answer === "Show Log") session.log.show();
    if (answer === "Restart") void vscode.commands.executeCommand("graft.restart");
  });
}

/** The log, for a client that may still have something to say when VS Code has closed it. */
function lasting(log: vscode.LogOutputChannel): vscode.LogOutputChannel {
  return new Proxy(log, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        try {
          return Reflect.apply(value, target, args) as unknown;
        } catch {
          return undefined; // "Channel has been closed": there is nobody left to tell.
        }
      };
    },
  });
}

function streams(running: Running): Promise<StreamInfo> {
  return Promise.resolve({ reader: running.output, writer: running.child.stdin });
}

function clientOptions(session: Session, running: Running): LanguageClientOptions {
  const declared = session.context.extension.packageJSON as unknown;
  return {
    documentSelector: selector(session),
    outputChannel: lasting(session.log),
    // The extension says what is to be said, once.
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationFailedHandler: () => false,
    initializationOptions: chosenSettings(declared),
    synchronize: { configurationSection: "graft" },
    errorHandler: {
      error: (error) => {
        // What it writes is not the protocol: it will not get better. (A pipe that broke has its reason in the exit.)
        if (running.child.exitCode === null && !running.child.stdin.destroyed) running.complaint ||= `wrote what is no message of the protocol (${error.message.split("\n")[0]})`;
        running.kill();
        return { action: ErrorAction.Shutdown, handled: true };
      },
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
    },
    middleware: middleware(session, declared),
  };
}

function selector(session: Session): { scheme: string; language: string }[] {
  return session.languages.flatMap((language) => SCHEMES.map((scheme) => ({ scheme, language })));
}

/** The source of our diagnostics, and how many of others the server remembers of a document. */
const OURS = "graft";
const MOST_FOREIGN = 500;

/** What others show in a document that the server has open; undefined if it has not. */
export function othersIn(session: Session, uri: string): Foreign[] | undefined {
  const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri);
  if (!session.client?.isRunning() || !document || !vscode.languages.match(selector(session), document)) return undefined;
  const theirs = vscode.languages.getDiagnostics(document.uri).filter((diagnostic) => diagnostic.source !== OURS);
  const converter = session.client.code2ProtocolConverter;
  return theirs.slice(0, MOST_FOREIGN).map((diagnostic) => {
    const { range, message, severity, code, source } = converter.asDiagnostic(diagnostic);
    const said = typeof message === "string" ? message : message.value;
    return { range, message: said, ...(severity ? { severity } : {}), ...(code === undefined ? {} : { code }), ...(source ? { source } : {}) };
  });
}

/** Tell the server what others show in a document. */
export function sendOthers(session: Session, uri: string, diagnostics: readonly Foreign[]): void {
  session.client?.sendNotification("graft/otherDiagnostics", { uri, diagnostics }).catch((error: unknown) => session.log.debug(String(error)));
}

function middleware(session: Session, declared: unknown): Middleware {
  return {
    provideInlineCompletionItems: (document, position, context, token, next) => {
      if (offHere(document, session.languages)) return [];
      if (context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic) {
        if (snoozed(session.view.snooze, document.languageId, document.uri.toString(), Date.now())) return [];
        const eagerness = vscode.workspace.getConfiguration("graft", document.uri).get<string>("completion.eagerness");
        if (eagerness === "subtle") return [];
      }
      return next(document, position, context, token);
    },
    handleDiagnostics: (uri, diagnostics, next) => {
      session.found.set(uri.toString(), { uri, diagnostics, next, sent: undefined });
      publish(session, uri.toString());
    },
    workspace: {
      configuration: (params, _token, _next) =>
        params.items.map((item) => (item.section === "graft" ? chosenSettings(declared) : null)) as object[],
    },
  };
}

/** Show our findings in a document, without those that another provider shows there now. */
export function publish(session: Session, key: string): void {
  const found = session.found.get(key);
  if (!found) return;
  const mode = vscode.workspace.getConfiguration("graft", found.uri).get<Overlap>("diagnosis.hideDuplicates", "auto");
  const all = vscode.languages.getDiagnostics(found.uri);
  const others = all.filter((diagnostic) => diagnostic.source !== OURS).map(place);
  const kept = withoutDuplicates(found.diagnostics.map(place), others, mode).map((entry) => entry.diagnostic);
  const same = found.sent?.length === kept.length && found.sent.every((diagnostic, n) => diagnostic === kept[n]);
  if (same) return;
  found.sent = kept;
  found.next(found.uri, kept);
  // A closed document's findings were taken away: nothing is left to filter again.
  if (found.diagnostics.length === 0) session.found.delete(key);
}

function place(diagnostic: vscode.Diagnostic) {
  const { range, source, severity } = diagnostic;
  return {
    line: range.start.line,
    start: range.start.character,
    end: range.isSingleLine ? Math.max(range.end.character, range.start.character + 1) : Number.MAX_SAFE_INTEGER,
    source: source ?? "",
    severity,
    diagnostic,
  };
}
