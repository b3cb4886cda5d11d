/**
 * What people write today: a p-limit loop that keeps everything in memory and loses it on a crash.
 *
 *     node .bench/bare-loop.js "openai SDK"|fetch|undici <baseUrl> <rows> <concurrency> [--cold]
 */
import OpenAI from "openai";
import pLimit from "p-limit";
import { Pool } from "undici";
import { measure, promptOf, WARM_UP_ROWS } from "./measure.js";

const [client = "", baseUrl = "", rowsText = "", concurrencyText = "", ...flags] = process.argv.slice(2);
const rows = Number(rowsText);
const concurrency = Number(concurrencyText);

const messagesOf = (row: number) => [
  { role: "system" as const, content: "You summarize documents." },
  { role: "user" as const, content: `Summarize: ${promptOf(row)}` },
];

interface Completion {
  choices: { message: { content: string | null } }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | undefined;
}

function callerOf(name: string): (row: number) => Promise<Completion> {
  if (name === "openai SDK") {
    const sdk = new OpenAI({ apiKey: "none", baseURL: baseUrl, maxRetries: 0 });
    return (row) =>
      sdk.chat.completions.create({ model: "qwen-plus", messages: messagesOf(row), temperature: 0.3 });
  }
  const bodyOf = (row: number): string =>
    JSON.stringify({ model: "qwen-plus", messages: messagesOf(row), temperature: 0.3 });
  const headers = { "content-type": "application/json", authorization: "Bearer none" };
  if (name === "fetch") {
    return async (row) => {
      const response = await fetch(`${baseUrl}/chat/completions`, {
        method: "POST",
        headers,
        body: bodyOf(row),
      });
      return (await response.json()) as Completion;
    };
  }
  const { origin, pathname } = new URL(baseUrl);
  const pool = new Pool(origin, { connections: concurrency, pipelining: 1 });
  return async (row) => {
    const { body } = await pool.request({
      method: "POST",
      path: `${pathname}/chat/completions`,
      headers,
      body: bodyOf(row),
    });
    return (await body.json()) as Completion;
  };
}

/** Calls every row, at most `concurrency` at once, and keeps the answers in memory. */
async function loop(count: number): Promise<void> {
  const call = callerOf(client);
  const limit = pLimit(concurrency);
  const answers: (string | null)[] = [];
  let tokens = 0;
  await Promise.all(
    Array.from({ length: count }, (_, row) =>
      limit(async () => {
        const completion = await call(row);
        answers[row] = completion.choices[0]?.message.content ?? null;
        tokens += (completion.usage?.prompt_tokens ?? 0) + (completion.usage?.completion_tokens ?? 0);
      }),
    ),
  );
  if (answers.length !== count || tokens === 0) throw new Error("not every row was answered");
}

await measure(
  rows,
  baseUrl,
  () => loop(rows),
  flags.includes("--cold") ? undefined : () => loop(WARM_UP_ROWS),
);
process.exit(0);
