import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

export type Append = (data: string | Buffer) => Promise<void>;

/**
 * Writes a file so that readers see the old one or the whole new one, also after a power cut: to a
 * temporary file beside it, synced, renamed, and the folder synced. On failure nothing is left behind.
 * `temporary`: where to write meanwhile, over what an earlier process may have left there.
 */
export async function writeFileAtomically(
  path: string,
  write: (append: Append) => Promise<void>,
  temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`,
): Promise<void> {
  let file: FileHandle | null = await open(temporary, "w", 0o600);
  try {
    await write(async (data) => {
      await (file as FileHandle).writeFile(data);
    });
    await file.sync();
    await file.close();
    file = null;
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await file?.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes names in a folder durable. Windows cannot open folders and needs no such thing. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
