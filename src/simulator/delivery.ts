import type { OutgoingHttpHeaders } from "node:http";

import { answerBody, type AnswerEnvelope } from "./answer-body.js";
import { answerEvents, errorEvent } from "./answer-events.js";
import { bodyForms } from "./body-forms.js";
import { errorCode } from "./error-body.js";
import type { Exchange } from "./exchange.js";
import type { TransportFault } from "./faults.js";
import { vendorErrors } from "./vendor-errors.js";

/** An answer on its way to the client. */
export interface Delivery {
  readonly exchange: Exchange;
  readonly envelope: AnswerEnvelope;
  readonly headers: OutgoingHttpHeaders;
  /** What the whole answer takes to be generated; a stream is spread over it. Milliseconds. */
  readonly generationMs: number;
  readonly slowBodyMs: number;
}

const eventStream = { "content-type": "text/event-stream;charset=UTF-8", "cache-control": "no-cache" };

/** Sends a good answer, its body in the form that is asked for. */
export function deliver({ exchange, envelope, headers, generationMs }: Delivery): void {
  const outcome = { kind: "answered", usage: envelope.answer.usage } as const;
  const { fragment, body: form } = envelope.markers;
  if (form === "close") exchange.closeAfterAnswer();
  else if (form !== undefined) {
    const streamed = form === "events" || (envelope.request.stream && form !== "whole");
    const whole = streamed ? answerEvents(envelope).join("") : answerBody(envelope);
    const [body, encoding] = bodyForms[form]?.[1](whole, streamed) ?? [whole];
    const type = streamed && form !== "events" ? eventStream : {};
    const encoded = encoding === undefined ? {} : { "content-encoding": encoding };
    exchange.send(200, { ...headers, ...type, ...encoded }, body, outcome);
    return;
  }
  if (!envelope.request.stream) {
    exchange.send(200, headers, answerBody(envelope), outcome);
    return;
  }
  exchange.begin(200, { ...headers, ...eventStream }, null);
  const events = answerEvents(envelope);
  const parts = fragment === undefined ? events : fragments(events.join(""), fragment);
  writeParts(exchange, parts, generationMs, () => exchange.finishStream(outcome));
}

/** Sends an answer as the fault would have it. Faults that need no answer never come here. */
export function deliverSpoiled(delivery: Delivery, fault: TransportFault): void {
  const { exchange, envelope, slowBodyMs } = delivery;
  const { stream } = envelope.request;
  const events = stream ? answerEvents(envelope) : [];
  const body = Buffer.from(stream ? events.join("") : answerBody(envelope));
  const headers = stream ? { ...delivery.headers, ...eventStream } : delivery.headers;
  const spoiled = { kind: "spoiled", usage: envelope.answer.usage } as const;
  const half = body.subarray(0, Math.floor(body.length / 2));
  if (fault === "reset_after_answer") exchange.reset(spoiled);
  else if (fault === "empty_body") exchange.send(200, headers, "", spoiled);
  else if (fault === "malformed_json") {
    // Cut in the middle and closed with a bracket that nothing opened; in a stream, in the middle of an event.
    exchange.send(200, headers, Buffer.concat([half, Buffer.from("]]\n\n")]), spoiled);
  } else if (fault === "truncated_body") {
    exchange.begin(200, headers, body.length);
    exchange.write(half);
    // A moment for the first half to leave: a reset at once would overtake it.
    exchange.after(5, () => exchange.reset(spoiled));
  } else if (fault === "slow_body") {
    exchange.begin(200, headers, body.length);
    writeParts(exchange, fragments(body, Math.ceil(body.length / 20)), slowBodyMs, () =>
      exchange.finishStream({ kind: "answered", usage: envelope.answer.usage }),
    );
  } else deliverHalf({ ...delivery, headers }, events, fault);
}

/** Half a stream, then an error or, for a stalled one, nothing more. */
function deliverHalf(
  { exchange, envelope, headers }: Delivery,
  events: readonly string[],
  fault: TransportFault,
): void {
  const half = Math.ceil(events.length / 2);
  exchange.begin(200, headers, null);
  for (const event of events.slice(0, half)) exchange.write(event);
  if (fault === "stalled_stream") return;
  exchange.write(errorEvent(envelope, half + 1, fault));
  const error = fault === "stream_throttled" ? vendorErrors.token_quota : vendorErrors.server_error;
  exchange.finishStream({ kind: "rejected", code: errorCode(error, envelope.request.protocol) });
}

/** Keeps a call alive without answering it, until the client leaves. */
export function deliverPings(
  exchange: Exchange,
  headers: OutgoingHttpHeaders,
  stream: boolean,
  everyMs: number,
): void {
  exchange.begin(200, stream ? { ...headers, ...eventStream } : headers, null);
  const ping = (): void => {
    exchange.write(stream ? ": ping\n\n" : "\n");
    exchange.after(Math.max(everyMs, 1), ping);
  };
  ping();
}

function fragments(body: string | Buffer, bytes: number): Uint8Array[] {
  const whole = typeof body === "string" ? Buffer.from(body) : body;
  const size = Math.max(1, Math.floor(bytes));
  const parts: Uint8Array[] = [];
  for (let start = 0; start < whole.length; start += size) parts.push(whole.subarray(start, start + size));
  return parts;
}

/** Writes parts evenly over a time, or each in a turn of its own when there is none to spend. */
function writeParts(
  exchange: Exchange,
  parts: readonly (string | Uint8Array)[],
  overMs: number,
  done: () => void,
): void {
  if (overMs <= 0) {
    if (parts.every((part) => typeof part === "string")) exchange.write(parts.join(""));
    else for (const part of parts) exchange.write(part);
    done();
    return;
  }
  const stepMs = overMs / Math.max(parts.length - 1, 1);
  const writeFrom = (index: number): void => {
    const part = parts[index];
    if (part !== undefined) exchange.write(part);
    // Settled in the turn of the last byte: whoever has read the answer finds it counted.
    if (index + 1 >= parts.length) done();
    else exchange.after(stepMs, () => writeFrom(index + 1));
  };
  writeFrom(0);
}
