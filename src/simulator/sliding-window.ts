const bucketMs = 100;
const bucketsPerSecond = 10;
const bucketCount = 600;

/**
 * Sums over the last second, the last minute and each of the last seconds, in buckets of 100 ms. Time is
 * given, in milliseconds of any clock that does not go back.
 */
export class SlidingWindow {
  readonly #buckets = new Float64Array(bucketCount);
  #current = -1;
  #minute = 0;

  add(amount: number, nowMs: number): void {
    this.#advance(nowMs);
    const index = this.#current % bucketCount;
    this.#buckets[index] = (this.#buckets[index] ?? 0) + amount;
    this.#minute += amount;
  }

  lastMinute(nowMs: number): number {
    this.#advance(nowMs);
    return this.#minute;
  }

  lastSecond(nowMs: number): number {
    this.#advance(nowMs);
    return this.#second(0);
  }

  /** The most in any of the `seconds` seconds that came before the last one. */
  peakSecondBefore(seconds: number, nowMs: number): number {
    this.#advance(nowMs);
    let peak = 0;
    for (let back = 1; back <= seconds; back++) peak = Math.max(peak, this.#second(back));
    return peak;
  }

  #second(back: number): number {
    let sum = 0;
    for (let index = 0; index < bucketsPerSecond; index++) {
      const bucket = this.#current - back * bucketsPerSecond - index;
      if (bucket >= 0) sum += this.#buckets[bucket % bucketCount] ?? 0;
    }
    return sum;
  }

  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / bucketMs);
    if (this.#current < 0) this.#current = bucket;
    const expired = Math.min(bucket - this.#current, bucketCount);
    for (let step = 1; step <= expired; step++) {
      const index = (bucket - expired + step) % bucketCount;
      this.#minute -= this.#buckets[index] ?? 0;
      this.#buckets[index] = 0;
    }
    if (bucket > this.#current) this.#current = bucket;
  }
}
