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
import { callBound, loadImage, type Vendor } from "../provider/index.js";
import type { RowTask } from "../protocol/events.js";
import type { RowError } from "../types.js";

type Made = RowTask | RowError;

/** Who answers: decides digests, and what a call can cost. */
export interface TaskContext {
  readonly answeredBy: AnsweredBy;
  readonly vendor: Vendor;
}

/**
 * Turns rows into tasks; a row that cannot be one comes back as the reason. With a context, tasks carry their request's
 * digest and bound, but for those whose local images are not in yet.
 */
export function requestMaker(builder: RequestBuilder, context?: TaskContext): (row: InputRow) => Made {
  return (row) => {
    try {
      const { customId, preset, request } = builder.build(row);
      const { rowIndex } = row;
      const hasDigest = context !== undefined && !hasLocalImages(request);
      return {
        rowIndex,
        customId,
        preset,
        ...(hasDigest ? { requestDigest: shortRequestDigest(request, context.answeredBy) } : {}),
        request,
        bound: hasDigest ? callBound(request, context.vendor) : null,
        ended: 0,
        unusable: 0,
        paidCalls: null,
      };
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      return { kind: "input", code: "row_invalid", message: error.message, httpStatus: null };
    }
  };
}

/**
 * Turns rows into tasks, as `requestMaker` does, with local images read in: workers
 * elsewhere have no such files. An image that cannot be sent comes back as the reason.
 */
export function taskMaker(
  builder: RequestBuilder,
  context: TaskContext,
): (row: InputRow) => Made | Promise<Made> {
  const make = requestMaker(builder, context);
  return (row) => {
    const made = make(row);
    return "request" in made && hasLocalImages(made.request)
      ? withImages(made, builder.imageRoot, context)
      : made;
  };
}

async function withImages(
  task: RowTask,
  imageRoot: string,
  { answeredBy, vendor }: TaskContext,
): Promise<Made> {
  try {
    const request = await inlineLocalImages(task.request, (url) => loadImage(url, imageRoot));
    const requestDigest = shortRequestDigest(request, answeredBy);
    return { ...task, request, requestDigest, bound: callBound(request, vendor) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { kind: "input", code: error.code, message: error.message, httpStatus: null };
  }
}
