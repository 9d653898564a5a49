// The README for the package: with its pictures inside. VS Code shows an installed extension's README without knowing
// where the files beside it are, and an address would need a network.
import { readFileSync, writeFileSync } from "node:fs";

const [, , from, to] = process.argv;
const inside = readFileSync(from, "utf8").replace(/\]\((media\/[\w-]+\.png)\)/g, (_, path) => {
  return `](data:image/png;base64,${readFileSync(path).toString("base64")})`;
});
writeFileSync(to, inside);
