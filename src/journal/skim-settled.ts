import type { Billing, SettledEvent } from "../protocol/events.js";
import { CHECKSUM_BYTES } from "./checksum.js";

/** All but the answer is before this byte; a line in which it is not is parsed as a whole. */
const HEAD_BYTES = 1_024;
const TAIL_BYTES = 192;

const TEXT = String.raw`"([^"\\]*)"`;
const KEY = String.raw`([1-9]\d{0,14})`;
const COUNT = String.raw`(\d{1,15})`;
const USAGE =
  `\\{"inputTokens":${COUNT},"outputTokens":${COUNT},"cachedInputTokens":${COUNT},"reasoningTokens":${COUNT}` +
  String.raw`(?:,"thinking":(true|false))?\}`;
const HEAD = new RegExp(
  `^\\{(?:"worker":${TEXT},"seq":${KEY},)?"rowIndex":${COUNT},"customId":${TEXT},"model":${TEXT},` +
    `"preset":(?:null|${TEXT}),"attempts":${COUNT},"requestId":(?:null|${TEXT}),"usage":${USAGE},` +
    String.raw`"latencyMs":${COUNT},"finishedAt":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)",` +
    `(?:"requestDigest":${TEXT},)?"status":"succeeded","output":\\{"text":"`,
);
/** Workers beside their coordinator do not number their events, and put their name last. */
const TAIL = new RegExp(
  String.raw`,"finishReason":"([\w-]*)"\},"event":"settled","key":${KEY},"billing":"(billed|free|possible)"` +
    String.raw`(?:,"worker":"([\w-]*)")?$`,
);

/**
 * Reads a line in the form in which nearly all lines of a long journal are: a row that a worker answered. Much faster than parsing it
 * as JSON, for who reads a whole journal and does not want the answers: their text is left empty. null: it has another form. The
 * caller has checked the line's checksum.
 */
export function skimSettled(line: Buffer, rows: number): SettledEvent | null {
  const end = line.length - CHECKSUM_BYTES;
  const tail = TAIL.exec(line.toString("latin1", Math.max(0, end - TAIL_BYTES), end));
  const head = tail && HEAD.exec(line.toString("utf8", 0, Math.min(end, HEAD_BYTES)));
  if (tail === null || head === null) return null;
  const [, finishReason = "", key, billing, local] = tail;
  const [, remote, seq, row, customId = "", model = "", preset = null, attempts, requestId = null] = head;
  const [input, output, cached, reasoning, thinking, latency, finishedAt = "", digest] = head.slice(9);
  const rowIndex = Number(row);
  const worker = local ?? remote;
  if (rowIndex >= rows || worker === undefined) return null;
  return {
    event: "settled",
    worker,
    ...(seq === undefined ? {} : { seq: Number(seq) }),
    key: Number(key),
    billing: billing as Billing,
    rowIndex,
    customId,
    model,
    preset,
    attempts: Number(attempts),
    requestId,
    usage: {
      inputTokens: Number(input),
      outputTokens: Number(output),
      cachedInputTokens: Number(cached),
      reasoningTokens: Number(reasoning),
      ...(thinking === undefined ? {} : { thinking: thinking === "true" }),
    },
    latencyMs: Number(latency),
    finishedAt,
    ...(digest === undefined ? {} : { requestDigest: digest }),
    status: "succeeded",
    output: { text: "", reasoning: null, finishReason },
  };
}
