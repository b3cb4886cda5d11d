import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a call of the model looked like on the wire. */
export interface ReceivedCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

export type Responder = (call: ReceivedCall, response: ServerResponse) => void;

/** A real HTTP server whose answers a test writes itself; keeps every call it received. */
export class ModelServer {
  readonly received: ReceivedCall[] = [];
  /** Answers the next calls; a test sets it. */
  respond: Responder = json(500, {});
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const body = JSON.parse(text) as Record<string, unknown>;
        const call = { path: request.url ?? "", headers: request.headers, text, body };
        this.received.push(call);
        this.respond(call, response);
      });
    });
  }

  static async start(): Promise<ModelServer> {
    const server = new ModelServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get last(): ReceivedCall {
    const call = this.received.at(-1);
    if (call === undefined) throw new Error("the server received no call");
    return call;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Responder {
  return text(status, typeof body === "string" ? body : JSON.stringify(body), {
    "content-type": "application/json",
    ...headers,
  });
}

export function text(status: number, body: string, headers: Record<string, string> = {}): Responder {
  return (_call, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

/** An event stream sent as it is written. */
export function events(body: string): Responder {
  return text(200, body, { "content-type": "text/event-stream;charset=UTF-8" });
}

/** The responders in turn, the last one for ever. */
export function inTurn(...responders: Responder[]): Responder {
  let calls = 0;
  return (call, response) => responders[Math.min(calls++, responders.length - 1)]?.(call, response);
}
