/** What was acquired, to be given back in reverse order. */
export class Resources {
  #releases: (() => unknown)[] = [];

  /** Notes how something is given back. */
  onRelease(release: () => unknown): void {
    this.#releases.push(release);
  }

  /** Gives all back, last in, first out. Each is tried; the first failure is thrown in the end. */
  async release(): Promise<void> {
    const failures: unknown[] = [];
    for (const release of this.#releases.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
