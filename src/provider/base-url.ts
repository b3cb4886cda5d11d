import { UsageError } from "../errors.js";
import type { Protocol } from "../types.js";
import { BASE_PATHS } from "./regions.js";

/**
 * Reads a base URL from the configuration or the environment. A trailing slash and `/chat/completions` are
 * dropped. UsageError for other schemes and for credentials in the URL: it is shown and logged.
 */
export function parseBaseUrl(text: string, provider: string): URL {
  const fail = (problem: string): UsageError =>
    new UsageError(`provider ${provider}: base URL ${problem}`, {
      code: "invalid_base_url",
      hint: "Give an http or https URL such as https://host/v1; keys go into an environment variable, never into the URL.",
    });
  if (!URL.canParse(text.trim())) throw fail(`${JSON.stringify(text.slice(0, 100))} is not a URL`);
  const url = new URL(text.trim());
  if (url.protocol !== "http:" && url.protocol !== "https:") throw fail(`has scheme ${url.protocol}`);
  if (url.username !== "" || url.password !== "") throw fail(`of ${url.host} holds a user name or password`);
  url.hash = "";
  url.pathname = url.pathname.replace(/\/+$/, "").replace(/\/chat\/completions$/, "");
  return url;
}

/** Gives a vendor URL the path of the protocol: a bare host gets one, the other protocol's is exchanged. */
export function withVendorPath(url: URL, protocol: Protocol, vendorHost: boolean): URL {
  const other = BASE_PATHS[protocol === "openai" ? "dashscope" : "openai"];
  const path = url.pathname.replace(/\/+$/, "");
  const changed = new URL(url);
  if (path === "" && vendorHost) changed.pathname = BASE_PATHS[protocol];
  else if (path.endsWith(other)) changed.pathname = path.slice(0, -other.length) + BASE_PATHS[protocol];
  else if (path === "/v1" && vendorHost && protocol === "dashscope") changed.pathname = BASE_PATHS.dashscope;
  return changed;
}

/** The URL to call, without the slash at the end of its path. */
export function plainUrl(url: URL): string {
  return url.href.replace(/\/(?=$|\?)/, "");
}

/** The URL to show: no query, which may hold a key. */
export function displayUrl(url: URL): string {
  return `${url.origin}${url.pathname}`.replace(/\/$/, "");
}

/** This machine: no key is demanded for a server of one's own. */
export function isLocalHost(host: string): boolean {
  return host === "localhost" || host === "[::1]" || host.startsWith("127.") || host.endsWith(".localhost");
}
