import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import * as zlib from "node:zlib";
import type { Protocol } from "../../src/types.js";

/** What an odd server says for one call: the parts of an answer, before a protocol words them. */
export interface OddAnswer {
  readonly text: string;
  readonly reasoning?: string;
  readonly finish: string | null;
  readonly usage: unknown;
}

/** How its bytes reach the client. */
export type Wire =
  | "whole"
  | "byte by byte"
  | "chunked"
  | "until close"
  | "gzip"
  | "x-gzip"
  | "brotli"
  | "zlib"
  | "bare deflate"
  | "gzip in brotli"
  | "marked"
  | "mislabelled";

export const WIRES: readonly Wire[] = [
  "whole",
  "byte by byte",
  "chunked",
  "until close",
  "gzip",
  "x-gzip",
  "brotli",
  "zlib",
  "bare deflate",
  "gzip in brotli",
  "marked",
  "mislabelled",
];

export interface OddReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isStream?: boolean;
  readonly wire?: Wire;
}

type Handler = (connection: OddConnection, request: OddRequest) => void;

export interface OddRequest {
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * A server that speaks HTTP by its own hand, on bare sockets: what it does with a connection is the test's to say, and
 * nothing of it is shared with the simulator or with Node's HTTP server.
 */
export class OddServer {
  readonly requests: OddRequest[] = [];
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#serve(socket));
  #handler: Handler;

  private constructor(handler: Handler) {
    this.#handler = handler;
  }

  static async start(handler: Handler = () => undefined): Promise<OddServer> {
    const server = new OddServer(handler);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** What becomes of the next requests. */
  handle(handler: Handler): void {
    this.#handler = handler;
  }

  /** Answers the next requests so, one after the other, the last one for ever. */
  answer(...replies: readonly OddReply[]): void {
    let next = 0;
    this.handle((connection) => {
      const reply = replies[Math.min(next++, replies.length - 1)];
      if (reply !== undefined) connection.reply(reply);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    const connection = new OddConnection(socket);
    let seen = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      seen = Buffer.concat([seen, bytes]);
      for (let request = takeRequest(); request !== null; request = takeRequest()) {
        this.requests.push(request);
        connection.requests += 1;
        this.#handler(connection, request);
      }
    });
    const takeRequest = (): OddRequest | null => {
      const end = seen.indexOf("\r\n\r\n");
      if (end === -1) return null;
      const [first = "", ...lines] = seen.subarray(0, end).toString("latin1").split("\r\n");
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(":")).toLowerCase(),
          line.slice(line.indexOf(":") + 1).trim(),
        ]),
      );
      const from = end + 4;
      const until = from + Number(headers["content-length"] ?? 0);
      if (seen.length < until) return null;
      const body = seen.subarray(from, until).toString("utf8");
      seen = seen.subarray(until);
      return { target: first.split(" ")[1] ?? "", headers, body };
    };
  }
}

export class OddConnection {
  /** Requests that came over it, the present one included. */
  requests = 0;

  constructor(readonly socket: Socket) {}

  reply({ status = 200, headers = {}, body, isStream = false, wire = "whole" }: OddReply): void {
    const bytes = encoded(body, wire);
    const type =
      isStream === (wire !== "mislabelled") ? "text/event-stream; charset=utf-8" : "application/json";
    const coding = CODINGS[wire];
    const isFramed = wire !== "chunked" && wire !== "until close";
    const all = {
      "Content-Type": type,
      ...(coding !== undefined && { "Content-Encoding": coding }),
      ...(isFramed && { "Content-Length": String(bytes.length) }),
      ...(wire === "chunked" && { "Transfer-Encoding": "chunked" }),
      ...(wire === "until close" && { Connection: "close" }),
      ...headers,
    };
    this.head(status, all);
    if (wire === "chunked") {
      for (const piece of pieces(bytes, 7)) {
        this.socket.write(
          Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
        );
      }
      this.socket.write("0\r\n\r\n");
    } else if (wire === "byte by byte") for (const piece of pieces(bytes, 1)) this.socket.write(piece);
    else this.socket.write(bytes);
    if (wire === "until close") this.socket.end();
  }

  /** The beginning of an answer whose rest the test writes itself. */
  head(status: number, headers: Readonly<Record<string, string>>): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`HTTP/1.1 ${status} Odd\r\n${lines.join("")}\r\n`);
  }
}

const CODINGS: Partial<Record<Wire, string>> = {
  gzip: "gzip",
  "x-gzip": "x-gzip",
  brotli: "br",
  zlib: "deflate",
  "bare deflate": "Deflate",
  "gzip in brotli": "gzip, br",
};

function encoded(text: string, wire: Wire): Buffer {
  const bytes = Buffer.from(text);
  switch (wire) {
    case "gzip":
    case "x-gzip":
      return zlib.gzipSync(bytes);
    case "brotli":
      return zlib.brotliCompressSync(bytes);
    case "zlib":
      return zlib.deflateSync(bytes);
    case "bare deflate":
      return zlib.deflateRawSync(bytes);
    case "gzip in brotli":
      return zlib.brotliCompressSync(zlib.gzipSync(bytes));
    case "marked":
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
    default:
      return bytes;
  }
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  const cut: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += size) cut.push(bytes.subarray(from, from + size));
  return cut;
}

/** An answer in one body, as a protocol words it. */
export function bodyOf(answer: OddAnswer, protocol: Protocol = "openai"): string {
  const message = {
    role: "assistant",
    content: answer.text,
    ...(answer.reasoning !== undefined && { reasoning_content: answer.reasoning }),
  };
  const choices = [{ index: 0, message, finish_reason: answer.finish }];
  const usage = answer.usage === undefined ? {} : { usage: answer.usage };
  if (protocol === "dashscope") return JSON.stringify({ output: { choices }, ...usage, request_id: "odd-1" });
  return JSON.stringify({ id: "odd-1", object: "chat.completion", model: "odd", choices, ...usage });
}

/** The same answer as a stream, two characters at a time. */
export function streamOf(answer: OddAnswer, protocol: Protocol = "openai"): string {
  const deltas = [
    ...Array.from((answer.reasoning ?? "").matchAll(/.{1,2}/gsu), ([piece]) => ({
      reasoning_content: piece,
    })),
    ...Array.from(answer.text.matchAll(/.{1,2}/gsu), ([piece]) => ({ content: piece })),
  ];
  const native = protocol === "dashscope";
  const chunk = (delta: object, finish: string | null): string => {
    const choices = [
      {
        index: 0,
        [native ? "message" : "delta"]: delta,
        finish_reason: native ? (finish ?? "null") : finish,
      },
    ];
    return native
      ? `id:1\nevent:result\n:HTTP_STATUS/200\ndata:${JSON.stringify({ output: { choices }, ...(finish !== null && { usage: answer.usage }), request_id: "odd-1" })}\n\n`
      : `data: ${JSON.stringify({ id: "odd-1", model: "odd", choices })}\n\n`;
  };
  const body = deltas.map((delta) => chunk(delta, null)).join("") + chunk({}, answer.finish);
  return native
    ? body
    : `${body}data: ${JSON.stringify({ choices: [], usage: answer.usage })}\n\ndata: [DONE]\n\n`;
}
