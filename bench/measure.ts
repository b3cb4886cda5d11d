/** What one contestant prints: one JSON line on stdout. */
export interface Measurement {
  readonly rows: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** From the model server's first call to its last answer: without what comes before and after. */
  readonly callsPerSecond: number;
  /** User and system CPU of this process alone. */
  readonly cpuSecondsPer1000: number;
  readonly peakMb: number;
}

/** What the model server says of itself. */
export interface ServerLoad {
  readonly inFlight: number;
  /** From the first call since a restart to the last answer. */
  readonly calledSeconds: number;
}

/** Asks the model server; `restart`: its count of seconds begins anew. */
export async function serverLoad(baseUrl: string, restart = false): Promise<ServerLoad> {
  const response = await fetch(restart ? `${baseUrl}/restart` : baseUrl);
  return (await response.json()) as ServerLoad;
}

/** About 1 KB of text, different for each row. */
export function promptOf(row: number): string {
  return `${row} ${"The quick brown fox jumps over the lazy dog near the river bank. ".repeat(15)}`;
}

/**
 * Rows that each contestant does before it is timed, with clients and connections of their own. It takes so many
 * until the engine has compiled what a row needs; what that costs is shown by the contestants from cold.
 */
export const WARM_UP_ROWS = 2_000;

/** Times the work and prints a Measurement. `warmUp` runs before and is not counted. */
export async function measure(
  rows: number,
  baseUrl: string,
  work: () => Promise<void>,
  warmUp: () => Promise<void> = async () => {},
): Promise<void> {
  await warmUp();
  await serverLoad(baseUrl, true);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const { calledSeconds } = await serverLoad(baseUrl);
  const measurement: Measurement = {
    rows,
    seconds,
    rowsPerSecond: rows / seconds,
    callsPerSecond: rows / calledSeconds,
    cpuSecondsPer1000: (cpu.user + cpu.system) / 1000 / rows,
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}
