import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { HaltError, UsageError } from "../errors.js";
import { type CallCounts, CallLog } from "./call-log.js";
import { type Endpoint, protocolOf } from "./chat-request.js";
import { errorBody, invalidParameter } from "./error-body.js";
import { Exchange } from "./exchange.js";
import { listedModels } from "./model-traits.js";
import { parseJson } from "./json.js";
import { ModelServer } from "./model-server.js";
import { requestFingerprint } from "./request-fingerprint.js";
import { resolveSimulatorOptions, type SimulatorOptions } from "./simulator-options.js";

/** A running simulator. */
export interface Simulator {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** For OpenAI-compatible clients: `<url>/compatible-mode/v1`. */
  readonly openaiBaseUrl: string;
  /** For native clients: `<url>/api/v1`. */
  readonly dashscopeBaseUrl: string;
  /** As openaiBaseUrl, with calls held open as Batch Chat does: `<url>/batch/compatible-mode/v1`. */
  readonly batchChatBaseUrl: string;
  /** What was called how often, as of now. */
  calls(): CallCounts;
  /** Forgets all calls, and the load that limits measure; calls in flight end uncounted. */
  reset(): void;
  /** Stops listening and cuts every connection, calls in flight and hung ones too. Safe to call twice. */
  close(): Promise<void>;
}

const endpoints: Readonly<Record<string, Endpoint>> = {
  "/compatible-mode/v1/chat/completions": "compatible",
  "/v1/chat/completions": "compatible",
  "/batch/compatible-mode/v1/chat/completions": "batch-chat",
  "/api/v1/services/aigc/text-generation/generation": "text",
  "/api/v1/services/aigc/multimodal-generation/generation": "multimodal",
};

/** Several base64 images of 10 MB fit. */
const maxBodyBytes = 64 * 1024 * 1024;

/**
 * Starts a model server on this machine. Resolves when it listens. Throws UsageError for options out of
 * range and for a port that cannot be had.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const resolved = resolveSimulatorOptions(options);
  const models = new ModelServer(resolved);
  let log = new CallLog(resolved.trackRequests);
  const reset = (): void => {
    log = new CallLog(resolved.trackRequests);
    models.reset();
  };
  const open = new Set<Exchange>();
  const server = createServer((request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const endpoint = endpoints[path];
    if (endpoint !== undefined && request.method === "POST") {
      const exchange = new Exchange(request, response, log, performance.now());
      open.add(exchange);
      response.once("close", () => open.delete(exchange));
      readBody(request, (body) => models.handle(exchange, endpoint, body));
      return;
    }
    readBody(request, (body) => {
      const route = `${request.method} ${path}`;
      if (route === "POST /__reset") {
        reset();
        sendJson(response, 200, { status: "reset" });
      } else if (route === "POST /__calls") {
        sendJson(response, 200, log.ofRequest(requestFingerprint(parseJson(body ?? ""))));
      } else answerAside(route, query, response, log);
    });
  });
  // Calls may be held open for as long as a client has patience.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 65_000;
  await listen(server, resolved.port, resolved.host);
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new HaltError("The simulator listens on no port.", { code: "simulator_without_port" });
  }
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const url = `http://${host}:${address.port}`;
  let closing: Promise<void> | null = null;
  return {
    url,
    openaiBaseUrl: `${url}/compatible-mode/v1`,
    dashscopeBaseUrl: `${url}/api/v1`,
    batchChatBaseUrl: `${url}/batch/compatible-mode/v1`,
    calls: () => log.counts(),
    reset,
    close: () => {
      // Not left to the sockets' own events: those come only after the server says that it is closed.
      for (const exchange of open) exchange.abandon();
      return (closing ??= closeServer(server));
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new UsageError(`The simulator cannot listen on ${host}:${port} (${cause.code ?? cause.message}).`, {
          code: "simulator_port_unavailable",
          hint: "Choose another --port, or 0 for any free one.",
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** `done` gets null for a body that is too large; it is not called when the client leaves before the end. */
function readBody(request: IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  });
  request.on("end", () => {
    done(
      bytes > maxBodyBytes
        ? null
        : (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8"),
    );
  });
  request.on("error", () => undefined);
}

/** Everything but model calls: models, health, counts. */
function answerAside(route: string, query: string, response: ServerResponse, log: CallLog): void {
  const [method = "", path = ""] = route.split(" ");
  if (route === "GET /health") {
    sendJson(response, 200, { status: "ok" });
  } else if (route === "GET /compatible-mode/v1/models" || route === "GET /v1/models") {
    const data = listedModels.map((id) => ({ id, object: "model", created: 0, owned_by: "system" }));
    sendJson(response, 200, { object: "list", data });
  } else if (route === "GET /__calls") {
    const detail = new URLSearchParams(query).get("detail") === "1";
    const perRequest = detail ? { perRequest: Object.fromEntries(log.counts().perRequest) } : {};
    sendJson(response, 200, { ...log.totals(), ...perRequest });
  } else if (endpoints[path] === undefined) {
    sendJson(response, 404, { code: "NotFound", message: "Not found!", request_id: "" });
  } else {
    const error = invalidParameter(`Request method '${method}' is not supported.`);
    sendJson(response, error.status, JSON.parse(errorBody(error, protocolOf(endpoints[path]), "")));
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
