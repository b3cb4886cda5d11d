import type { InputRow } from "../input/row.js";
import type { ContentPart, Message, Role } from "../types.js";
import { malformedCell } from "./cell.js";
import { imagePart, MediaError, videoPart } from "./media.js";
import type { RowProblem } from "./row-problem.js";

const ROLES: readonly Role[] = ["system", "user", "assistant", "tool"];
const MESSAGE_KEYS = ["role", "content", "partial", "tool_call_id", "toolCallId", "tool_calls", "toolCalls"];

/**
 * Reads a prompt row's `messages`: a list, or JSON text of one in a CSV cell, in the form of the
 * OpenAI-compatible interface (snake_case; content as text, or as text, image_url and video_url parts).
 *
 * Unknown keys are refused rather than dropped. The last message must be one that can be answered.
 * Throws RowProblem naming the message, what was expected and what came.
 */
export function rowMessages(row: InputRow, value: unknown, baseDir: string): readonly Message[] {
  const list = typeof value === "string" ? parseList(row, value) : value;
  if (!Array.isArray(list) || list.length === 0) {
    throw malformedCell(row, "messages", "a list of messages that is not empty", list);
  }
  const refuse = (place: string, expected: string, received: unknown): RowProblem =>
    malformedCell(row, `messages${place}`, expected, received);
  const messages = list.map((item: unknown, index) => {
    const reader = new MessageReader(
      (place, expected, received) => refuse(`[${index}]${place}`, expected, received),
      baseDir,
    );
    return reader.read(item);
  });
  checkOrder(messages, refuse);
  return messages;
}

type Refuse = (place: string, expected: string, received: unknown) => RowProblem;

class MessageReader {
  readonly #refuse: Refuse;
  readonly #baseDir: string;

  constructor(refuse: Refuse, baseDir: string) {
    this.#refuse = refuse;
    this.#baseDir = baseDir;
  }

  read(item: unknown): Message {
    const fields = this.#mapping("", item);
    const unknown = Object.keys(fields).find((key) => !MESSAGE_KEYS.includes(key));
    if (unknown !== undefined)
      throw this.#refuse(
        `.${unknown}`,
        "only role, content, partial, tool_call_id and tool_calls",
        fields[unknown],
      );
    const role = ROLES.find((each) => each === fields["role"]);
    if (role === undefined) throw this.#refuse(".role", ROLES.join(" or "), fields["role"]);
    const toolCalls = fields["tool_calls"] ?? fields["toolCalls"] ?? undefined;
    const toolCallId = fields["tool_call_id"] ?? fields["toolCallId"] ?? undefined;
    const partial = fields["partial"] ?? undefined;
    if (toolCalls !== undefined && !Array.isArray(toolCalls))
      throw this.#refuse(".tool_calls", "a list", toolCalls);
    if (toolCallId !== undefined && typeof toolCallId !== "string")
      throw this.#refuse(".tool_call_id", "text", toolCallId);
    if (partial !== undefined && typeof partial !== "boolean")
      throw this.#refuse(".partial", "true or false", partial);
    return {
      role,
      content: this.#content(fields["content"], toolCalls !== undefined),
      ...(partial === undefined ? {} : { partial }),
      ...(toolCallId === undefined ? {} : { toolCallId }),
      ...(toolCalls === undefined
        ? {}
        : { toolCalls: JSON.parse(JSON.stringify(toolCalls)) as readonly unknown[] }),
    };
  }

  #content(content: unknown, mayBeAbsent: boolean): Message["content"] {
    if (typeof content === "string") return content;
    if (mayBeAbsent && (content === null || content === undefined)) return "";
    if (!Array.isArray(content) || content.length === 0) {
      throw this.#refuse(".content", "text or a list of parts", content);
    }
    return content.map((part, index) => this.#part(`.content[${index}]`, part));
  }

  #part(place: string, item: unknown): ContentPart {
    const part = this.#mapping(place, item);
    switch (part["type"]) {
      case "text":
        if (typeof part["text"] !== "string") throw this.#refuse(`${place}.text`, "text", part["text"]);
        return { type: "text", text: part["text"] };
      case "image":
      case "image_url":
        return this.#media(place, part, "image_url", (url) => imagePart(url, this.#baseDir));
      case "video":
      case "video_url":
        return this.#media(place, part, "video_url", videoPart);
      default:
        throw this.#refuse(`${place}.type`, "text, image_url or video_url", part["type"]);
    }
  }

  #media(
    place: string,
    part: Readonly<Record<string, unknown>>,
    key: string,
    make: (url: string) => ContentPart,
  ): ContentPart {
    const named = part[key];
    const url =
      typeof named === "object" && named !== null ? (named as { url?: unknown }).url : (named ?? part["url"]);
    if (typeof url !== "string") throw this.#refuse(`${place}.${key}.url`, "a URL or path", url);
    try {
      return make(url);
    } catch (cause) {
      if (cause instanceof MediaError) throw this.#refuse(`${place}.${key}.url`, "a usable URL or path", url);
      throw cause;
    }
  }

  #mapping(place: string, value: unknown): Readonly<Record<string, unknown>> {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.#refuse(place, "a mapping", value);
    return value as Readonly<Record<string, unknown>>;
  }
}

/** The service refuses histories whose last message has nothing to answer ("list index out of range"). */
function checkOrder(messages: readonly Message[], refuse: Refuse): void {
  const misplaced = messages.findIndex(
    ({ partial, role }, index) => partial === true && (role !== "assistant" || index < messages.length - 1),
  );
  if (misplaced !== -1) {
    throw refuse(`[${misplaced}].partial`, "partial only on a last message of role assistant", true);
  }
  const last = messages.at(-1);
  const answerable = last?.role === "user" || last?.role === "tool" || last?.partial === true;
  if (!answerable) {
    throw refuse(
      `[${messages.length - 1}].role`,
      "user last (or tool, or assistant with partial: true)",
      last?.role,
    );
  }
  const empty = messages.findIndex(
    ({ role, content }) => role === "user" && typeof content === "string" && content.trim() === "",
  );
  if (empty !== -1) throw refuse(`[${empty}].content`, "text that is not blank", messages[empty]?.content);
}

function parseList(row: InputRow, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformedCell(row, "messages", `a JSON list of messages (${(cause as Error).message})`, text);
  }
}
