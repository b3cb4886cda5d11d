import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";

/** What the lock's protocol needs of a folder. Each call is one atomic step. */
export interface LockFiles {
  /** Names in the folder; none when there is no folder. */
  list(): string[];
  /** null: no such file. */
  read(name: string): string | null;
  /** Makes the folder. A lock file of the version before, in its place, is removed. */
  open(): void;
  /**
   * Makes a file with its whole text. False when the name is taken; also when another process cleared the
   * folder meanwhile: read it again.
   */
  create(name: string, text: string): boolean;
  /** As far as it can be: the next one who clears the folder tries again. */
  remove(name: string): void;
}

/**
 * The folder on disk. link(2) makes a file whole and at most once, also on NFS; where a file system has no
 * links, an exclusive copy does, whose text may be seen half written.
 *
 * The version before had one file in the folder's place: it is shown as the file "0".
 */
export class LockFolder implements LockFiles {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  list(): string[] {
    return unless({ ENOENT: [], ENOTDIR: ["0"] }, () => fs.readdirSync(this.#path));
  }

  read(name: string): string | null {
    return unless({ ENOENT: null, ENOTDIR: null, ESTALE: null }, () =>
      fs.readFileSync(this.#file(name), "utf8"),
    );
  }

  open(): void {
    // unlink(2) refuses a folder, so that this removes only a file of the version before
    unless({ ENOENT: null, EISDIR: null, EPERM: null }, () => fs.unlinkSync(this.#path));
    unless({ EEXIST: null }, () => fs.mkdirSync(this.#path, { mode: 0o700 }));
  }

  create(name: string, text: string): boolean {
    const temporary = this.#file(`${randomUUID()}.tmp`);
    const target = this.#file(name);
    return unless({ EEXIST: false, ENOENT: false }, () => {
      fs.writeFileSync(temporary, text, { mode: 0o600 });
      try {
        linkOrCopy(temporary, target);
      } finally {
        removeIfPossible(temporary);
      }
      return true;
    });
  }

  remove(name: string): void {
    removeIfPossible(this.#file(name));
  }

  /** Since the file was made, by the clocks of this machine and of the disk's. */
  ageMs(name: string): number {
    return unless({ ENOENT: Infinity }, () => Date.now() - fs.statSync(this.#file(name)).ctimeMs);
  }

  #file(name: string): string {
    return name === "0" ? this.#path : join(this.#path, name);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || code === "ENOENT") throw error;
    fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL);
  }
}

function removeIfPossible(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // see LockFiles.remove
  }
}

/** The call's value, or the one named for the error that it ended with. */
function unless<T, E>(values: Readonly<Record<string, E>>, call: () => T): T | E {
  try {
    return call();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (Object.hasOwn(values, code)) return values[code] as E;
    throw error;
  }
}
