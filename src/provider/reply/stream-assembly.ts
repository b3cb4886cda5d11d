import { readVendorError } from "../errors/vendor-error.js";
import type { VendorError } from "../errors/vendor-error.js";
import { nonEmpty, objectOf, stringOf } from "../json-value.js";
import type { JsonObject } from "../json-value.js";
import { readReply } from "./reply.js";
import type { Reply } from "./reply.js";
import type { EventSink, ServerEvent } from "../http/sse.js";

interface ToolCall {
  id?: string;
  type?: string;
  function: { name: string; arguments: string };
}

/**
 * Puts a streamed answer together, chunk by chunk, for both protocols (chunks are increments: native calls
 * ask for `incremental_output`).
 *
 * States: open; errored (an error came after HTTP 200); finished (a finish reason came, usage may follow);
 * complete (`[DONE]` or an error: nothing that matters follows). A stream that ends open was cut.
 */
export class StreamAssembly implements EventSink {
  /** What the server said went wrong, in mid-stream. */
  error: VendorError | null = null;
  /** Chunks that were not JSON: the stream is damaged. */
  damaged = false;
  /** `[DONE]` came. */
  isDone = false;
  /** Grows with every chunk that brings a piece of the answer: empty ones only keep the line alive. */
  pieces = 0;
  #text: string | null = null;
  #reasoning: string | null = null;
  #refusal: string | null = null;
  #finishReason: string | null = null;
  #broken: VendorError | null = null;
  #usage: JsonObject | null = null;
  #model: string | null = null;
  #requestId: string | null = null;
  readonly #toolCalls: ToolCall[] = [];
  readonly #logprobs: unknown[] = [];

  take(event: ServerEvent): boolean {
    if (event.data.trim() === "[DONE]") {
      this.isDone = true;
      return true;
    }
    if (event.data.trim() === "") return false;
    let chunk: unknown;
    try {
      chunk = JSON.parse(event.data);
    } catch {
      if (event.event === "error") return this.#failWith(event);
      this.damaged = true;
      return true;
    }
    const reply = event.event === "error" ? null : readReply(chunk);
    if (reply === null || isErrorBody(chunk)) {
      const error = readVendorError(chunk, event.status ?? 200);
      if (error !== null) {
        if (reply !== null) this.#add(reply);
        return this.#fail(error);
      }
      if (event.event === "error") return this.#failWith(event);
    }
    if (reply !== null) this.#add(reply);
    return false;
  }

  /** All of the answer is here: a finish reason came, or at least the end that the protocol gives it. */
  get finished(): boolean {
    return this.#finishReason !== null || (this.isDone && this.hasOutput);
  }

  get hasOutput(): boolean {
    return this.#text !== null || this.#reasoning !== null || this.#toolCalls.length > 0;
  }

  reply(): Reply {
    return {
      text: this.#text,
      reasoning: this.#reasoning,
      finishReason: this.#finishReason,
      toolCalls: this.#toolCalls.length === 0 ? null : this.#toolCalls.filter((call) => call !== undefined),
      logprobs: this.#logprobs.length === 0 ? null : this.#logprobs,
      refusal: this.#refusal,
      error: this.#broken,
      usage: this.#usage,
      model: this.#model,
      requestId: this.#requestId,
    };
  }

  /** An error in words that are not JSON. */
  #failWith(event: ServerEvent): true {
    return this.#fail({ status: event.status ?? 200, code: null, message: event.data, requestId: null });
  }

  #fail(error: VendorError): true {
    this.error = error.requestId === null ? { ...error, requestId: this.#requestId } : error;
    return true;
  }

  #add(reply: Reply): void {
    if (reply.text !== null) this.#text = (this.#text ?? "") + reply.text;
    if (reply.reasoning !== null) this.#reasoning = (this.#reasoning ?? "") + reply.reasoning;
    if (reply.refusal !== null) this.#refusal = (this.#refusal ?? "") + reply.refusal;
    if (reply.finishReason !== null) this.#finishReason = reply.finishReason;
    this.#broken ??= reply.error;
    // Native chunks carry a running count, compatible ones a single last one, some the input first and the
    // output last: the latest of each count holds.
    if (reply.usage !== null) this.#usage = { ...this.#usage, ...present(reply.usage) };
    if (isPiece(reply)) this.pieces += 1;
    this.#model ??= reply.model;
    if (reply.requestId !== null) this.#requestId = reply.requestId;
    for (const delta of reply.toolCalls ?? []) this.#addToolCall(delta);
    for (const token of reply.logprobs ?? []) this.#logprobs.push(token);
  }

  /** The first delta of a call names it, the later ones bring its arguments piece by piece. */
  #addToolCall(value: unknown): void {
    const delta = objectOf(value);
    if (delta === null) return;
    const index =
      typeof delta["index"] === "number" ? delta["index"] : Math.max(0, this.#toolCalls.length - 1);
    if (!Number.isInteger(index) || index < 0 || index > 127) return;
    const call = (this.#toolCalls[index] ??= { function: { name: "", arguments: "" } });
    const id = nonEmpty(delta["id"]);
    const type = nonEmpty(delta["type"]);
    if (id !== null) call.id = id;
    if (type !== null) call.type = type;
    const called = objectOf(delta["function"]);
    const name = nonEmpty(called?.["name"]);
    if (name !== null) call.function.name = name;
    call.function.arguments += stringOf(called?.["arguments"]) ?? "";
  }
}

function isErrorBody(chunk: unknown): boolean {
  const outer = objectOf(chunk);
  return (outer?.["error"] ?? null) !== null || outer?.["object"] === "error";
}

function isPiece({ text, reasoning, finishReason, toolCalls, refusal }: Reply): boolean {
  const said = (text ?? "") + (reasoning ?? "") + (refusal ?? "") + (finishReason ?? "");
  return said !== "" || toolCalls !== null;
}

function present(usage: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null));
}
