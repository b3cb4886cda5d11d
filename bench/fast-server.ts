/**
 * The model server of the benchmarks: answers every chat completion with the same ~1 KB body, at once or
 * after a delay, as cheaply as Node can, so that the client is what is measured. GET: how many are in flight, and for how
 * long it was called; with /restart, from the next call on.
 *
 *     node --import tsx bench/fast-server.ts [delayMs]     prints its base URL
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServerLoad } from "./measure.js";

const delayMs = Number(process.argv[2] ?? 0);
const text = "A summary of the document in a few plain sentences, as long as answers usually are. ".repeat(8);
const body = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-00000000-0000-0000-0000-000000000000",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "qwen-plus",
    system_fingerprint: null,
    choices: [
      { index: 0, finish_reason: "stop", logprobs: null, message: { role: "assistant", content: text } },
    ],
    usage: { prompt_tokens: 260, completion_tokens: 150, total_tokens: 410 },
  }),
);
const headers = { "content-type": "application/json", "content-length": String(body.length) };

let inFlight = 0;
/** Of the first call and the last answer, milliseconds; NaN: none since the last restart. */
let firstCallAt = Number.NaN;
let lastAnswerAt = Number.NaN;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  if (request.method === "GET") {
    const load: ServerLoad = { inFlight, calledSeconds: (lastAnswerAt - firstCallAt) / 1000 };
    if (request.url?.endsWith("/restart") === true) firstCallAt = lastAnswerAt = Number.NaN;
    response.end(JSON.stringify(load));
    return;
  }
  inFlight++;
  if (Number.isNaN(firstCallAt)) firstCallAt = performance.now();
  request.on("data", () => {});
  request.on("end", () => {
    const answer = (): void => {
      inFlight--;
      lastAnswerAt = performance.now();
      response.writeHead(200, headers);
      response.end(body);
    };
    if (delayMs === 0) answer();
    else setTimeout(answer, delayMs);
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1\n`);
});
