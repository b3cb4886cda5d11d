import type { PGlite } from "@electric-sql/pglite";

export interface QueryResult {
  readonly rows: unknown[];
  readonly rowCount: number;
}

/** Parameters of BullMQ's `move_to_completed_fetch`, in its order, with the types it declares. */
const COLUMNS = [
  ["queue", "text"],
  ["id", "text"],
  ["token", "text"],
  ["return_value", "text"],
  ["finished_on", "bigint"],
  ["remove_all", "boolean"],
  ["keep_age", "bigint"],
  ["keep_count", "integer"],
  ["lock_ms", "bigint"],
  ["now_ms", "bigint"],
  ["worker", "text"],
  ["limiter_max", "integer"],
  ["limiter_duration", "bigint"],
] as const;

const DECLARED = COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ");
const PASSED = COLUMNS.map(([name]) =>
  name === "return_value" ? "c.return_value::jsonb" : `c.${name}`,
).join(", ");

/** Completes many jobs, in order, each with the next one it claims; `batch_position` counts from 1. */
const COMPLETE_ALL = `
  SELECT c.batch_position, job.*
    FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (${DECLARED}))
         WITH ORDINALITY AS c(${COLUMNS.map(([name]) => name).join(", ")}, batch_position)
   CROSS JOIN LATERAL move_to_completed_fetch(${PASSED}) AS job`;

const COMPLETE_ONE = `SELECT * FROM move_to_completed_fetch(
  $1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;

/** Whether this is the statement by which BullMQ completes a job and claims the next. */
export function isCompletion(text: string): boolean {
  return text.includes("FROM move_to_completed_fetch(");
}

interface Waiting {
  readonly params: readonly unknown[];
  readonly resolve: (result: QueryResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the completions that come while one is under way, and makes one statement of them: what a
 * statement costs in PGlite is mostly the statement itself.
 *
 * When one of them fails, none has happened, and each is made on its own, so that the failure meets the
 * job it belongs to.
 */
export class CompletionBatch {
  readonly #pg: PGlite;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(pg: PGlite) {
    this.#pg = pg;
  }

  add(params: readonly unknown[]): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ params, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Rows that were flushed to the journal together end in the same turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      if (batch.length === 1 || !(await this.#completeAll(batch))) {
        for (const one of batch) await this.#completeOne(one);
      }
    }
    this.#isRunning = false;
  }

  async #completeAll(batch: readonly Waiting[]): Promise<boolean> {
    const records = batch.map(({ params }) =>
      Object.fromEntries(COLUMNS.map(([name], index) => [name, params[index] ?? null])),
    );
    try {
      const { rows } = await this.#pg.query<{ batch_position: number }>(COMPLETE_ALL, [
        JSON.stringify(records),
      ]);
      const byPosition = new Map(rows.map((row) => [row.batch_position, row]));
      batch.forEach(({ resolve }, index) => {
        const row = byPosition.get(index + 1);
        resolve({ rows: row === undefined ? [] : [row], rowCount: row === undefined ? 0 : 1 });
      });
      return true;
    } catch {
      return false;
    }
  }

  async #completeOne({ params, resolve, reject }: Waiting): Promise<void> {
    try {
      const { rows } = await this.#pg.query(COMPLETE_ONE, [...params]);
      resolve({ rows, rowCount: rows.length });
    } catch (error) {
      reject(error);
    }
  }
}
