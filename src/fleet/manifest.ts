import { z } from "zod";
import { PROTOCOL_VERSION } from "../protocol/events.js";
import type { HubConnection } from "./hub-connection.js";

const RUNS_KEY = "promptmill:runs";

/** What a worker must know to serve a run. Names a provider; never a host, a key or a header. */
export const manifestSchema = z.object({
  v: z.literal(PROTOCOL_VERSION),
  identity: z.uuid(),
  runId: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/),
  provider: z.string(),
  region: z.string().nullable(),
  protocol: z.enum(["openai", "dashscope"]),
  attempts: z.int().min(1),
  timeoutMs: z.number().positive(),
  concurrency: z.int().min(1),
  limits: z
    .object({
      requestsPerMinute: z.number().positive().optional(),
      tokensPerMinute: z.number().positive().optional(),
    })
    .optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** A live run as a worker sees it: one of this version, or one that only a worker of another version can serve. */
export type AnnouncedRun =
  | { readonly identity: string; readonly manifest: Manifest }
  | { readonly identity: string; readonly manifest: null; readonly version: unknown };

/** The live runs of a Redis: how workers find them. Rejects as the connection does. */
export class Manifests {
  readonly #connection: HubConnection;

  constructor(connection: HubConnection) {
    this.#connection = connection;
  }

  async announce(manifest: Manifest): Promise<void> {
    const text = JSON.stringify(manifest);
    await this.#connection.ask((redis) => redis.hset(RUNS_KEY, manifest.identity, text));
  }

  /** The run has ended or pauses. */
  async withdraw(identity: string): Promise<void> {
    await this.#connection.ask((redis) => redis.hdel(RUNS_KEY, identity));
  }

  async list(): Promise<AnnouncedRun[]> {
    const all = await this.#connection.ask((redis) => redis.hgetall(RUNS_KEY));
    return Object.entries(all).map(([identity, text]) => {
      const value = parseJson(text);
      const manifest = manifestSchema.safeParse(value);
      if (manifest.success && manifest.data.identity === identity)
        return { identity, manifest: manifest.data };
      return { identity, manifest: null, version: (value as { v?: unknown } | null)?.v };
    });
  }
}

/** Why a worker refuses a run without a manifest of its version. */
export function otherVersion(version: unknown): string {
  if (version === PROTOCOL_VERSION) return "what is announced of the run cannot be read";
  const theirs = typeof version === "number" ? `version ${version}` : "another version";
  return `the run is of ${theirs}, this worker reads version ${PROTOCOL_VERSION}; use the same promptmill on both sides`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
