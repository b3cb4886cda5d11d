import { execFileSync } from "node:child_process";
import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { loadImage } from "../../src/provider/index.js";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "promptmill-images-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The beginning of a PNG: as much as says how large the picture is. */
function png(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(33);
  Buffer.from("89504e470d0a1a0a0000000d49484452", "hex").copy(bytes);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

function gif(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(13);
  bytes.write("GIF89a", "latin1");
  bytes.writeUInt16LE(width, 6);
  bytes.writeUInt16LE(height, 8);
  return bytes;
}

function bmp(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(54);
  bytes.write("BM", "latin1");
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  return bytes;
}

function webp(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(30);
  bytes.write("RIFF", "latin1");
  bytes.writeUInt32LE(22, 4);
  bytes.write("WEBPVP8X", 8, "latin1");
  bytes.writeUInt32LE(10, 16);
  bytes.writeUIntLE(width - 1, 24, 3);
  bytes.writeUIntLE(height - 1, 27, 3);
  return bytes;
}

function jpeg(width: number, height: number): Buffer {
  const frame = Buffer.from("ffd8ffe000104a46494600010100000100010000ffc0001108", "hex");
  const sides = Buffer.alloc(4);
  sides.writeUInt16BE(height, 0);
  sides.writeUInt16BE(width, 2);
  return Buffer.concat([frame, sides, Buffer.from("03012200021101031101ffd9", "hex")]);
}

async function file(name: string, content: Buffer | string): Promise<string> {
  await writeFile(join(folder, name), content);
  return name;
}

async function refused(source: string): Promise<UsageError> {
  const outcome = await loadImage(source, folder).catch((error: unknown) => error);
  if (outcome instanceof UsageError) return outcome;
  throw new Error(`not refused: ${String(outcome)}`);
}

describe("an image from a row", () => {
  it.each(["https://host/a.png", " http://host/b ", "oss://bucket/c", "data:image/png;base64,AAAA"])(
    "that is a URL passes: %s",
    async (url) => {
      expect(await loadImage(url, "/nowhere")).toBe(url.trim());
    },
  );

  it.each([
    ["image/png", png],
    ["image/jpeg", jpeg],
    ["image/gif", gif],
    ["image/bmp", bmp],
    ["image/webp", webp],
  ])("that is a file becomes base64 of its own type, whatever its name: %s", async (mime, make) => {
    const bytes = make(64, 48);
    const name = await file("picture.txt", bytes);
    const expected = `data:${mime};base64,${bytes.toString("base64")}`;
    expect(await loadImage(name, folder)).toBe(expected);
    expect(await loadImage(join(folder, name), folder)).toBe(expected);
    expect(await loadImage(pathToFileURL(join(folder, name)).href, folder)).toBe(expected);
  });

  it("may be as small and as narrow as the limits", async () => {
    await expect(loadImage(await file("small.png", png(10, 10)), folder)).resolves.toContain("data:");
    await expect(loadImage(await file("narrow.png", png(2000, 10)), folder)).resolves.toContain("data:");
  });

  it.each([
    ["too small", "tiny.png", png(9, 100), "image_too_small"],
    ["too narrow", "strip.png", png(10, 2001), "image_too_narrow"],
    [
      "too large",
      "large.png",
      Buffer.concat([png(64, 64), Buffer.alloc(7 * 1024 * 1024)]),
      "image_too_large",
    ],
    ["of another type", "page.png", Buffer.from("<html>"), "unknown_image_type"],
    ["damaged", "cut.png", png(64, 64).subarray(0, 12), "image_unreadable"],
    ["empty", "empty.png", Buffer.alloc(0), "unknown_image_type"],
  ])("that is %s is refused by name", async (_what, name, content, code) => {
    const problem = await refused(await file(name, content));
    expect(problem.code).toBe(code);
    expect(problem.message).toContain(join(folder, name));
  });

  it("is read only below the folder, by its real path, and says the same of what is there and what is not", async () => {
    const outside = join(folder, "outside");
    const root = join(folder, "root");
    await mkdir(join(root, "deep"), { recursive: true });
    await mkdir(outside);
    await writeFile(join(outside, "there.png"), png(20, 20));
    await writeFile(join(root, "in.png"), png(20, 20));
    await symlink(outside, join(root, "linked"));
    await symlink(join(outside, "there.png"), join(root, "there.png"));
    await symlink(join(outside, "gone.png"), join(root, "gone.png"));
    await symlink("../in.png", join(root, "deep", "in.png"));
    await symlink(root, join(folder, "also-root"));
    const message = async (source: string): Promise<string> => {
      const error = await loadImage(source, root).catch((reason: unknown) => reason);
      if (!(error instanceof UsageError)) throw new Error(`not refused: ${source}`);
      return error.message.replaceAll(/there|gone/g, "name");
    };
    for (const place of ["../outside/", "linked/", "", `${outside}/`, "../nowhere/", "deep/../../outside/"]) {
      const [there, gone] = [await message(`${place}there.png`), await message(`${place}gone.png`)];
      expect(there).toBe(gone);
      expect(there).toContain("is not below");
    }
    expect(await message("linked/sub/x.png")).toContain("is not below");
    expect(await message("/etc/passwd")).toContain("is not below");
    expect(await message("/dev/zero")).toContain("is not below");
    expect(await message("deep/missing.png")).toContain("does not exist");
    expect(await message("no/such/folder.png")).toContain("does not exist");
    await expect(loadImage("deep/in.png", root)).resolves.toContain("data:");
    await expect(loadImage("in.png", join(folder, "also-root"))).resolves.toContain("data:");
    await expect(loadImage(join(root, "in.png"), join(folder, "also-root"))).resolves.toContain("data:");
  });

  it("does not wait for a pipe", async () => {
    execFileSync("mkfifo", [join(folder, "pipe.png")]);
    expect((await refused("pipe.png")).message).toContain("is not a file");
  });

  it("that is missing, a folder, or nothing is refused", async () => {
    expect((await refused("missing.png")).message).toContain("does not exist");
    await mkdir(join(folder, "folder.png"));
    expect((await refused("folder.png")).message).toContain("is not a file");
    expect((await refused("")).code).toBe("image_unreadable");
    expect((await refused("data:text/html,hi")).code).toBe("invalid_image_url");
    expect((await refused("http://")).code).toBe("invalid_image_url");
  });
});
