import { type IncomingHttpHeaders, request as httpRequest } from "node:http";

import { afterEach } from "vitest";

import { type Simulator, type SimulatorOptions, startSimulator } from "../../src/simulator/index.js";

export const paths = {
  openai: "/compatible-mode/v1/chat/completions",
  text: "/api/v1/services/aigc/text-generation/generation",
  multimodal: "/api/v1/services/aigc/multimodal-generation/generation",
} as const;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: unknown;
}

const running: Simulator[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
});

/** A simulator that is closed after the test. */
export async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options);
  running.push(simulator);
  return simulator;
}

export async function post(
  simulator: Simulator,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(simulator.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parse(text) };
}

/** The same without a client that decodes, follows redirects or keeps connections. */
export function postRaw(
  simulator: Simulator,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      simulator.url + path,
      { method: "POST", headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.once("error", reject);
    request.end(JSON.stringify(body));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What stands in parsed JSON at a path; undefined where the path leads nowhere. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

/** The text of a compatible answer's first choice. */
export function contentOf(reply: Reply): string {
  return String(at(reply.body, "choices", 0, "message", "content"));
}

/** A compatible body with one user message. */
export function asking(text: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: "qwen-plus", messages: [{ role: "user", content: text }], ...more };
}

/** A native body with one user message. */
export function askingNatively(text: string, parameters: Record<string, unknown> = {}, model = "qwen-plus") {
  return { model, input: { messages: [{ role: "user", content: text }] }, parameters };
}

/** The `data` of every event of a stream, parsed; `[DONE]` left out. */
export function eventData(stream: string): unknown[] {
  return stream
    .split("\n")
    .filter((line) => line.startsWith("data:") && !line.includes("[DONE]"))
    .map((line) => JSON.parse(line.slice(5)) as unknown);
}
