import zlib from "node:zlib";

/** A body as sent: with the content encoding that its head names. */
type Encoded = readonly [body: string | Uint8Array, encoding?: string];
type Form = readonly [says: string, change: (body: string, streamed: boolean) => Encoded];

const zstdCompress: unknown = Reflect.get(zlib, "zstdCompressSync");

/** How the body of a good answer can be carried in ways that a client may not expect. */
export const bodyForms: Readonly<Record<string, Form>> = {
  gzip: ["content-encoding gzip", (body) => [zlib.gzipSync(body), "gzip"]],
  br: ["content-encoding br", (body) => [zlib.brotliCompressSync(body), "br"]],
  deflate: ["content-encoding deflate", (body) => [zlib.deflateSync(body), "deflate"]],
  raw_deflate: [
    "content-encoding deflate without zlib's frame, as some servers send it",
    (body) => [zlib.deflateRawSync(body), "deflate"],
  ],
  ...(typeof zstdCompress === "function"
    ? { zstd: ["content-encoding zstd", (body) => [zstdCompress(body) as Uint8Array, "zstd"]] satisfies Form }
    : {}),
  bom: ["a byte order mark before it", (body) => [`\ufeff${body}`]],
  crlf: ["CRLF at the ends of a stream's lines", (body) => [body.replaceAll("\n", "\r\n")]],
  padded: [
    "comments of a stream, or white space, before it",
    (body, streamed) => [`${(streamed ? ": ping\n\n" : "\n     \n").repeat(3)}${body}`],
  ],
  no_done: ["a stream without [DONE]", (body) => [body.replace(/data: \[DONE\]\n\n$/, "")]],
  events: ["an event stream that calls itself application/json, whatever was asked for", (body) => [body]],
  whole: ["one JSON body where a stream was asked for", (body) => [body]],
  close: ["the connection is closed just after it, although the head does not say so", (body) => [body]],
};
