import { PromptmillError } from "../../src/errors.js";
import { Journal } from "../../src/journal/journal.js";
import { IDENTITY, settled } from "../support/journal.js";
import { answered } from "../support/results.js";

/** Writes rows until the disk is full, then once more and a flush; prints what came of it. */
const journal = await Journal.create(process.argv[2] ?? "", IDENTITY);
const errors: object[] = [];
const note = (error: unknown): void => {
  if (!(error instanceof PromptmillError)) throw error;
  errors.push({ name: error.name, code: error.code, exitCode: error.exitCode });
};
let written = 0;
const write = (): void => {
  journal.write([{ event: settled(answered(written, "x".repeat(1_000))) }]);
  written++;
};
while (errors.length < 2) {
  try {
    write();
  } catch (error) {
    note(error);
  }
}
await journal.flush().catch(note);
await journal.close();
process.stdout.write(JSON.stringify({ written, errors }));
