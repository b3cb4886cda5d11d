import type { OutgoingHttpHeaders } from "node:http";

interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/** What others than the model answer in its place, by the fault's name. */
export const otherReplies: Readonly<Record<string, Reply>> = {
  bad_gateway: page(502, "502 Bad Gateway"),
  html_403: page(403, "Attention Required! Sorry, you have been blocked"),
  html_200: page(200, "A chat in the browser"),
  not_found_text: { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" },
  moderation_403: json(403, {
    error: {
      message: "Your input was flagged by moderation",
      code: 403,
      metadata: { reasons: ["violence"], flagged_input: "…", provider_name: "Simulated" },
    },
  }),
  unprocessable_422: json(422, {
    detail: [{ loc: ["body", "messages"], msg: "field required", type: "value_error.missing" }],
  }),
  loading_503: json(503, { error: { code: 503, message: "Loading model", type: "unavailable_error" } }),
  retry_in_message: json(
    429,
    {
      error: {
        message: "Rate limit reached for requests. Please try again in 200ms.",
        type: "requests",
        param: null,
        code: "rate_limit_exceeded",
      },
    },
    { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "200ms" },
  ),
  error_string_200: json(200, { error: "model is overloaded" }),
  error_object_200: json(200, {
    object: "error",
    message: "The server is overloaded or not ready yet.",
    type: "ServiceUnavailableError",
    param: null,
    code: 503,
  }),
  error_inside_200: json(200, { error: { message: "Provider returned error", code: 502 } }),
  redirect: json(308, {}, { location: "/elsewhere/v1/chat/completions" }),
};

function json(status: number, body: unknown, headers: OutgoingHttpHeaders = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

function page(status: number, title: string): Reply {
  const body = `<html><head><title>${title}</title></head><body>${title}</body></html>`;
  return { status, headers: { "content-type": "text/html" }, body };
}
