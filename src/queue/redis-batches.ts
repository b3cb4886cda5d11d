import { createRedisBackend, raw2NextJobData, type JobsOptions, type RedisQueueBackend } from "bullmq";

type Argument = string | number | boolean | Buffer | undefined;
/** Keys, then arguments, as BullMQ hands them to a script of its own. */
type Arguments = readonly Argument[];

interface Batchable {
  /** 0-based positions of what differs from call to call; all else is sent once. */
  readonly own: readonly number[];
  /** Whether the rest of a call is the same as that of every other that fits. */
  readonly fits: (args: Arguments) => boolean;
  /** A call that found nothing answers for those behind it. */
  readonly endsEmpty: boolean;
  /** Calls that one command carries at most. */
  readonly most: number;
}

/** A few milliseconds of the server's time. */
const MANY = 200;
/**
 * Of calls whose replies are waited for by all that runs: the server works on the next command while the reply to
 * the one before is taken up here. With all of a turn in one, both would wait for each other.
 */
const SOME = 32;

const JOB_KEY = 11;
const FINISHED_KEYS = 14;

/** BullMQ's scripts by name, with the order of arguments of the release that package.json names. */
const BATCHABLE: Readonly<Record<string, Batchable>> = {
  // id, timestamp, property, value, target, fetch next, prefix, options, fields
  moveToFinished: {
    own: [JOB_KEY, ...[0, 1, 3, 5, 7].map((position) => FINISHED_KEYS + position)],
    fits: (args) => args[FINISHED_KEYS + 4] === "completed" && args[FINISHED_KEYS + 8] === undefined,
    endsEmpty: false,
    most: SOME,
  },
  // prefix, timestamp, options
  moveToActive: { own: [12, 13], fits: () => true, endsEmpty: true, most: MANY },
  // arguments, data, options
  addStandardJob: { own: [9, 10, 11], fits: () => true, endsEmpty: false, most: MANY },
};

/**
 * Lua around a script of BullMQ's, which stays as it is: calls it once for each call of the batch. One that
 * fails does so alone.
 *
 * ARGV: 1 to stop at an empty reply; how many positions are own; they, from 1; the arguments of the first
 * call behind its keys, with their count before; then each call's own.
 */
function batchScript(script: string): string {
  return `
local function script(KEYS, ARGV)
${script}
end
local all, at = ARGV, 3
local own, keys, args = {}, {}, {}
for i = 1, tonumber(all[2]) do own[i] = tonumber(all[at]); at = at + 1 end
for i = 1, #KEYS do keys[i] = KEYS[i] end
local count = tonumber(all[at])
for i = 1, count do args[i] = all[at + i] end
at = at + count + 1
local replies, last = {}, nil
while at <= #all do
  local reply = last
  if not last then
    for i = 1, #own do
      if own[i] <= #KEYS then keys[own[i]] = all[at + i - 1] else args[own[i] - #KEYS] = all[at + i - 1] end
    end
    local isDone
    isDone, reply = pcall(script, keys, args)
    if not isDone then
      if type(reply) ~= 'table' then reply = {err = 'ERR ' .. tostring(reply)} end
    elseif reply == nil then reply = false
    elseif all[1] == '1' and type(reply) == 'table' and (not reply[1] or reply[1] == 0) then last = reply
    end
  end
  replies[#replies + 1] = reply
  at = at + #own
end
return replies`;
}

interface Call {
  readonly args: Arguments;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What BullMQ's adapter for ioredis lets through: the commands that BullMQ defined, and ours. */
interface Client {
  readonly scriptsSet?: Readonly<Record<string, { readonly lua: string; readonly numberOfKeys: number }>>;
  defineCommand(name: string, definition: { lua: string; numberOfKeys: number }): void;
  runCommand(name: string, args: Arguments): Promise<unknown>;
}

/** Gathers calls of one script that are made in the same turn of the event loop into one command. */
class ScriptBatch {
  readonly #name: string;
  readonly #keys: number;
  readonly #how: Batchable;
  readonly #alone: (args: Arguments) => Promise<unknown>;
  #waiting: Call[] = [];

  constructor(name: string, keys: number, how: Batchable, alone: (args: Arguments) => Promise<unknown>) {
    this.#name = name;
    this.#keys = keys;
    this.#how = how;
    this.#alone = alone;
  }

  add(client: Client, args: Arguments): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ args, resolve, reject }) > 1) return;
      setImmediate(() => {
        const calls = this.#waiting;
        this.#waiting = [];
        const { most } = this.#how;
        for (let from = 0; from < calls.length; from += most) {
          void this.#send(client, calls.slice(from, from + most));
        }
      });
    });
  }

  async #send(client: Client, calls: readonly Call[]): Promise<void> {
    const [first] = calls;
    if (first === undefined) return;
    try {
      if (calls.length === 1) {
        first.resolve(await this.#alone(first.args));
        return;
      }
      const { own, endsEmpty } = this.#how;
      const args: Argument[] = first.args.slice(0, this.#keys);
      const shared = first.args.slice(this.#keys);
      args.push(endsEmpty ? 1 : 0, own.length, ...own.map((position) => position + 1));
      args.push(shared.length, ...shared);
      for (const call of calls) for (const position of own) args.push(call.args[position]);
      const replies = (await client.runCommand(batchName(this.#name), args)) as unknown[];
      for (const [index, call] of calls.entries()) {
        const reply = replies[index];
        // The list itself lives on with its command, in the old generation of the heap: it must not keep the jobs.
        replies[index] = null;
        if (reply instanceof Error) call.reject(reply);
        else call.resolve(reply);
      }
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }
}

function batchName(name: string): string {
  return `promptmill:${name}`;
}

/**
 * BullMQ's Redis backend, with many calls in one command where many are made at once: rows that are added,
 * started or completed together. What a call costs, here and on the way, is mostly the command itself, with
 * its fourteen keys and its reply; the scripts that run on the server are BullMQ's own.
 */
export const createBatchingBackend: typeof createRedisBackend = (name, opts, context) => {
  const backend = createRedisBackend(name, opts, context);
  const alone = backend.execCommand.bind(backend) as (
    client: Pick<Client, "runCommand">,
    command: string,
    args: Arguments,
  ) => Promise<unknown>;
  const batches = new Map<string, ScriptBatch | null>();

  const open = (client: Client, command: string, how: Batchable): ScriptBatch | null => {
    const scriptName = nameOf((recorder) => void alone(recorder, command, []));
    const script = client.scriptsSet?.[scriptName];
    if (script === undefined) return null;
    const { lua, numberOfKeys } = script;
    client.defineCommand(batchName(scriptName), { lua: batchScript(lua), numberOfKeys });
    return new ScriptBatch(scriptName, numberOfKeys, how, (args) => alone(client, command, args));
  };

  backend.execCommand = (connection: unknown, command: string, args: Arguments): Promise<unknown> => {
    const client = connection as Client;
    const how = BATCHABLE[command];
    if (how?.fits(args) !== true || client.scriptsSet === undefined) return alone(client, command, args);
    let batch = batches.get(command);
    if (batch === undefined) batches.set(command, (batch = open(client, command, how)));
    return batch === null ? alone(client, command, args) : batch.add(client, args);
  };

  // BullMQ's own collects the commands in a pipeline, one for each job.
  backend.addJobs = async (entries) => {
    const client = await backend.client;
    const ids = await Promise.allSettled(
      entries.map(({ job, jobId, parentKeyOpts }) =>
        backend.addJobToTransaction(client, job, jobId, parentKeyOpts),
      ),
    );
    return ids.map((id) => {
      if (id.status === "rejected") throw id.reason;
      return id.value;
    });
  };

  // As BullMQ's own, but that it compares the reply with zero, which makes a text of the whole next job.
  backend.moveToFinished = async (jobId, args) => {
    const client = await backend.client;
    const reply = (await backend.execCommand(client, "moveToFinished", args)) as number | unknown[];
    if (typeof reply === "number" && reply < 0) {
      throw backend.finishedErrors({ code: reply, jobId, command: "moveToFinished", state: "active" });
    }
    return raw2NextJobData(reply as unknown[]);
  };
  return backend;
};

/**
 * Adds jobs as BullMQ's `addBulk` does, those that are neither delayed, nor prioritized, nor children of others:
 * without making of each a Job that nobody looks at.
 */
export async function addPlainJobs(
  backend: Pick<RedisQueueBackend, "addJobs">,
  jobs: readonly { readonly name: string; readonly data: unknown; readonly opts: PlainOptions }[],
): Promise<void> {
  const unset = { progress: 0, attemptsMade: 0, attemptsStarted: 0, stalledCounter: 0 };
  const none = { failedReason: "", returnvalue: "null" };
  const timestamp = Date.now();
  await backend.addJobs(
    jobs.map(({ name, data, opts: { jobId, ...opts } }) => ({
      jobId,
      job: { id: jobId, name, data: JSON.stringify(data), opts, timestamp, ...unset, ...none },
    })),
  );
}

type PlainOptions = { readonly jobId: string } & Pick<
  JobsOptions,
  "attempts" | "backoff" | "stackTraceLimit"
>;

/** Under which name BullMQ has defined a script: its own, with its version. */
function nameOf(send: (recorder: Pick<Client, "runCommand">) => void): string {
  let name = "";
  send({
    runCommand: (scriptName) => {
      name = scriptName;
      return Promise.resolve(null);
    },
  });
  return name;
}
