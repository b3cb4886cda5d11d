import type { OutgoingHttpHeaders } from "node:http";

import { answerBody, type AnswerEnvelope } from "./answer-body.js";
import { answerEvents, errorEvent } from "./answer-events.js";
import { errorCode } from "./error-body.js";
import type { Exchange } from "./exchange.js";
import type { TransportFault } from "./faults.js";
import { vendorErrors } from "./vendor-errors.js";

export interface Pace {
  /** What the whole answer takes to be generated; a stream is spread over it. Milliseconds. */
  readonly generationMs: number;
  readonly slowBodyMs: number;
}

const eventStream = { "content-type": "text/event-stream;charset=UTF-8", "cache-control": "no-cache" };

/** Sends an answer as it should be. */
export function deliver(
  exchange: Exchange,
  envelope: AnswerEnvelope,
  headers: OutgoingHttpHeaders,
  pace: Pace,
): void {
  const outcome = { kind: "answered", usage: envelope.answer.usage } as const;
  if (!envelope.request.stream) {
    exchange.send(200, headers, answerBody(envelope), outcome);
    return;
  }
  exchange.begin(200, { ...headers, ...eventStream }, null);
  const events = answerEvents(envelope);
  const { fragmentBytes } = envelope.markers;
  const parts = fragmentBytes === null ? events : fragments(events.join(""), fragmentBytes);
  writeParts(exchange, parts, pace.generationMs, () => exchange.finishStream(outcome));
}

/** Sends an answer as the fault would have it. Faults that need no answer never come here. */
export function deliverSpoiled(
  exchange: Exchange,
  envelope: AnswerEnvelope,
  headers: OutgoingHttpHeaders,
  fault: TransportFault,
  pace: Pace,
): void {
  const spoiled = { kind: "spoiled", usage: envelope.answer.usage } as const;
  const answered = { kind: "answered", usage: envelope.answer.usage } as const;
  const { stream } = envelope.request;
  const events = stream ? answerEvents(envelope) : [];
  const body = stream ? events.join("") : answerBody(envelope);
  const allHeaders = stream ? { ...headers, ...eventStream } : headers;
  const half = Math.ceil(events.length / 2);
  switch (fault) {
    case "reset_after_answer":
      exchange.reset(spoiled);
      return;
    case "empty_body":
      exchange.send(200, allHeaders, "", spoiled);
      return;
    case "malformed_json":
      exchange.send(200, allHeaders, malformed(body), spoiled);
      return;
    case "truncated_body": {
      const bytes = Buffer.from(body);
      exchange.begin(200, allHeaders, bytes.length);
      exchange.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
      // A moment for the first half to leave: a reset at once would overtake it.
      exchange.after(5, () => exchange.reset(spoiled));
      return;
    }
    case "slow_body": {
      const bytes = Buffer.from(body);
      exchange.begin(200, allHeaders, bytes.length);
      writeParts(exchange, fragments(bytes, Math.ceil(bytes.length / 20)), pace.slowBodyMs, () =>
        exchange.finishStream(answered),
      );
      return;
    }
    case "stream_error":
    case "stream_throttled": {
      const throttled = fault === "stream_throttled";
      const error = throttled ? vendorErrors.token_quota : vendorErrors.server_error;
      exchange.begin(200, allHeaders, null);
      for (const event of events.slice(0, half)) exchange.write(event);
      exchange.write(errorEvent(envelope, half + 1, throttled));
      exchange.finishStream({ kind: "rejected", code: errorCode(error, envelope.request.protocol) });
      return;
    }
    case "stalled_stream":
      exchange.begin(200, allHeaders, null);
      for (const event of events.slice(0, half)) exchange.write(event);
      return;
    default:
      deliver(exchange, envelope, headers, pace);
  }
}

/** Cut in the middle and closed with a bracket that nothing opened; in a stream, in the middle of an event. */
function malformed(body: string): string {
  return `${body.slice(0, Math.floor(body.length / 2))}]]\n\n`;
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
