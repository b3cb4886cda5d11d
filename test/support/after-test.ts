import { afterAll, afterEach } from "vitest";

type Release = () => unknown;

const releases: Release[] = [];
const atEnd: Release[] = [];
const living = new Map<string, { isAlive: () => boolean; end: () => unknown }>();

/** Runs after the test, last one first, also when the test failed. */
export function afterTest(release: Release): void {
  releases.push(release);
}

/** Runs after the last test of the file. */
export function afterFile(release: Release): void {
  atEnd.push(release);
}

/** Something that the test must have ended by itself (a process, a worker): a test that leaves it running fails. */
export function mustEnd(name: string, isAlive: () => boolean, end: () => unknown): void {
  living.set(name, { isAlive, end });
}

/** Installed for every test file by vitest.config.ts. */
export function installCleanUp(): void {
  afterEach(async () => {
    const left = [...living].filter(([, { isAlive }]) => isAlive());
    living.clear();
    for (const [, { end }] of left) await end();
    for (const release of releases.splice(0).reverse()) await release();
    if (left.length > 0)
      throw new Error(`Still running after the test: ${left.map(([name]) => name).join(", ")}`);
  });
  afterAll(async () => {
    for (const release of atEnd.splice(0).reverse()) await release();
  });
}
