/**
 * What crosses stages. A type that belongs to one stage lives with that stage.
 *
 * Words: a *row* is one input record, a *request* what is sent to the model for it, an *attempt* one
 * call, a *result* the outcome of a row.
 */

export type Protocol = "openai" | "dashscope";

export type Role = "system" | "user" | "assistant" | "tool";

/** One piece of a multimodal message. `url` is http(s), `data:` or `oss://`. */
export type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly url: string }
  | { readonly type: "video"; readonly url: string };

export interface Message {
  readonly role: Role;
  readonly content: string | readonly ContentPart[];
  /** Partial mode: the last message, of role assistant, is a prefix that the model continues. */
  readonly partial?: boolean;
  /** For role tool: which call this answers. */
  readonly toolCallId?: string;
  /** For role assistant in a multi-turn request with tools. Passed through. */
  readonly toolCalls?: readonly unknown[];
}

/**
 * Sampling and request parameters in camelCase, as the job file writes them. Ranges are checked where
 * they come in (job file, configuration, row); here they are known to be in range.
 */
export interface Parameters {
  /** [0, 2) */
  readonly temperature?: number;
  /** (0, 1] */
  readonly topP?: number;
  /** Integer >= 0; above 100 disables. */
  readonly topK?: number;
  /** [-2, 2] */
  readonly presencePenalty?: number;
  /** > 0; 1 is off. */
  readonly repetitionPenalty?: number;
  /** [0, 2^31 - 1] */
  readonly seed?: number;
  /** Tokens of the answer, without thinking. */
  readonly maxTokens?: number;
  /** Tokens of answer and thinking together; newer models only. */
  readonly maxCompletionTokens?: number;
  readonly stop?: string | readonly string[];
  readonly enableThinking?: boolean;
  /** Integer > 0. */
  readonly thinkingBudget?: number;
  readonly reasoningEffort?: string;
  readonly responseFormat?:
    | { readonly type: "text" | "json_object" }
    | {
        readonly type: "json_schema";
        readonly jsonSchema: { readonly name: string; readonly schema: unknown; readonly strict?: boolean };
      };
  readonly logprobs?: boolean;
  /** 0-5 */
  readonly topLogprobs?: number;
  readonly tools?: readonly unknown[];
  readonly toolChoice?: unknown;
  readonly parallelToolCalls?: boolean;
  readonly enableSearch?: boolean;
  readonly searchOptions?: Readonly<Record<string, unknown>>;
  readonly vlHighResolutionImages?: boolean;
  /** qwen-mt: {source_lang, target_lang, terms, tm_list, domains}, in the vendor's own keys. */
  readonly translationOptions?: Readonly<Record<string, unknown>>;
  /** `keep`: thoughts in tags at the start of an answer stay in its text. Not sent. */
  readonly thinkTags?: "keep" | "separate";
  /** Sent as they are, for parameters this version does not know. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** What is sent to the model for one row. JSON-safe: it travels through the queue. */
export interface ModelRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly parameters: Parameters;
}

/**
 * Tokens of one billed attempt. `inputTokens` includes cached ones, `outputTokens` includes reasoning.
 * Optional fields are absent when zero.
 */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
  /** Tokens written to an explicit cache (billed above the input rate). */
  readonly cacheWriteTokens?: number;
  readonly imageTokens?: number;
  readonly audioTokens?: number;
  readonly videoTokens?: number;
  /** The attempt ran in thinking mode: some models have a rate of its own for its output. */
  readonly thinking?: boolean;
}

/** What one call cannot exceed. */
export interface CallBound {
  readonly inputTokens: number;
  /** Thinking included. */
  readonly outputTokens: number;
  /** false: thinking is known to be off. Default true: its rate is assumed where it is higher. */
  readonly thinking?: boolean;
  /** true: the request creates explicit cache entries. */
  readonly writesCache?: boolean;
}

export interface Money {
  readonly amount: number;
  /** ISO 4217: USD, CNY. */
  readonly currency: string;
}

/** What a provider returns for one attempt that was answered. */
export interface Answer {
  readonly text: string;
  /** The model's thinking, kept apart from the answer. */
  readonly reasoning: string | null;
  /** stop, length, tool_calls, content_filter or what else the provider says; `finishMeaning` tells what it means. */
  readonly finishReason: string;
  readonly toolCalls?: readonly unknown[];
  /** Of each token of the text, as the provider words them; only when asked for. */
  readonly logprobs?: readonly unknown[];
  /** null: unknown. The call was billed, and the server did not say for what, or not credibly. */
  readonly usage: Usage | null;
  readonly requestId: string | null;
}

/**
 * Why a row failed, in the field's terms. `retry --kind` selects on these.
 *
 * - input: the row itself could not become a request (lenient reading, a template on this row)
 * - invalid_request: the provider refused the request for what it says
 * - content_filter: the provider's content check refused the input or the output
 * - timeout, network, server: attempts ran out on these
 * - bad_response: the provider's answer could not be read
 * - invalid_output: an answer came, but not of the shape asked for
 * - worker_lost: every worker that took it died
 */
export type RowErrorKind =
  | "input"
  | "invalid_request"
  | "content_filter"
  | "timeout"
  | "network"
  | "server"
  | "throttled"
  | "bad_response"
  | "invalid_output"
  | "worker_lost";

export interface RowError {
  readonly kind: RowErrorKind;
  /** The vendor's code where there is one, else ours, in snake_case. */
  readonly code: string;
  readonly message: string;
  readonly httpStatus: number | null;
}

export interface Output {
  readonly text: string;
  readonly reasoning: string | null;
  readonly finishReason: string;
  readonly toolCalls?: readonly unknown[];
  readonly logprobs?: readonly unknown[];
}

interface ResultBase {
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  readonly preset: string | null;
  /** Calls of the model that ended, the first included; throttled ones do not count. */
  readonly attempts: number;
  readonly requestId: string | null;
  /** Which request this is the outcome of (`shortRequestDigest`). Absent: there was none, or it cannot be told. */
  readonly requestDigest?: string;
  /** The last attempt's tokens; null: it was not billed, or nobody knows how many. */
  readonly usage: Usage | null;
  /** The answer is that of an earlier run to the same request: nothing was called. `usage`: what it cost then. */
  readonly reused?: { readonly runId: string; readonly usage: Usage | null };
  readonly latencyMs: number;
  /** ISO 8601, UTC. */
  readonly finishedAt: string;
}

/** The outcome of a row. */
export type Result =
  | (ResultBase & { readonly status: "succeeded"; readonly output: Output })
  | (ResultBase & { readonly status: "failed"; readonly error: RowError; readonly output?: Output });
