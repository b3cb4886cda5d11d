import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

interface Frame {
  readonly functionName: string;
  readonly url: string;
}

/** What `node --cpu-prof` writes, as far as it is read here. Times in microseconds. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: Frame;
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** By folder of ours, or package; what comes first on the way from a sample to the root says who spent it. */
const STAGES: readonly (readonly [stage: string, place: RegExp])[] = [
  ["loading code", /node:internal\/modules|node_modules\/tsx\/|node:internal\/source_map/],
  ["input", /dist\/input\/|node_modules\/(csv-parse|iconv-lite)\//],
  ["requests: templates, digests", /dist\/(job|run\/(row|prepare))|node_modules\/liquidjs\//],
  [
    "queue: BullMQ, ioredis",
    /dist\/(queue|producer)\/|node_modules\/(bullmq|ioredis|redis-parser|msgpackr|denque)\//,
  ],
  ["calls: protocol, undici", /dist\/provider\/|node_modules\/undici\//],
  ["workers, pace", /dist\/worker\/|node_modules\/p-limit\//],
  ["journal, results, usage", /dist\/(writer|usage)\/|node_modules\/csv-stringify\//],
];

/** CPU seconds by stage, dearest first, of the largest profile in a folder. Idling and loading code are left out. */
export function secondsByStage(folder: string): [stage: string, seconds: number][] {
  const files = readdirSync(folder).map((name) => join(folder, name));
  const [largest = ""] = files.toSorted((a, b) => statSync(b).size - statSync(a).size);
  const profile = JSON.parse(readFileSync(largest, "utf8")) as Profile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  );
  const stages = new Map<number, string>();
  for (const { id } of profile.nodes) stages.set(id, stageOf(id, frames, parents));
  const seconds = new Map<string, number>();
  for (const [index, sample] of profile.samples.entries()) {
    const stage = stages.get(sample) ?? "";
    seconds.set(stage, (seconds.get(stage) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1e6);
  }
  for (const left of ["(idle)", "loading code"]) seconds.delete(left);
  return [...seconds].toSorted((a, b) => b[1] - a[1]);
}

function stageOf(
  id: number,
  frames: ReadonlyMap<number, Frame>,
  parents: ReadonlyMap<number, number>,
): string {
  const { functionName } = frames.get(id) as Frame;
  if (functionName === "(idle)") return functionName;
  if (functionName === "(garbage collector)") return "garbage collection";
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const { url } = frames.get(at) as Frame;
    const found = STAGES.find(([, place]) => place.test(url));
    if (found !== undefined) return found[0];
  }
  return "sockets, promises, the rest of Node";
}
