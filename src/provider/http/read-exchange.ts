import { readVendorError } from "../errors/vendor-error.js";
import type { VendorError } from "../errors/vendor-error.js";
import type { Exchange } from "./exchange.js";
import { nonEmpty } from "../json-value.js";

/** A page has its title within so much. */
const PAGE_CHARACTERS = 4000;

/** The error that the server answered with: by status, inside a 200, or in mid-stream. */
export function vendorErrorIn(exchange: Exchange): VendorError | null {
  if (exchange.failure !== null) return null;
  const ok = exchange.statusCode >= 200 && exchange.statusCode < 300;
  const streamed = exchange.stream?.error ?? null;
  if (streamed !== null)
    return ok || streamed.status !== 200 ? streamed : { ...streamed, status: exchange.statusCode };
  if (ok) return null;
  const error = readVendorError(parseJson(exchange.body), exchange.statusCode);
  if (error !== null) return error;
  const location = exchange.headers["location"];
  const said = webPageTitle(exchange.body) ?? exchange.body;
  const message = location === undefined ? said : `redirects to ${String(location)}`;
  return { status: exchange.statusCode, code: null, message, requestId: null };
}

/** The parsed text; undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The request id that a server sends as a header. */
export function headerId(exchange: Exchange): string | null {
  return nonEmpty(exchange.headers["x-request-id"]) ?? nonEmpty(exchange.headers["x-dashscope-request-id"]);
}

/** "a web page" with its title in quotes, where the body is one; null where it is not. */
export function webPageTitle(body: string): string | null {
  const begin = body.slice(0, PAGE_CHARACTERS);
  if (!/^\s*<(!doctype html|html|head|body)\b/i.test(begin)) return null;
  const title = /<title[^>]*>([^<]*)/i.exec(begin)?.[1]?.trim() ?? "";
  return title === "" ? "a web page" : `a web page, "${title}"`;
}
