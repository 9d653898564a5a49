/**
 * The part that speaks with the server, loaded when it is first needed: the protocol's library is four fifths of the
 * code, and reading it must not hold up VS Code's start.
 */
export type Client = typeof import("./client");

let loaded: Client | undefined;

/** The module `client`, a bundle of its own. */
export function client(): Client {
  loaded ??= require("./client.js") as Client;
  return loaded;
}
