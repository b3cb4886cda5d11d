/** How far a correction may move an estimate: one odd answer must not stall or flood a run. */
const LEAST_RATIO = 0.25;
const MOST_RATIO = 4;
/** Weight that past observations keep at each new one: about the last 200 count. */
const DECAY = 0.995;
/** The estimator's worst known underestimate is -37% (Russian): 1 / 0.63, rounded up. */
const UNSEEN_MARGIN = 0.6;
/** Mean absolute deviations above the mean that nearly all requests stay below. */
const DEVIATIONS = 4;

export interface EstimateCorrectionState {
  readonly estimated: number;
  readonly actual: number;
  readonly deviation: number;
  readonly observations: number;
}

/**
 * Learns how true token counts relate to estimates, for one job and model.
 *
 * `expected` is for pacing: right on average. `safe` is for budgets: above nearly every true count, wide
 * (+60%) before anything was seen and narrowing as observations agree. Long texts weigh more than short
 * ones. Ratios stay within 0.25 to 4.
 */
export class EstimateCorrection {
  #estimated: number;
  #actual: number;
  #deviation: number;
  #observations: number;

  constructor(state?: EstimateCorrectionState) {
    this.#estimated = state?.estimated ?? 0;
    this.#actual = state?.actual ?? 0;
    this.#deviation = state?.deviation ?? 0;
    this.#observations = state?.observations ?? 0;
  }

  /** Takes in one attempt: the raw estimate and the provider's count. Ignores what is no count. */
  observe(estimatedTokens: number, actualTokens: number): void {
    if (!isCount(estimatedTokens) || !isCount(actualTokens)) return;
    const before = this.ratio;
    const ratio = Math.min(MOST_RATIO, Math.max(LEAST_RATIO, actualTokens / estimatedTokens));
    const miss = this.#observations === 0 ? 0 : Math.abs(ratio / before - 1);
    // While few were seen, each counts fully, so that the first one does not dominate for long.
    const weight = Math.max(1 - DECAY, 1 / (this.#observations + 1));
    this.#deviation += (miss - this.#deviation) * weight;
    this.#estimated = this.#estimated * DECAY + estimatedTokens;
    this.#actual = this.#actual * DECAY + actualTokens;
    this.#observations += 1;
  }

  /** True tokens per estimated token; 1 before anything was seen. */
  get ratio(): number {
    if (this.#estimated === 0) return 1;
    return Math.min(MOST_RATIO, Math.max(LEAST_RATIO, this.#actual / this.#estimated));
  }

  /** The likely true count, rounded up. */
  expected(estimatedTokens: number): number {
    return Math.ceil(estimatedTokens * this.ratio);
  }

  /** A count that the true one hardly exceeds, rounded up. Never below `expected`. */
  safe(estimatedTokens: number): number {
    const margin = UNSEEN_MARGIN / (1 + this.#observations) + DEVIATIONS * this.#deviation;
    return Math.ceil(estimatedTokens * this.ratio * (1 + Math.min(margin, MOST_RATIO)));
  }

  toJSON(): EstimateCorrectionState {
    return {
      estimated: this.#estimated,
      actual: this.#actual,
      deviation: this.#deviation,
      observations: this.#observations,
    };
  }
}

function isCount(tokens: number): boolean {
  return tokens >= 1 && tokens < 1e12;
}
