import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";

/** A database folder with BullMQ's tables in it, as `npm run queue-template` packs it. */
const TEMPLATE = new URL("../../assets/embedded-queue.tar.br", import.meta.url);

/**
 * The initialised database that ships, as a tar archive: unpacking it takes under a second, where making
 * one (`initdb`, migrations) takes five or more. null when it is not there.
 */
export async function readDatabaseTemplate(): Promise<Blob | null> {
  if (!existsSync(TEMPLATE)) return null;
  const tar = await promisify(brotliDecompress)(readFileSync(TEMPLATE));
  return new Blob([tar as Uint8Array<ArrayBuffer>], { type: "application/x-tar" });
}
