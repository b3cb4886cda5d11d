import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { EventEmitter } from "node:events";
import { UsageError } from "../errors.js";
import { CompletionBatch, isCompletion, type QueryResult } from "./completion-batch.js";
import { readDatabaseTemplate } from "./embedded-template.js";
import { tryProcessLock, type ProcessLock } from "../process-lock.js";

/** BullMQ's PostgreSQL backend keeps its tables in this schema. */
const SCHEMA = "bullmq";
/**
 * BullMQ writes three events per job for readers of its event stream, a third of all work here. Nobody
 * reads it in a database that one process holds.
 */
const NO_EVENTS = `
  CREATE OR REPLACE FUNCTION ${SCHEMA}.publish_event(p_queue text, p_event text, p_data jsonb)
  RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN 0; END $$`;

/** Runs that can be under way at once from one folder; each needs a database of its own. */
const MAX_SLOTS = 32;

export interface EmbeddedDatabase {
  readonly pg: PGlite;
  /** What BullMQ takes for a connection pool. */
  readonly pool: PgPool;
  readonly directory: string;
  close(): Promise<void>;
}

/**
 * Opens the embedded queue's database below `root` (`.promptmill`), made on first use.
 *
 * A PGlite directory takes one process at a time: a second run gets a directory of its own (`queue-2`).
 * `directory` asks for the one that a run used before; UsageError when a living process has it.
 */
export async function openEmbeddedDatabase(
  root: string,
  directory: string | null,
): Promise<EmbeddedDatabase> {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const slot = directory === null ? takeFreeSlot(root) : takeSlot(directory);
  try {
    const pg = await openPglite(slot.directory);
    const pool = new PgPool(pg);
    await migrateIfNeeded(pg, pool);
    await pg.exec(`SET search_path TO "${SCHEMA}"`);
    await pg.exec(NO_EVENTS);
    writeFileSync(readyMark(slot.directory), "");
    return {
      pg,
      pool,
      directory: slot.directory,
      close: async () => {
        await pg.close();
        slot.lock.release();
      },
    };
  } catch (error) {
    slot.lock.release();
    throw error;
  }
}

/** Says that a database was made to its end: one whose making was interrupted is thrown away. */
function readyMark(directory: string): string {
  return `${directory}.ready`;
}

async function openPglite(directory: string): Promise<PGlite> {
  const { PGlite } = await import("@electric-sql/pglite");
  if (existsSync(readyMark(directory))) return await PGlite.create(directory);
  rmSync(directory, { recursive: true, force: true });
  const template = await readDatabaseTemplate();
  if (template === null) return await PGlite.create(directory);
  try {
    return await PGlite.create(directory, { loadDataDir: template });
  } catch {
    // packed for another version of PostgreSQL than this PGlite holds
    rmSync(directory, { recursive: true, force: true });
    return await PGlite.create(directory);
  }
}

function takeFreeSlot(root: string): { directory: string; lock: ProcessLock } {
  for (let slot = 1; slot <= MAX_SLOTS; slot++) {
    const directory = join(root, slot === 1 ? "queue" : `queue-${slot}`);
    const lock = tryProcessLock(`${directory}.lock`);
    if ("release" in lock) return { directory, lock };
  }
  throw new UsageError(`All ${MAX_SLOTS} embedded queues below ${root} are in use.`, {
    code: "embedded_queues_busy",
    hint: "Wait for a run to end, or use a Redis server: --queue redis://127.0.0.1:6379",
  });
}

function takeSlot(directory: string): { directory: string; lock: ProcessLock } {
  const lock = tryProcessLock(`${directory}.lock`);
  if ("release" in lock) return { directory, lock };
  throw new UsageError(`The embedded queue ${directory} is in use by ${lock.heldBy}.`, {
    code: "embedded_queue_busy",
    hint: "Wait for that run to end, then resume again.",
  });
}

async function migrate(pool: PgPool): Promise<void> {
  const { runMigrations } = await import("bullmq");
  await runMigrations((await pool.connect()) as never, SCHEMA);
}

/** A database of an earlier version of BullMQ is brought up to date; a current one costs one query. */
async function migrateIfNeeded(pg: PGlite, pool: PgPool): Promise<void> {
  const { LATEST_SCHEMA_VERSION } = await import("bullmq");
  try {
    const { rows } = await pg.query<{ version: number }>(
      `SELECT max(version)::int AS version FROM ${SCHEMA}.migration`,
    );
    if (rows[0]?.version === LATEST_SCHEMA_VERSION) return;
  } catch {
    // no ledger yet: the process that made the directory died before its tables were there
  }
  await migrate(pool);
}

interface Notification {
  readonly channel: string;
  readonly payload: string;
}

/**
 * The part of node-postgres' `Pool` that BullMQ uses, over one in-process PGlite session. Statements that
 * carry several commands go through `exec`; notifications arrive as pg's `notification` events.
 */
export class PgPool extends EventEmitter {
  /** BullMQ reads `keepAlive` to decide how long it may block; there is no socket that could drop. */
  readonly options = { keepAlive: true };
  readonly #pg: PGlite;
  readonly #completions: CompletionBatch;

  constructor(pg: PGlite) {
    super();
    this.setMaxListeners(0); // one for each queue and worker
    this.#pg = pg;
    this.#completions = new CompletionBatch(pg);
  }

  async query(text: string, params?: readonly unknown[]): Promise<QueryResult> {
    if (params === undefined) {
      const results = await this.#pg.exec(text);
      const last = results.at(-1);
      return { rows: last?.rows ?? [], rowCount: last?.affectedRows ?? 0 };
    }
    if (isCompletion(text)) return await this.#completions.add(params);
    const result = await this.#pg.query(text, [...params]);
    return { rows: result.rows, rowCount: result.affectedRows ?? result.rows.length };
  }

  connect(): Promise<PgClient> {
    return Promise.resolve(new PgClient(this.#pg, this));
  }

  /** The database is closed by whoever opened it. */
  end(): Promise<void> {
    return Promise.resolve();
  }
}

class PgClient extends EventEmitter {
  readonly #pg: PGlite;
  readonly #pool: PgPool;
  readonly #unsubscribe = (channel: string, payload: string) => {
    this.emit("notification", { channel, payload } satisfies Notification);
  };
  #listening = false;

  constructor(pg: PGlite, pool: PgPool) {
    super();
    this.setMaxListeners(0);
    this.#pg = pg;
    this.#pool = pool;
  }

  query(text: string, params?: readonly unknown[]): Promise<QueryResult> {
    if (!this.#listening && /^\s*(--.*\s+)*LISTEN\b/i.test(text)) {
      this.#listening = true;
      this.#pg.onNotification(this.#unsubscribe);
    }
    return this.#pool.query(text, params);
  }

  release(): void {
    if (this.#listening) this.#pg.offNotification(this.#unsubscribe);
    this.#listening = false;
  }
}
