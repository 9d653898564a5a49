// Goto-definition by TypeScript's own language service, for places given on standard input.
// node tsc_definitions.mjs TYPESCRIPT_FOLDER ROOT N SEED  ->  JSON lines {path, start, name, defs: [[path, start], ...]}
// Offsets are UTF-16 code units, as TypeScript counts them.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const [folder, root, count, seed] = process.argv.slice(2);
const ts = createRequire(import.meta.url)(path.join(folder, "lib", "typescript.js"));
const skipped = new Set(["node_modules", ".git", "dist", "build"]);

function* sources(directory) {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) yield* sources(full);
    } else if (/\.[cm]?tsx?$/.test(entry.name)) yield full;
  }
}

const files = [...sources(root)].sort();
const config = ts.findConfigFile(root, ts.sys.fileExists);
const parsed = config ? ts.parseJsonConfigFileContent(ts.readConfigFile(config, ts.sys.readFile).config, ts.sys, path.dirname(config)).options : {};
const options = {
  target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  allowJs: true, jsx: ts.JsxEmit.Preserve, strict: true, ...parsed, noEmit: true, types: [], allowImportingTsExtensions: true,
};
const host = {
  getScriptFileNames: () => files,
  getScriptVersion: () => "1",
  getScriptSnapshot: (name) => (fs.existsSync(name) ? ts.ScriptSnapshot.fromString(fs.readFileSync(name, "utf8")) : undefined),
  getCurrentDirectory: () => root,
  getCompilationSettings: () => options,
  getDefaultLibFileName: (o) => ts.getDefaultLibFilePath(o),
  fileExists: ts.sys.fileExists, readFile: ts.sys.readFile, readDirectory: ts.sys.readDirectory,
  directoryExists: ts.sys.directoryExists, getDirectories: ts.sys.getDirectories,
};
const service = ts.createLanguageService(host, ts.createDocumentRegistry());
const program = service.getProgram();

let state = Number(seed) >>> 0 || 1;
function random() {  // mulberry32
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

const places = [];
for (const name of files) {
  const source = program.getSourceFile(name);
  if (!source) continue;
  const visit = (node) => {
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) places.push([name, node.getStart(source), node.text]);
    ts.forEachChild(node, visit);
  };
  visit(source);
}
let left = Number(count);
while (left > 0 && places.length) {
  const at = Math.floor(random() * places.length);
  const [name, start, text] = places.splice(at, 1)[0];
  const found = service.getDefinitionAtPosition(name, start) ?? [];
  // A name at its own definition asks nothing; one that TypeScript does not know says nothing.
  if (!found.length || found.some((d) => d.fileName === name && d.textSpan.start === start)) continue;
  process.stdout.write(JSON.stringify({ path: name, start, name: text, defs: found.map((d) => [d.fileName, d.textSpan.start]) }) + "\n");
  left -= 1;
}
