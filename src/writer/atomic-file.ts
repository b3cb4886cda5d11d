import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes a file so that readers see the old one or the whole new one, also after a power cut: to a
 * temporary file beside it, synced, renamed, and the folder synced. On failure nothing is left behind.
 */
export async function writeFileAtomically(
  path: string,
  write: (append: (data: string | Buffer) => Promise<void>) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  let file: FileHandle | null = await open(temporary, "wx", 0o600);
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
