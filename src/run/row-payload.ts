import { UsageError } from "../errors.js";
import type { InputRow } from "../input/row.js";
import {
  hasLocalImages,
  inlineLocalImages,
  RowProblem,
  shortRequestDigest,
  type AnsweredBy,
  type RequestBuilder,
} from "../job/index.js";
import { loadImage } from "../provider/index.js";
import { PAYLOAD_VERSION, type QueuePayload } from "../queue/payload.js";
import type { RowError } from "../types.js";

type Made = QueuePayload | RowError;

/**
 * Turns rows into what goes on the queue; a row that cannot be one comes back as the reason. With
 * `answeredBy`, payloads carry their request's digest, but for those whose local images are not in yet.
 */
export function requestMaker(
  builder: RequestBuilder,
  answeredBy?: AnsweredBy,
): (row: InputRow) => QueuePayload | RowError {
  return (row) => {
    try {
      const { customId, preset, request } = builder.build(row);
      const payload = { v: PAYLOAD_VERSION, rowIndex: row.rowIndex, customId, preset, request } as const;
      if (answeredBy === undefined || hasLocalImages(request)) return payload;
      return { ...payload, requestDigest: shortRequestDigest(request, answeredBy) };
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      return { kind: "input", code: "row_invalid", message: error.message, httpStatus: null };
    }
  };
}

/**
 * Turns rows into what goes on the queue, as `requestMaker` does, with local images read in: workers
 * elsewhere have no such files. An image that cannot be sent comes back as the reason.
 */
export function payloadMaker(
  builder: RequestBuilder,
  answeredBy?: AnsweredBy,
): (row: InputRow) => Made | Promise<Made> {
  const make = requestMaker(builder, answeredBy);
  return (row) => {
    const made = make(row);
    return "request" in made && hasLocalImages(made.request)
      ? withImages(made, builder.imageRoot, answeredBy)
      : made;
  };
}

async function withImages(
  payload: QueuePayload,
  imageRoot: string,
  answeredBy: AnsweredBy | undefined,
): Promise<Made> {
  try {
    const request = await inlineLocalImages(payload.request, (url) => loadImage(url, imageRoot));
    if (answeredBy === undefined) return { ...payload, request };
    return { ...payload, request, requestDigest: shortRequestDigest(request, answeredBy) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { kind: "input", code: error.code, message: error.message, httpStatus: null };
  }
}
