import type { ModelRequest, Usage } from "../types.js";
import { estimateRequestTokens, EstimateCorrection, outputTokenBound } from "../usage/index.js";

/** Output of a call of which nothing is known yet. */
const UNSEEN_OUTPUT = 512;
/** Weight of a new observation: about the last fifty count. */
const WEIGHT = 0.02;

/** Tokens that a call will use, learned from what calls of the same run and model have used. */
export class PaceTokens {
  readonly #correction = new EstimateCorrection();
  #output = 0;
  #total = 0;
  #observations = 0;

  /** The estimate before correction; it is what `observe` wants back. */
  estimate(request: ModelRequest): number {
    return estimateRequestTokens(request);
  }

  /** Input and output tokens that the call is likely to use. */
  expected(estimate: number, request: ModelRequest): number {
    const bound = outputTokenBound(request) ?? Number.POSITIVE_INFINITY;
    const output = this.#observations === 0 ? UNSEEN_OUTPUT : this.#output;
    return this.#correction.expected(estimate) + Math.ceil(Math.min(bound, output));
  }

  /** `estimate`: null when none was made. */
  observe(estimate: number | null, usage: Usage): void {
    if (estimate !== null) this.#correction.observe(estimate, usage.inputTokens);
    const weight = Math.max(WEIGHT, 1 / (this.#observations + 1));
    this.#output += (usage.outputTokens - this.#output) * weight;
    this.#total += (usage.inputTokens + usage.outputTokens - this.#total) * weight;
    this.#observations += 1;
  }

  /** Tokens of a usual call. */
  get mean(): number {
    return this.#observations === 0 ? UNSEEN_OUTPUT : Math.max(1, this.#total);
  }
}
