import { afterEach } from "vitest";
import { createProvider, resolveEndpoint } from "../../src/provider/index.js";
import type { CallOptions, CreateProviderOptions, Endpoint, Provider } from "../../src/provider/index.js";
import { ProviderError } from "../../src/provider/index.js";
import type { ModelRequest, Parameters, Protocol } from "../../src/types.js";
import { ModelServer } from "./model-server.js";

export const KEY = "sk-0123456789abcdef0123456789abcdef";

const open: { close(): Promise<void> }[] = [];

/** To be called once in a test file: closes what the test opened, in reverse. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
}

export function toClose<T extends { close(): Promise<void> }>(resource: T): T {
  open.push(resource);
  return resource;
}

export async function startServer(): Promise<ModelServer> {
  const server = await ModelServer.start();
  open.push({ close: () => server.stop() });
  return server;
}

/** Where a Model Studio region would answer, were it at this URL. */
export function studioAt(url: string, protocol: Protocol = "openai"): Endpoint {
  const paths = { openai: "/compatible-mode/v1", dashscope: "/api/v1" };
  return resolveEndpoint(
    { provider: "model-studio", region: "singapore", protocol },
    { "model-studio": { name: "model-studio", baseUrl: url + paths[protocol] } },
    {},
  );
}

/** A plain OpenAI-compatible server at this URL. */
export function plainAt(url: string): Endpoint {
  return resolveEndpoint(
    { provider: "openai-compatible", region: null, protocol: "openai" },
    {},
    { OPENAI_BASE_URL: `${url}/v1` },
  );
}

export function providerAt(endpoint: Endpoint, options: Partial<CreateProviderOptions> = {}): Provider {
  return toClose(createProvider(endpoint, { apiKey: KEY, connections: 4, ...options }));
}

export function ask(content: string, parameters: Parameters = {}, model = "qwen-plus"): ModelRequest {
  return { model, messages: [{ role: "user", content }], parameters };
}

export function within(
  timeoutMs = 10_000,
  signal: CallOptions["signal"] = new AbortController().signal,
): CallOptions {
  return { signal, timeoutMs };
}

/** The ProviderError that a call fails with; any other outcome fails the test. */
export async function failureOf(call: Promise<unknown>): Promise<ProviderError> {
  const outcome = await call.then(
    (value) => new Error(`the call succeeded: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof ProviderError) return outcome;
  throw outcome;
}

/** A promise and what resolves it: for waiting on something that a server sees. */
export function deferred<T = void>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let settle: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle(value) };
}
