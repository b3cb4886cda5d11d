import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { LocalImageCheck } from "../../src/run/local-images.js";
import { run } from "../../src/run/run.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { onlyResult, runRows } from "./running.js";

/** The beginning of a PNG, which says how large the picture is, and so many bytes more. */
function png(width: number, height: number, bytes = 33): Buffer {
  const file = Buffer.alloc(bytes);
  Buffer.from("89504e470d0a1a0a0000000d49484452", "hex").copy(file);
  file.writeUInt32BE(width, 16);
  file.writeUInt32BE(height, 20);
  return file;
}

const job = (protocol: "openai" | "dashscope") =>
  ({
    model: "qwen3-vl-plus",
    protocol,
    prompt: { user: "{{ question }}" },
    images: "{{ image }}",
    output: { format: "jsonl" },
  }) as const;

const url = "https://example.com/shelf.png";

describe.each(["openai", "dashscope"] as const)("pictures by the %s protocol", (protocol) => {
  it("go out by URL or out of a file, several, or none", async () => {
    const simulator = await simulatedModel();
    const { results, usage } = await runRows(
      job(protocol),
      [
        { question: "What is it?", image: url },
        { question: "What is it?", image: "shelf.png" },
        { question: "Compare them.", image: [url, "shelf.png"] },
        { question: "No picture?", image: "" },
      ],
      { simulator, files: { "shelf.png": png(20, 20) } },
    );
    expect(results.map(({ answer }) => /Looked at (.*?)\./.exec(String(answer))?.[1])).toEqual([
      "1 image(s)",
      "1 image(s)",
      "2 image(s)",
      undefined,
    ]);
    expect(usage.rows).toMatchObject({ succeeded: 4 });
    expect(usage.tokens.input).toBe(simulator.calls().tokens.input);
  });

  it("and a video may come from prompt rows as well", async () => {
    const simulator = await simulatedModel();
    const { prompt: _prompt, images: _images, ...withoutPrompt } = job(protocol);
    const { results } = await runRows(
      withoutPrompt,
      [
        { prompt: "What is it?", images: ["shelf.png"] },
        { prompt: "What happens?", video: "https://example.com/shelf.mp4" },
        {
          messages: [
            {
              role: "user",
              content: [
                { type: "image_url", image_url: { url } },
                { type: "text", text: "What is it?" },
              ],
            },
          ],
        },
      ],
      { simulator, files: { "shelf.png": png(20, 20) } },
    );
    expect(results.map(({ answer }) => /Looked at (.*?)\./.exec(String(answer))?.[1])).toEqual([
      "1 image(s)",
      "1 video(s)",
      "1 image(s)",
    ]);
  });

  it("of several megabytes each do not gather in the queue", async () => {
    const simulator = await simulatedModel();
    const rows = Array.from({ length: 9 }, (_, index) => ({
      question: `What is in ${index}?`,
      image: "large.png",
    }));
    const done = await runRows({ ...job(protocol), concurrency: 2 }, rows, {
      simulator,
      files: { "large.png": png(2_000, 2_000, 6_900_000) },
    });
    expect(done.rows).toEqual({ total: 9, succeeded: 9, failed: 0 });
  });
});

describe("a local picture that cannot be sent", () => {
  it.each([
    ["is not there", {}, "image_unreadable", /rows\.jsonl:2: .*shelf\.png does not exist/],
    ["is no picture", { "shelf.png": "text" }, "unknown_image_type", /rows\.jsonl:2: .*shelf\.png is no PNG/],
    ["is too small", { "shelf.png": png(5, 20) }, "image_too_small", /rows\.jsonl:2: .*shelf\.png is 5×20/],
  ])("stops the run before any call when it %s, naming row and file", async (_, files, code, message) => {
    const simulator = await simulatedModel();
    const rows = [
      { question: "What is it?", image: url },
      { question: "What is it?", image: "shelf.png" },
    ];
    await expect(runRows(job("openai"), rows, { simulator, files })).rejects.toMatchObject({
      code,
      exitCode: 2,
      message: expect.stringMatching(message) as string,
    });
    expect(simulator.calls().total).toBe(0);
  });

  it.each([
    ["by a path upwards", "../secret.png"],
    ["by an absolute path", "FOLDER/secret.png"],
    ["by a file: URL", "URL/secret.png"],
    ["by a link", "link.png"],
    ["by a folder that is a link", "linked/secret.png"],
    ["by a part of a message", [{ type: "image_url", image_url: { url: "../secret.png" } }]],
  ])(
    "stops the run when it lies outside of the job's folder, named %s, unless imageRoot says so",
    async (_, named) => {
      const folder = await tempFolder();
      const cwd = join(folder, "job");
      await mkdir(cwd);
      await writeFile(join(folder, "secret.png"), png(20, 20));
      await symlink("../secret.png", join(cwd, "link.png"));
      await symlink("..", join(cwd, "linked"));
      const row =
        typeof named === "string"
          ? {
              prompt: "What is it?",
              images: [named.replace("FOLDER", folder).replace("URL", pathToFileURL(folder).href)],
            }
          : { messages: [{ role: "user", content: [...named, { type: "text", text: "What is it?" }] }] };
      await writeFile(join(cwd, "rows.jsonl"), `${JSON.stringify(row)}\n`);
      const simulator = await simulatedModel();
      const start = (imageRoot?: string): ReturnType<typeof run> =>
        run({
          job: {
            name: "job",
            provider: "simulator",
            model: "qwen3-vl-plus",
            input: { path: "rows.jsonl" },
            ...(imageRoot === undefined ? {} : { imageRoot }),
          },
          cwd,
          queue: redisUrl(),
          env: { PROMPTMILL_SIMULATOR_URL: simulator.url },
        });
      const outside = expect.stringMatching(
        /is not below .*, the folder that this job may read images from/,
      ) as string;
      await expect(start()).rejects.toMatchObject({ code: "image_unreadable", message: outside });
      expect(simulator.calls().total).toBe(0);
      expect(await start("..")).toMatchObject({ rows: { succeeded: 1 } });
    },
  );

  it("fails its row alone when the job is lenient", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { ...job("openai"), input: { lenient: true } },
      [{ question: "What is it?", image: "shelf.png" }],
      { simulator },
    );
    expect(onlyResult(done)).toMatchObject({
      status: "failed",
      attempts: 0,
      usage: null,
      error: {
        kind: "input",
        code: "image_unreadable",
        message: expect.stringContaining("shelf.png") as string,
      },
    });
  });

  it("is looked at once, however many rows name it", async () => {
    const folder = await tempFolder();
    const file = join(folder, "a.png");
    await writeFile(file, png(20, 20));
    const images = new LocalImageCheck(folder);
    const request = {
      model: "qwen3-vl-plus",
      messages: [{ role: "user", content: [{ type: "image", url: pathToFileURL(file).href }] }],
      parameters: {},
    } as const;
    await images.check(request);
    await rm(file);
    await expect(images.check(request)).resolves.toMatchObject({
      messages: [{ content: [{ url: expect.stringMatching(/^data:image/) as string }] }],
    });
    await expect(new LocalImageCheck(folder).check(request)).rejects.toMatchObject({
      code: "image_unreadable",
    });
  });
});

it("a picture for a text-only model is refused, naming models that would do", async () => {
  const simulator = await simulatedModel();
  const running = runRows({ ...job("openai"), model: "qwen-plus" }, [{ question: "?", image: url }], {
    simulator,
  });
  await expect(running).rejects.toMatchObject({
    code: "request_invalid",
    message: expect.stringMatching(/qwen-plus does not take images; qwen3-vl-plus/) as string,
  });
});
