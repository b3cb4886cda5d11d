import { UsageError } from "../../errors.js";
import { isLocalHost } from "../base-url.js";
import type { Environment } from "../endpoint.js";

/** How calls reach a server that is not called directly. */
export interface Proxy {
  readonly url: URL;
  /** `Basic …`, of the user and password in its URL. */
  readonly authorization: string | null;
}

/**
 * The proxy for calls to `target` by HTTPS_PROXY, HTTP_PROXY or ALL_PROXY and NO_PROXY, in lower or upper case, as
 * curl and Go read them; null: none. This machine is always called directly. UsageError for proxies that are not HTTP.
 */
export function proxyFor(target: URL, environment: Environment): Proxy | null {
  const read = (name: string): string | null =>
    environment[name.toLowerCase()]?.trim() || environment[name]?.trim() || null;
  const text = read(target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") ?? read("ALL_PROXY");
  if (text === null || isLocalHost(target.hostname) || isExempt(target, read("NO_PROXY") ?? "")) return null;
  const address = text.includes("://") ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new UsageError(
      `${url === null ? "a proxy variable" : `a proxy of type ${url.protocol}`} cannot be used`,
      {
        code: "invalid_proxy",
        hint: "Set HTTPS_PROXY or HTTP_PROXY to an http or https URL such as http://host:3128, or NO_PROXY to the model server's host.",
      },
    );
  }
  const { username, password } = url;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = username === "" ? null : `Basic ${Buffer.from(credentials).toString("base64")}`;
  url.username = "";
  url.password = "";
  return { url, authorization };
}

/** `*`, a host, `host:port`, or a domain with all its hosts, with or without a leading dot. */
function isExempt(target: URL, list: string): boolean {
  const port = target.port === "" ? (target.protocol === "https:" ? "443" : "80") : target.port;
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, host = entry, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (onlyPort !== undefined && onlyPort !== port) return false;
      const domain = host.replace(/^\*?\./, "");
      return target.hostname === domain || target.hostname.endsWith(`.${domain}`);
    });
}
