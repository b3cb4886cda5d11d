import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { inputError } from "./input-error.js";

/**
 * Copies standard input to a file, byte for byte, and syncs the file and its folder.
 *
 * What came through a pipe cannot be read again, and a resume must: so a run reads the copy. The file is
 * created or replaced, readable by its owner only. A terminal, where nothing was piped, is a UsageError.
 */
export async function copyStandardInput(
  to: string,
  from: NodeJS.ReadableStream = process.stdin,
): Promise<void> {
  if ("isTTY" in from && from.isTTY === true) {
    throw inputError(
      "standard_input_is_terminal",
      "The input is `-`, standard input, but nothing is piped into it.",
      "Pipe a file in, for example `promptmill run job.yaml --input - < rows.csv`, or name the file.",
    );
  }
  const file = await open(to, "w", 0o600);
  try {
    for await (const chunk of from) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
  const folder = await open(dirname(to), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
