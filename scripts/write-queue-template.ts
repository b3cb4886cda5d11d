/**
 * Makes assets/embedded-queue.tar.br anew: run it when PGlite's PostgreSQL or BullMQ's tables change
 * (a test tells). Takes about two minutes, nearly all of it compression.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { openEmbeddedDatabase } from "../src/queue/embedded.js";

const target = new URL("../assets/embedded-queue.tar.br", import.meta.url);
rmSync(target, { force: true }); // else it would be its own source
const folder = mkdtempSync(join(tmpdir(), "promptmill-template-"));
try {
  const database = await openEmbeddedDatabase(folder, null);
  const { pg } = database;
  await pg.exec("VACUUM FULL");
  await pg.exec("CHECKPOINT");
  const tar = Buffer.from(await (await pg.dumpDataDir("none")).arrayBuffer());
  await database.close();
  const packed = brotliCompressSync(tar, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      // The three databases that initdb makes are nearly alike, and further apart than a small window.
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: tar.length,
    },
  });
  writeFileSync(target, packed);
  process.stdout.write(`assets/embedded-queue.tar.br: ${tar.length} bytes packed into ${packed.length}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
