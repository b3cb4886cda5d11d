import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const source = (name: string): string => fileURLToPath(new URL(`../../src/${name}`, import.meta.url));
/** Imports and re-exports that are there when the program runs: not those of types, nor the dynamic ones. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;

function packagesLoadedBy(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  for (const [, target = ""] of readFileSync(file, "utf8").matchAll(STATIC_IMPORT)) {
    if (target.startsWith(".")) {
      const imported = resolve(dirname(file), target.replace(/\.js$/, ".ts"));
      for (const found of packagesLoadedBy(imported, seen)) packages.add(found);
    } else if (!target.startsWith("node:")) packages.add(target);
  }
  return packages;
}

describe("Starting the program", () => {
  it("loads nothing but the parser of command lines, whatever the command", () => {
    expect([...packagesLoadedBy(source("cli.ts"))]).toEqual(["commander"]);
  });

  it("of a run loads nothing that only some jobs and queues need", () => {
    const packages = [...packagesLoadedBy(source("run/run.ts"))];
    expect(packages).toContain("undici");
    const lazy = ["@electric-sql/pglite", "ajv", "ajv/dist/2019.js", "ajv/dist/2020.js", "image-size"];
    expect(packages.filter((name) => lazy.includes(name))).toEqual([]);
  });
});
