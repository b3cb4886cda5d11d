import { randomUUID } from "node:crypto";
import { UsageError } from "../errors.js";
import { describeInput, fingerprint } from "../input/index.js";
import { acceptInput } from "../journal/index.js";
import { matchedResults } from "./match-rows.js";
import { answeredBy, type ModelServer } from "./model-server.js";
import { prepareInput } from "./prepare.js";
import type { RunRecord } from "./record.js";
import { rowsInMemory, rowsOfFile } from "./row-source.js";
import type { RunDirectory } from "./run-directory.js";
import type { Session } from "./session.js";

/** UsageError, saying what changed, when the input is not the file with which the run began. */
export async function refuseChangedInput(record: RunRecord): Promise<void> {
  const { path, bytes, sha256, columns } = record.input;
  const now = await fingerprint(path);
  if (now.sha256 === sha256) return;
  const described = await describeInput(record.job.input).catch(() => null);
  const added = described?.columns.filter((column) => !columns.includes(column)) ?? [];
  const removed = described === null ? [] : columns.filter((column) => !described.columns.includes(column));
  const parts = [
    `${bytes} bytes then, ${now.bytes} bytes now${now.bytes === bytes ? ", with other contents" : ""}`,
    ...(added.length > 0 ? [`new columns ${added.join(", ")}`] : []),
    ...(removed.length > 0 ? [`columns gone: ${removed.join(", ")}`] : []),
  ];
  throw new UsageError(`The input ${path} has changed since the run began: ${parts.join("; ")}.`, {
    code: "input_changed",
    hint: `Put the old file back, start a new run, or keep the answers of rows that are the same: promptmill resume ${record.runId} --accept-changed-input`,
  });
}

/** What became of a run whose input changed. */
export interface AcceptedInput {
  readonly record: RunRecord;
  /** For the user; null when nothing had changed. */
  readonly message: string | null;
}

/**
 * Takes the input as it is now for a run's input. Answers of rows whose id and request are the same stay theirs, wherever the
 * rows stand now; all others are called. What the old rows cost stays counted, and calls of theirs without an end are listed as
 * possibly billed. The run gets a new identity, so that nothing of the old rows reaches the new ones.
 *
 * UsageError when the new input is not sound.
 */
export async function acceptChangedInput(
  session: Session,
  directory: RunDirectory,
  record: RunRecord,
  models: Pick<ModelServer, "endpoint" | "providerName">,
): Promise<AcceptedInput> {
  if ((await fingerprint(record.input.path)).sha256 === record.input.sha256) return { record, message: null };
  const { vendor } = models.endpoint;
  const { summary, rows, builder, keptRows } = await prepareInput(record.job, {
    limit: record.rows === record.input.rows ? null : record.rows,
    vendor,
    signal: session.signal,
  });
  const identity = randomUUID();
  const kept = await acceptInput({
    directory: directory.path,
    identity,
    rowsBefore: record.rows,
    results: matchedResults({
      directory: directory.path,
      record,
      source: keptRows === null ? rowsOfFile(summary, record.job.input) : rowsInMemory(keptRows),
      rows,
      builder,
      context: { answeredBy: answeredBy(models), vendor },
      // Without an id column an id is the row's number, which says nothing about the row.
      idsCount: record.job.input.id !== null,
    }),
  });
  const accepted: RunRecord = { ...record, identity, input: summary, rows };
  await directory.write(accepted);
  return {
    record: accepted,
    message: `The changed input is accepted: ${kept} of ${rows} rows keep their results, ${rows - kept} are called.`,
  };
}
