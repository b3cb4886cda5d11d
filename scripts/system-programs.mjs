// Programs of the system that tests need: looked for, and installed where a package manager may do so unasked.
import { spawnSync } from "node:child_process";
import { giveUp, say } from "./setup.mjs";

const redis = {
  name: "Redis 7 or newer (redis-server)",
  why: "the queue's tests run on a real one",
  commands: ["redis-server", "valkey-server"],
  isEnough: (versionText) => Number(/v=(\d+)/.exec(versionText)?.[1] ?? 0) >= 7,
  packages: { "apt-get": "redis-server", dnf: "valkey", apk: "redis", brew: "redis" },
};
const chromium = {
  name: "Chromium",
  why: "the report's page is tested in a real browser",
  commands: ["chromium", "chromium-browser", "google-chrome"],
  isEnough: () => true,
  packages: { "apt-get": "chromium", dnf: "chromium", apk: "chromium", brew: "chromium" },
};

export function ensureRedis() {
  ensure(redis);
}

export function ensureChromium() {
  ensure(chromium);
}

function ensure(program) {
  if (isThere(program)) return;
  const manager = ["apt-get", "dnf", "apk", "brew"].find((command) => runs(command, ["--version"]));
  const prefix = manager === "brew" ? [] : rootPrefix();
  if (manager !== undefined && prefix !== null) {
    say(`Installing ${program.packages[manager]} with ${manager}: ${program.why} ...`);
    install(manager, prefix, program.packages[manager]);
    if (isThere(program)) return;
  }
  giveUp(
    `${program.name} is missing: ${program.why}. Nothing was tested.\n${howToInstall(program, manager)}`,
  );
}

function isThere({ commands, isEnough }) {
  return commands.some((command) => {
    const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    return status === 0 && isEnough(stdout);
  });
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** What goes before a command that only root may run; null when we may not. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return runs("sudo", ["-n", "true"]) ? ["sudo", "-n"] : null;
}

function install(manager, prefix, packageName) {
  const steps = {
    // env, because sudo drops the environment.
    "apt-get": [
      ["apt-get", "update", "-q"],
      [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-qy",
        "--no-install-recommends",
        packageName,
      ],
    ],
    dnf: [["dnf", "install", "-qy", packageName]],
    apk: [["apk", "add", "--no-cache", packageName]],
    brew: [["brew", "install", packageName]],
  }[manager];
  for (const step of steps) {
    const [command, ...args] = [...prefix, ...step];
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status !== 0) say(`${stdout ?? ""}${stderr ?? ""}`);
  }
}

function howToInstall({ packages }, manager) {
  const commands = {
    "apt-get": `sudo apt-get update && sudo apt-get install ${packages["apt-get"]}`,
    dnf: `sudo dnf install ${packages.dnf}`,
    apk: `sudo apk add ${packages.apk}`,
    brew: `brew install ${packages.brew}`,
  };
  const lines = manager === undefined ? Object.values(commands) : [commands[manager]];
  return `Install it, then run npm test again:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
