// What `npm start`, `npm test` and .ci/run do first. Plain Node without packages: none are there yet.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, wherever it lies and whatever its path contains. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Says what is going on, on stderr: stdout belongs to the program that is started. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Ends with a message instead of a stack trace. */
export function giveUp(text) {
  say(text);
  process.exit(1);
}

/** As `engines` in package.json has it: ^20.19.0 || ^22.12.0 || >=24. */
export function isSupportedNode(version) {
  const [major, minor] = version.split(".").map(Number);
  return major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
}

/** Brings the checkout to a state in which the program runs: Node checked, packages there, built. */
export function prepare() {
  if (!isSupportedNode(process.versions.node)) {
    giveUp(
      `promptmill needs Node 20.19 or newer (or 22.12 or newer, or 24 and up). This is Node ${process.versions.node}.\n` +
        "Install a current one from https://nodejs.org and try again.",
    );
  }
  if (!packagesAreCurrent()) installPackages();
  build();
}

/** True when everything package-lock.json asks for on this platform is in node_modules, by its version. */
function packagesAreCurrent() {
  const wanted = readJson("package-lock.json");
  const found = readJson("node_modules/.package-lock.json");
  if (wanted === null)
    giveUp("package-lock.json is missing or broken. Restore it: git checkout package-lock.json");
  if (found === null) return false;
  return Object.entries(wanted.packages).every(
    ([path, { version, optional }]) =>
      path === "" || found.packages[path]?.version === version || (optional && !(path in found.packages)),
  );
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8"));
  } catch {
    return null;
  }
}

function installPackages() {
  say("Installing packages (once; takes up to a minute or two) ...");
  // npm_execpath is npm's own script when npm started us; found on the path otherwise.
  const npm = process.env["npm_execpath"];
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const isScript = npm !== undefined && /\.[cm]?js$/.test(npm);
  const done = isScript
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, encoding: "utf8" })
    : spawnSync("npm", args, { cwd: root, encoding: "utf8", shell: process.platform === "win32" });
  if (done.status !== 0) {
    giveUp(
      `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}\n` +
        "npm could not install the packages. Check the network (or your proxy and registry), then try again.",
    );
  }
}

/**
 * Compiles src/ to dist/ when dist/ was made from other sources.
 *
 * What it was made from is kept as a digest, since times say little after a checkout. The new dist/ takes the
 * old one's place only when it is whole, so that a program running from it and a second build do no harm.
 */
export function build() {
  const digest = sourcesDigest();
  const stamp = join(root, "dist", ".sources");
  if (readText(stamp) === digest) return;
  say("Building ...");
  const fresh = join(root, `dist.${process.pid}.tmp`);
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const done = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", fresh], {
    cwd: root,
    encoding: "utf8",
  });
  if (done.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    giveUp(`${done.stdout}${done.stderr}\nThe build failed: the sources above do not compile.`);
  }
  copyData(join(root, "src"), fresh);
  writeFileSync(join(fresh, ".sources"), digest);
  const old = join(root, `dist.${process.pid}.old.tmp`);
  try {
    renameSync(join(root, "dist"), old);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  try {
    renameSync(fresh, join(root, "dist"));
  } catch (error) {
    // Somebody else's build came first; it is from the same sources.
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    rmSync(fresh, { recursive: true, force: true });
  }
  rmSync(old, { recursive: true, force: true });
}

/** tsc leaves behind what is read at run time instead of imported (the price table). */
function copyData(from, to) {
  for (const path of filesBelow(from)) {
    if (/\.[cm]?ts$/.test(path)) continue;
    const target = join(to, relative(from, path));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(path, target);
  }
}

function sourcesDigest() {
  const hash = createHash("sha256");
  const settings = ["tsconfig.json", "tsconfig.build.json", "node_modules/typescript/package.json"];
  for (const path of [...settings.map((name) => join(root, name)), ...filesBelow(join(root, "src"))]) {
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update("\0");
  }
  return hash.digest("hex");
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    });
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
