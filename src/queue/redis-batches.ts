import {
  createRedisBackend,
  raw2NextJobData,
  type JobJson,
  type JobsOptions,
  type MinimalJob,
  type RedisClient,
  type RedisQueueBackend,
} from "bullmq";

type Argument = string | number | boolean | Buffer | undefined;

/**
 * Texts that differ from call to call, as BullMQ is shown them when it is asked what it would send. Each is short
 * enough for MessagePack to write its length into one byte.
 */
const OPEN_ID = "<promptmill:id>";
const OPEN_TOKEN = "<promptmill:token>";
const OPEN_VALUE = "<promptmill:value>";
const OPEN_DATA = "<promptmill:data>";

interface Batchable {
  /** The open texts, as they stand in the arguments. */
  readonly open: readonly string[];
  /** A call that found nothing answers for those behind it. */
  readonly endsEmpty: boolean;
  /** Calls that one command carries at most. */
  readonly most: number;
}

/** A few milliseconds of the server's time. */
export const MOST_AT_ONCE = 200;
/**
 * Of calls whose replies are waited for by all that runs: the server works on the next command while the reply to
 * the one before is taken up here. With all of a turn in one, both would wait for each other.
 */
const SOME = 32;

const COMPLETING: Batchable = {
  open: [OPEN_ID, JSON.stringify(OPEN_VALUE), OPEN_TOKEN],
  endsEmpty: false,
  most: SOME,
};
const STARTING: Batchable = { open: [OPEN_TOKEN], endsEmpty: true, most: MOST_AT_ONCE };
const ADDING: Batchable = { open: [OPEN_ID, OPEN_DATA], endsEmpty: false, most: MOST_AT_ONCE };

/** Of BullMQ's event stream, which nobody reads here: four entries a row were a tenth of the server's time. */
const WRITES_EVENT = /\b(?:rcall|redis\.call)\(\s*(["'](?:XADD|XTRIM)["'])/g;

/**
 * Lua around a script of BullMQ's, which stays as it is but for its events: calls it once for each call of the batch.
 * One that fails does so alone.
 *
 * ARGV: a Plan as JSON, then each call's own texts. A job that was started comes back as its id, its data and a line
 * of the rest, unless it is one that only BullMQ makes: each field would be an object of its own to the parser.
 */
function batchScript(script: string): string {
  return `
local function noEvent() end
local function script(KEYS, ARGV)
${script.replaceAll(WRITES_EVENT, "noEvent($1")}
end
local plan = cjson.decode(ARGV[1])
local function bytes(hex)
  return (string.gsub(hex, '..', function(digits) return string.char(tonumber(digits, 16)) end))
end
local function packed(text)
  local length = #text
  if length < 32 then return string.char(160 + length) .. text end
  if length < 256 then return string.char(217, length) .. text end
  return string.char(218, math.floor(length / 256), length % 256) .. text
end
local isPlain = {
  name = true, data = true, opts = true, timestamp = true, delay = true, priority = true, processedOn = true,
  pb = true, ats = true, atm = true, stc = true,
}
local function started(reply)
  local job, fields = {}, reply[1]
  if reply[3] ~= 0 or reply[4] ~= 0 then return reply end
  for i = 1, #fields, 2 do
    if not isPlain[fields[i]] then return reply end
    job[fields[i]] = fields[i + 1]
  end
  if not job.name or not job.data or not job.opts or string.find(job.name, ' ', 1, true) then return reply end
  local rest = {
    job.name, job.timestamp or '0', job.delay or '0', job.priority or '0', job.processedOn or '0',
    job.ats or '0', job.atm or '0', job.stc or '0', job.opts,
  }
  return {reply[2], job.data, table.concat(rest, ' ')}
end

local keys, args = {}, {}
for i = 1, #KEYS do keys[i] = KEYS[i] end
for i = 1, #plan.args do args[i] = plan.args[i] end
for _, at in ipairs(plan.packed) do args[at] = bytes(args[at]) end
for _, slot in ipairs(plan.slots) do
  if slot.packed then
    slot.head = bytes(slot.head)
    slot.tail = bytes(slot.tail)
  end
end
local replies, last = {}, nil
for from = 2, #ARGV, plan.texts do
  local reply = last
  if not last then
    for _, slot in ipairs(plan.slots) do
      local text = ARGV[from + slot.text]
      if slot.packed then text = packed(text) end
      text = slot.head .. text .. slot.tail
      if slot.at <= #KEYS then keys[slot.at] = text else args[slot.at - #KEYS] = text end
    end
    local isDone
    isDone, reply = pcall(script, keys, args)
    if not isDone then
      if type(reply) ~= 'table' then reply = {err = 'ERR ' .. tostring(reply)} end
    elseif reply == nil then reply = false
    elseif type(reply) == 'table' then
      if type(reply[1]) == 'table' then reply = started(reply)
      elseif plan.endsEmpty then last = reply
      end
    elseif type(reply) == 'string' then reply = 1 -- its id is known to whoever added it
    end
  end
  replies[#replies + 1] = reply
end
return replies`;
}

/** Where an open text stands in the arguments, 1-based, and what stands around it: bytes in hex where it is packed. */
interface Slot {
  readonly at: number;
  /** 0-based, among a call's own texts. */
  readonly text: number;
  readonly packed: boolean;
  readonly head: string;
  readonly tail: string;
}

/** What the calls of a batch have in common, for the script around them. */
interface Plan {
  /** Behind the keys. */
  readonly args: readonly string[];
  /** Which of them are bytes in hex, 1-based. */
  readonly packed: readonly number[];
  readonly slots: readonly Slot[];
  /** How many texts each call has of its own. */
  readonly texts: number;
  readonly endsEmpty: boolean;
}

function planOf(sent: readonly Argument[], keyCount: number, { open, endsEmpty }: Batchable): Plan {
  const args: string[] = [];
  const packed: number[] = [];
  const slots: Slot[] = [];
  for (const [index, argument] of sent.entries()) {
    const slot = slotOf(argument, index + 1, open);
    if (slot !== null) slots.push(slot);
    if (index < keyCount) continue;
    const isPacked = Buffer.isBuffer(argument);
    if (isPacked && slot === null) packed.push(index - keyCount + 1);
    args.push(isPacked ? argument.toString("hex") : String(argument ?? ""));
  }
  return { args, packed, slots, texts: open.length, endsEmpty };
}

function slotOf(argument: Argument, at: number, open: readonly string[]): Slot | null {
  const isPacked = Buffer.isBuffer(argument);
  if (!isPacked && typeof argument !== "string") return null;
  const text = open.findIndex((opened) => argument.includes(opened));
  const opened = open[text];
  if (opened === undefined) return null;
  const start = argument.indexOf(opened);
  const end = start + opened.length;
  if (!isPacked)
    return { at, text, packed: false, head: argument.slice(0, start), tail: argument.slice(end) };
  // Before a short text stands its length, which is another for each call.
  if (argument[start - 1] !== 0xa0 + opened.length)
    throw new Error("BullMQ packs its options otherwise now.");
  const head = argument.toString("hex", 0, start - 1);
  return { at, text, packed: true, head, tail: argument.toString("hex", end) };
}

/**
 * How long what BullMQ would send is kept: its times of day are as much behind, at most, and the next of a run's
 * many batches need not ask again.
 */
const SAMPLE_MS = 20;

/** What BullMQ would send. */
interface Sent {
  /** BullMQ's own, with its version. */
  readonly script: string;
  /** Keys, then arguments. */
  readonly args: readonly Argument[];
}

/** A batch's command, but for the texts of its calls. */
interface Command {
  readonly name: string;
  readonly head: readonly Argument[];
}

interface Call {
  readonly texts: readonly string[];
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What BullMQ's adapter for ioredis lets through: the commands that BullMQ defined, and ours. */
interface Client {
  readonly scriptsSet?: Readonly<Record<string, { readonly lua: string; readonly numberOfKeys: number }>>;
  defineCommand(name: string, definition: { lua: string; numberOfKeys: number }): void;
  runCommand(name: string, args: readonly Argument[]): Promise<unknown>;
}

/** Gathers calls of one script that are made in the same turn of the event loop, alike but for a few texts. */
class ScriptBatch {
  readonly #client: Promise<Client>;
  readonly #how: Batchable;
  /** Makes a call of the open texts, on a backend that only notes down what it would send. */
  readonly #sample: () => Promise<Sent>;
  #sampledAt = -Infinity;
  #command: Promise<Command> | null = null;
  #waiting: Call[] = [];

  constructor(client: Promise<Client>, how: Batchable, sample: () => Promise<Sent>) {
    this.#client = client;
    this.#how = how;
    this.#sample = sample;
  }

  /** `texts`: in the order of the open ones. */
  add(texts: readonly string[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ texts, resolve, reject }) > 1) return;
      setImmediate(() => {
        const calls = this.#waiting;
        this.#waiting = [];
        const { most } = this.#how;
        for (let from = 0; from < calls.length; from += most) void this.#send(calls.slice(from, from + most));
      });
    });
  }

  async #send(calls: readonly Call[]): Promise<void> {
    try {
      const client = await this.#client;
      const { name, head } = await this.#commandOf(client);
      const args: Argument[] = [...head];
      for (const { texts } of calls) for (const text of texts) args.push(text);
      const replies = (await client.runCommand(name, args)) as unknown[];
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

  #commandOf(client: Client): Promise<Command> {
    if (this.#command === null || performance.now() - this.#sampledAt > SAMPLE_MS) {
      this.#sampledAt = performance.now();
      this.#command = this.#define(client);
    }
    return this.#command;
  }

  async #define(client: Client): Promise<Command> {
    const { script, args } = await this.#sample();
    const definition = client.scriptsSet?.[script];
    if (definition === undefined) throw new Error(`BullMQ has not defined ${script} here.`);
    const { lua, numberOfKeys } = definition;
    const name = `promptmill:${script}`;
    if (client.scriptsSet?.[name] === undefined)
      client.defineCommand(name, { lua: batchScript(lua), numberOfKeys });
    const plan = JSON.stringify(planOf(args, numberOfKeys, this.#how));
    return { name, head: [...args.slice(0, numberOfKeys), plan] };
  }
}

/**
 * BullMQ's Redis backend, with many calls in one command where many are made at once: rows that are added,
 * started or completed together. What a call costs, here and on the way, is mostly the command itself, with
 * its fourteen keys, its packed options and its reply; the scripts that run on the server are BullMQ's own, and so is
 * what is sent to them: BullMQ is asked for it every now and then.
 */
export const createBatchingBackend: typeof createRedisBackend = (name, opts, context) => {
  const backend = createRedisBackend(name, opts, context);
  const bullmq = Object.getPrototypeOf(backend) as RedisQueueBackend;
  const batches = new Map<string, ScriptBatch>();

  const batchOf = (
    key: string,
    how: Batchable,
    call: (backend: RedisQueueBackend, client: RedisClient) => Promise<unknown>,
  ): ScriptBatch => {
    let batch = batches.get(key);
    if (batch === undefined) {
      const client = backend.client as unknown as Promise<Client>;
      batches.set(key, (batch = new ScriptBatch(client, how, () => sampleOf(backend, call))));
    }
    return batch;
  };

  backend.moveToActive = async (token, workerName) => {
    const start = batchOf("start", STARTING, (standIn) =>
      bullmq.moveToActive.call(standIn, OPEN_TOKEN, workerName),
    );
    return startedJob(await start.add([token]));
  };

  backend.moveToCompleted = async (job, returnValue, removeOnComplete, token, fetchNext) => {
    const complete = batchOf(
      JSON.stringify(["complete", fetchNext, removeOnComplete, job.opts.attempts]),
      COMPLETING,
      (standIn) => {
        const open = { id: OPEN_ID, opts: job.opts } as MinimalJob;
        return bullmq.moveToCompleted.call(
          standIn,
          open,
          OPEN_VALUE,
          removeOnComplete,
          OPEN_TOKEN,
          fetchNext,
        );
      },
    );
    const jobId = job.id ?? "";
    const finishedOn = Date.now();
    const reply = await complete.add([jobId, JSON.stringify(returnValue), token]);
    if (typeof reply === "number" && reply < 0) {
      throw backend.finishedErrors({ code: reply, jobId, command: "moveToFinished", state: "active" });
    }
    return { result: startedJob(reply), finishedOn };
  };

  // BullMQ's own collects the commands in a pipeline, one for each job.
  backend.addJobs = async (entries) => {
    const adding = entries.map(({ job, jobId, parentKeyOpts }) => {
      if (parentKeyOpts !== undefined) throw new Error("Rows have no parents.");
      const { name: jobName, opts: jobOptions } = job;
      const add = batchOf(JSON.stringify(["add", jobName, jobOptions]), ADDING, (standIn, client) => {
        const open = { ...job, id: OPEN_ID, data: OPEN_DATA, timestamp: Date.now() };
        return standIn.addJobToTransaction(client, open, OPEN_ID);
      });
      return add.add([jobId, job.data]);
    });
    for (const reply of await Promise.allSettled(adding)) if (reply.status === "rejected") throw reply.reason;
    return entries.map(({ jobId }) => jobId);
  };
  return backend;
};

/** What BullMQ sends for a call: it is made on a stand-in whose client notes down what it is given. */
async function sampleOf(
  backend: RedisQueueBackend,
  call: (backend: RedisQueueBackend, client: RedisClient) => Promise<unknown>,
): Promise<Sent> {
  let sent: Sent | null = null;
  const client = {
    runCommand: (script: string, args: readonly Argument[]) => {
      sent = { script, args };
      return Promise.resolve(0);
    },
  } as unknown as RedisClient;
  const queue = Object.create(backend["queue"], { client: { value: Promise.resolve(client) } }) as object;
  await call(Object.create(backend, { queue: { value: queue } }) as RedisQueueBackend, client);
  if (sent === null) throw new Error("BullMQ sends this by another way now.");
  return sent;
}

/** As BullMQ has it: the job that was started, its id, and how long to wait if there is none. */
type Started = [JobJson | null, string, number, number] | [];

/** Of the reply of a batch's script, or of BullMQ's own where that was let through. */
function startedJob(reply: unknown): Started {
  if (!Array.isArray(reply) || reply.length !== 3) return raw2NextJobData(reply as unknown[]) as Started;
  const [id, data, line] = reply as [string, string, string];
  const fields = line.split(" ", 8);
  const [jobName = "", ...numbers] = fields;
  const [timestamp, delay, priority, processedOn, attemptsStarted, attemptsMade, stalledCounter] = numbers;
  const json: Omit<JobJson, "failedReason" | "returnvalue"> = {
    id,
    name: jobName,
    data,
    opts: optionsOf(line.slice(fields.reduce((length, field) => length + field.length + 1, 0))),
    progress: 0,
    delay: Number(delay),
    priority: Number(priority),
    timestamp: Number(timestamp),
    processedOn: Number(processedOn),
    attemptsStarted: Number(attemptsStarted),
    attemptsMade: Number(attemptsMade),
    stalledCounter: Number(stalledCounter),
  };
  return [json as JobJson, id, 0, 0];
}

/** The rows of a run share their options, nearly always; BullMQ makes a copy of them for each job. */
let lastOptions: { readonly text: string; readonly options: JobsOptions } | null = null;

function optionsOf(text: string): JobsOptions {
  if (lastOptions?.text !== text) {
    const [job] = raw2NextJobData([["opts", text], "", 0, 0]) as [JobJson];
    lastOptions = { text, options: job.opts };
  }
  return lastOptions.options;
}

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
