import type { Job } from "bullmq";
import { UsageError } from "../errors.js";
import { describeInput, fingerprint } from "../input/index.js";
import { rowIndexOfJobId } from "../queue/names.js";
import { mapStrings, parsePayload, unpackText } from "../queue/payload.js";
import { openQueueServer } from "../queue/queue-server.js";
import type { RunQueue } from "../queue/run-queue.js";
import { gaveUpResult } from "../worker/row-result.js";
import { JournalIndex } from "../writer/journal-index.js";
import { loadJournal } from "../writer/journal-load.js";
import { Writer } from "../writer/writer.js";
import { answeredBy, type ModelServer } from "./model-server.js";
import { prepareInput } from "./prepare.js";
import { matchRows, rewriteJournal } from "./match-rows.js";
import type { RunRecord } from "./record.js";
import { COORDINATOR_WORKER_PREFIX, settleFinished } from "./recover.js";
import { rowsOfFile, rowsInMemory } from "./row-source.js";
import type { RunDirectory } from "./run-directory.js";
import type { Session } from "./session.js";

/** How long workers elsewhere may take to end the calls that they have under way. */
const PATIENCE_MS = 90_000;
const LOOK_MS = 250;

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
 * Takes the input as it is now for a run's input. Answers of rows whose id and request are the same stay
 * theirs, wherever the rows stand now; all others are called. Answers that no row has any more stay in the
 * journal as extra ones: they were paid for.
 *
 * UsageError when the new input is not sound, or when workers elsewhere still hold rows of the old one.
 */
export async function acceptChangedInput(
  session: Session,
  directory: RunDirectory,
  record: RunRecord,
  models: Pick<ModelServer, "endpoint" | "providerName">,
): Promise<AcceptedInput> {
  if ((await fingerprint(record.input.path)).sha256 === record.input.sha256) return { record, message: null };
  const limit = record.rows === record.input.rows ? null : record.rows;
  const prepared = await prepareInput(record.job, {
    limit,
    vendor: models.endpoint.vendor,
    signal: session.signal,
  });
  // A crash may have left the journal with more rows than run.json knows of.
  const rowsAtMost = Math.max(record.rows, prepared.rows);
  await emptyQueue(session, directory, record, rowsAtMost);
  const journalPath = directory.file("journal.jsonl");
  const source =
    prepared.keptRows === null
      ? rowsOfFile(prepared.summary, record.job.input)
      : rowsInMemory(prepared.keptRows);
  const matches = await matchRows({
    journalPath,
    rowsAtMost,
    source,
    rows: prepared.rows,
    builder: prepared.builder,
    answeredBy: answeredBy(models),
    // Without an id column an id is the row's number, which says nothing about the row.
    idsCount: record.job.input.id !== null,
  });
  await rewriteJournal(journalPath, rowsAtMost, matches);
  const accepted: RunRecord = { ...record, input: prepared.summary, rows: prepared.rows };
  await directory.write(accepted);
  return {
    record: accepted,
    message: `The changed input is accepted: ${matches.moves.size} of ${prepared.rows} rows keep their results, ${prepared.rows - matches.moves.size} are called.`,
  };
}

/** What rows that are not settled have cost so far is known to the queue alone. */
async function recordStarts(queue: RunQueue, writer: Writer): Promise<void> {
  const at = new Date().toISOString();
  for (const { jobId } of await queue.pending()) {
    const job: Job<unknown> | undefined = await queue.queue.getJob(jobId);
    if (job === undefined || job.attemptsStarted === 0) continue;
    const payload = parsePayload(mapStrings(job.data, unpackText));
    const { attemptsStarted } = job;
    const failedReason = "the input changed before it was answered";
    const result = gaveUpResult(rowIndexOfJobId(jobId), { payload, attemptsStarted, failedReason }, at);
    if (result.possiblyBilled > 0 || result.priorUsages !== undefined)
      writer.recordCost({ ...result, orphaned: true });
  }
  await writer.drain();
}

/** Settles what the queue still holds of the old input, then takes the run off it. */
async function emptyQueue(
  session: Session,
  directory: RunDirectory,
  record: RunRecord,
  rows: number,
): Promise<void> {
  const journalPath = directory.file("journal.jsonl");
  const loaded = await loadJournal(journalPath, rows).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return { index: new JournalIndex(), size: 0 };
  });
  const server = await openQueueServer({
    url: session.queueUrl,
    embeddedRoot: session.embeddedRoot,
    embeddedDirectory: record.queue.directory,
  });
  try {
    const queue = server.openRunQueue(record.runId);
    const writer = await Writer.open({
      journalPath,
      journalSize: loaded.size,
      index: loaded.index,
      forget: () => Promise.resolve(),
      drop: () => Promise.resolve(),
      onSettled: () => {},
      onFailure: () => {},
    });
    try {
      await queue.queue.pause();
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        await settleFinished(queue, writer);
        const held = (await queue.pending()).filter(
          ({ lockToken }) => lockToken !== null && !lockToken.startsWith(COORDINATOR_WORKER_PREFIX),
        ).length;
        if (held === 0) break;
        if (performance.now() > deadline) {
          throw new UsageError(`Workers elsewhere still hold ${held} rows of the old input.`, {
            code: "rows_in_flight",
            hint: "Stop them, or wait a minute, and try again.",
          });
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      await settleFinished(queue, writer);
      await recordStarts(queue, writer);
      if (writer.failure !== null) throw writer.failure;
      await queue.destroy();
    } finally {
      await writer.close();
      await queue.close();
    }
  } finally {
    await server.close();
  }
}
