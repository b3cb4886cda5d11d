// `npm test`: set-up, then every test. Arguments go to vitest: npm test -- test/writer
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "./run-to-end.mjs";
import { prepare, root } from "./setup.mjs";
import { ensureChromium, ensureRedis } from "./system-programs.mjs";

const args = process.argv.slice(2);
prepare();
ensureRedis();
if (pageTestsAreSelected()) ensureChromium();

const folder = mkdtempSync(join(tmpdir(), "promptmill-tests-"));
const report = join(folder, "report.json");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
const exitCode = await runToEnd([vitest, "run", ...reporters, ...args], { cwd: root });
const { passed, failed, skipped } = readCounts();
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
process.exitCode = exitCode === 0 && (failed > 0 || passed === 0) ? 1 : exitCode;

/** As vitest selects: a file is run when its path contains one of the names given, or none was given. */
function pageTestsAreSelected() {
  const pages = join(root, "test", "pages");
  if (!existsSync(pages)) return false;
  const names = args.filter((arg) => !arg.startsWith("-"));
  return readdirSync(pages)
    .filter((file) => file.endsWith(".test.ts"))
    .some((file) => names.length === 0 || names.some((name) => `test/pages/${file}`.includes(name)));
}

/** A file that could not even be loaded counts as one failed test, and so does a run without a report. */
function readCounts() {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const count = (...states) =>
    testResults.flatMap((file) => file.assertionResults).filter(({ status }) => states.includes(status))
      .length;
  const broken = testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  return {
    passed: count("passed"),
    failed: count("failed") + broken.length,
    skipped: count("skipped", "pending", "todo", "disabled"),
  };
}
