/** What the simulation holds a run to. */
export const PROMISES = {
  "one result":
    "a row has one result, the same for all who read the journal, at the place where it is looked for",
  "row lost": "every row has a result when the run is done",
  "called again": "a row whose result is recorded is not called again",
  "billed call lost": "every billed call is counted, or listed as possibly billed",
  "counted twice": "a billed call is counted once",
  "never sent": "no call is listed that was never sent",
  "two coordinators":
    "a coordinator that was replaced starts nothing, and nothing starts under a fence that was replaced",
  "too many calls": "no more calls are under way than the run may make at once",
  "over budget": "the run costs no more than its budget",
  "halted early": "a run halts for its budget only when no further call can be paid",
  "no end": "a run ends when faults end",
  foreign: "nothing of another run, row or request is recorded",
  "good row failed": "a row fails as worker_lost only when three workers died that called it alone",
} as const;
export type Promised = keyof typeof PROMISES;

/** What was broken in a schedule: each promise with the first time that it was. */
export class Findings {
  readonly broken = new Map<Promised, string>();
  readonly say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.say = say;
  }

  flag(promise: Promised, how: string): void {
    if (this.broken.has(promise)) return;
    this.broken.set(promise, how);
    this.say(`*** BROKEN: ${PROMISES[promise]}: ${how}`);
  }
}
