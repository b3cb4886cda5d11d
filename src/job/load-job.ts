import { dirname } from "node:path";
import { readDefinitionFile } from "../config/definition-file.js";
import { resolveJob } from "./resolve-job.js";
import type { LoadedJob, LoadOptions } from "./resolve-job.js";

/**
 * Loads a job file (YAML or JSON); `path` is relative to the working folder, paths in it to the file.
 *
 * UsageError for a file that cannot be read, and with every problem of one that can, each with its line
 * and column.
 */
export async function loadJob(path: string, options: LoadOptions): Promise<LoadedJob> {
  const source = await readDefinitionFile(path, "job file");
  return resolveJob(source.data, { ...options, file: source.path, baseDir: dirname(source.path), source });
}
