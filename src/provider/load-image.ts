import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.js";
import { readBelow } from "./read-below.js";

/** Limits of an image sent as base64. Source: Model Studio visual understanding page, 2026. */
const FILE_BYTES = 7 * 1024 * 1024;
const SHORTEST_SIDE = 10;
const WIDEST_RATIO = 200;

interface ImageType {
  readonly mime: string;
  readonly matches: (bytes: Buffer) => boolean;
}

const TYPES: readonly ImageType[] = [
  { mime: "image/png", matches: (bytes) => startsWith(bytes, 0, "89504e470d0a1a0a") },
  { mime: "image/jpeg", matches: (bytes) => startsWith(bytes, 0, "ffd8ff") },
  {
    mime: "image/gif",
    matches: (bytes) => startsWith(bytes, 0, "474946383761") || startsWith(bytes, 0, "474946383961"),
  },
  {
    mime: "image/webp",
    matches: (bytes) => startsWith(bytes, 0, "52494646") && startsWith(bytes, 8, "57454250"),
  },
  { mime: "image/bmp", matches: (bytes) => startsWith(bytes, 0, "424d") },
];

/**
 * Makes what a row names as an image into a URL that can be sent: http(s), data: and oss:// URLs pass as
 * they are, a local file (a path relative to `root`, or a file: URL) becomes a base64 data: URL. It must lie below
 * `root` by its real path: rows come from anywhere, and what they name leaves this machine.
 *
 * A file must be PNG, JPEG, GIF, WebP or BMP by its first bytes, below 7 MB, with sides of 10 pixels or
 * more and not longer than 200:1. UsageError naming the file otherwise.
 */
export async function loadImage(source: string, root: string): Promise<string> {
  const wanted = source.trim();
  if (/^(https?|data|oss):/i.test(wanted)) return checkedUrl(wanted);
  const { mime, bytes } = await readChecked(pathOf(wanted, root), root);
  return `data:${mime};base64,${bytes.toString("base64")}`;
}

/** Refuses what `loadImage` would refuse of a local file, without making the URL. */
export async function checkImage(source: string, root: string): Promise<void> {
  await readChecked(pathOf(source.trim(), root), root);
}

async function readChecked(
  file: string,
  root: string,
): Promise<{ readonly mime: string; readonly bytes: Buffer }> {
  const bytes = await readImage(file, root);
  const type = TYPES.find((each) => each.matches(bytes));
  if (type === undefined) throw refuse(file, "is no PNG, JPEG, GIF, WebP or BMP image", "unknown_image_type");
  await checkSides(file, bytes);
  return { mime: type.mime, bytes };
}

function checkedUrl(url: string): string {
  if (/^data:/i.test(url)) {
    if (!/^data:(image|video)\/[\w.+-]+;base64,/i.test(url)) {
      throw refuse(url.slice(0, 40), "is no data:image/…;base64 URL", "invalid_image_url");
    }
  } else if (!URL.canParse(url)) {
    throw refuse(url, "is not a URL", "invalid_image_url");
  }
  return url;
}

function pathOf(source: string, root: string): string {
  if (source === "") throw refuse("an image", "has an empty name", "image_unreadable");
  if (!/^file:/i.test(source)) return resolve(root, source);
  try {
    return fileURLToPath(source);
  } catch (error) {
    throw refuse(source, "is no local file: URL", "invalid_image_url", error);
  }
}

async function readImage(file: string, root: string): Promise<Buffer> {
  const read = await readBelow(file, root, FILE_BYTES);
  if (typeof read !== "string") return read;
  if (read === "too large") throw refuse(file, `is not below ${FILE_BYTES} bytes`, "image_too_large");
  throw refuse(file, NOT_READ[read].replace("ROOT", root), "image_unreadable");
}

const NOT_READ = {
  outside: "is not below ROOT, the folder that this job may read images from (imageRoot)",
  missing: "does not exist",
  unreadable: "cannot be read",
  "no file": "is not a file",
} as const;

async function checkSides(file: string, bytes: Buffer): Promise<void> {
  const { width, height } = await sidesOf(file, bytes);
  if (Math.min(width, height) < SHORTEST_SIDE) {
    throw refuse(
      file,
      `is ${width}×${height} pixels; each side must have at least ${SHORTEST_SIDE}`,
      "image_too_small",
    );
  }
  if (Math.max(width, height) / Math.min(width, height) > WIDEST_RATIO) {
    throw refuse(
      file,
      `is ${width}×${height} pixels; the sides may differ by a factor of ${WIDEST_RATIO} at most`,
      "image_too_narrow",
    );
  }
}

async function sidesOf(
  file: string,
  bytes: Buffer,
): Promise<{ readonly width: number; readonly height: number }> {
  const { imageSize } = await import("image-size");
  try {
    return imageSize(bytes);
  } catch (error) {
    throw refuse(file, "is damaged: its size cannot be read", "image_unreadable", error);
  }
}

function refuse(what: string, problem: string, code: string, cause?: unknown): UsageError {
  return new UsageError(`${what} ${problem}`, {
    code,
    hint: "Give a public http(s) URL, or a local PNG, JPEG, GIF, WebP or BMP file below 7 MB, in the job's folder or the one that `imageRoot` names.",
    cause,
  });
}

function startsWith(bytes: Buffer, offset: number, hex: string): boolean {
  return bytes.subarray(offset, offset + hex.length / 2).toString("hex") === hex;
}
