import type { Timing } from "../../../src/protocol/timing.js";
import type { Findings } from "./findings.js";
import type { Engine, SimProcess } from "./engine.js";
import type { Random } from "./random.js";

/** How a call ends, unless its worker dies: what the provider did, and what its client learns. */
export type CallEnd =
  "answer" | "unusable" | "server error" | "row error" | "throttled" | "timeout" | "refused key";

export interface SentCall {
  /** Worker and number of the attempt. */
  readonly key: string;
  readonly worker: string;
  readonly row: number;
  readonly process: SimProcess;
  isPromised: boolean;
  readonly end: CallEnd;
  readonly isBilled: boolean;
  endsAt: number;
}

export interface CallToSend {
  readonly key: string;
  readonly worker: string;
  readonly row: number;
  readonly process: SimProcess;
  /** false: nothing is promised of it. */
  readonly isPromised: boolean;
}

interface Limits {
  readonly concurrency: number;
  readonly timing: Pick<Timing, "callMs">;
  readonly budget: number | null;
}

/** A provider that bills what it was sent, also when nobody is there any more to hear the answer. A call costs 1. */
export class SimProvider {
  readonly sent: SentCall[] = [];
  readonly sentKeys = new Set<string>();
  /** Until then it refuses everybody's key. */
  refusesUntil = 0;
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #findings: Findings;
  readonly #limits: Limits;

  constructor(parts: { engine: Engine; random: Random; findings: Findings; limits: Limits }) {
    this.#engine = parts.engine;
    this.#random = parts.random;
    this.#findings = parts.findings;
    this.#limits = parts.limits;
  }

  send(call: CallToSend): SentCall {
    const { now } = this.#engine;
    const random = this.#random;
    const { callMs } = this.#limits.timing;
    const end = this.#end();
    const lasts =
      end === "timeout" ? callMs : random.chance(0.8) ? random.between(1, 12) : random.between(1, callMs - 2);
    const sent: SentCall = { ...call, end, isBilled: this.#isBilled(end), endsAt: now + lasts };
    this.sent.push(sent);
    this.sentKeys.add(call.key);
    this.#check();
    return sent;
  }

  get billed(): number {
    return this.sent.filter(({ isBilled }) => isBilled).length;
  }

  #end(): CallEnd {
    if (this.refusesUntil > this.#engine.now) return "refused key";
    const share = this.#random.next();
    if (share < 0.72) return "answer";
    if (share < 0.78) return "unusable";
    if (share < 0.86) return "server error";
    if (share < 0.9) return "throttled";
    return share < 0.95 ? "row error" : "timeout";
  }

  #isBilled(end: CallEnd): boolean {
    if (end === "answer" || end === "unusable") return true;
    return (
      (end === "timeout" && this.#random.chance(0.8)) || (end === "server error" && this.#random.chance(0.3))
    );
  }

  #check(): void {
    const { now } = this.#engine;
    const { concurrency, budget } = this.#limits;
    const sent = this.sent.filter(({ isPromised }) => isPromised);
    const flying = sent.filter(({ endsAt, process: { isAlive } }) => endsAt > now && isAlive).length;
    if (flying > concurrency)
      this.#findings.flag("too many calls", `${flying} calls, ${concurrency} allowed`);
    if (budget === null) return;
    const spent = sent.filter(({ isBilled, endsAt }) => isBilled || endsAt > now).length;
    if (spent > budget)
      this.#findings.flag("over budget", `${spent} spent or under way, the budget is ${budget}`);
  }
}
