import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterFile, afterTest } from "./after-test.js";

/** An empty folder for one test, gone after it. The space is there to be coped with. */
export async function tempFolder(): Promise<string> {
  const path = await makeFolder();
  afterTest(() => removeFolder(path));
  return path;
}

/** The same for all tests of a file. */
export async function tempFolderOfFile(): Promise<string> {
  const path = await makeFolder();
  afterFile(() => removeFolder(path));
  return path;
}

let embeddedRoot: Promise<string> | undefined;

/**
 * A folder in which the embedded queue of earlier tests of the file is found: making its database takes
 * seconds, and what a test does not look at need not be new.
 */
export async function tempFolderWithQueue(): Promise<string> {
  const path = await tempFolder();
  embeddedRoot ??= tempFolderOfFile();
  const root = join(await embeddedRoot, "queues");
  await mkdir(root, { recursive: true });
  await symlink(root, join(path, ".promptmill"));
  return path;
}

/** A name that no other test uses, fit for run ids. */
export function freshId(prefix = "test"): string {
  return `${prefix}-${randomBytes(6).toString("hex")}`;
}

function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "promptmill test-"));
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5 });
}
