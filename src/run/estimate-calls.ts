import pLimit from "p-limit";
import { HaltError } from "../errors.js";
import { imageRootOf, inlineLocalImages } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { loadImage, ProviderError, type Provider } from "../provider/index.js";
import type { RowTask } from "../protocol/events.js";
import type { Usage } from "../types.js";
import { estimateRequestTokens } from "../usage/index.js";

/** What calls of a few rows told. */
export interface SampleCalls {
  readonly made: number;
  /** By the error's code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Of those that were answered. */
  readonly answers: readonly {
    readonly model: string;
    readonly usage: Usage;
    readonly estimatedInput: number;
    readonly latencyMs: number;
  }[];
}

/**
 * Calls the model once for each of these rows, for their true tokens. It is billed like any call.
 * HaltError for what every row would meet: a refused key, an unknown model.
 */
export async function callSample(
  provider: Provider,
  payloads: readonly RowTask[],
  job: Pick<ResolvedJob, "concurrency" | "timeoutMs" | "imageRoot" | "baseDir">,
  signal: AbortSignal,
): Promise<SampleCalls> {
  const limit = pLimit(job.concurrency);
  const answers: SampleCalls["answers"][number][] = [];
  const failures: Record<string, number> = {};
  await Promise.all(
    payloads.map((payload) =>
      limit(async () => {
        signal.throwIfAborted();
        const request = await inlineLocalImages(payload.request, (url) => loadImage(url, imageRootOf(job)));
        const startedAt = performance.now();
        try {
          const { usage } = await provider.call(request, { signal, timeoutMs: job.timeoutMs });
          if (usage === null) {
            failures["usage_unknown"] = (failures["usage_unknown"] ?? 0) + 1;
            return;
          }
          const latencyMs = performance.now() - startedAt;
          if (usage === null) {
            failures["usage_unknown"] = (failures["usage_unknown"] ?? 0) + 1;
            return;
          }
          answers.push({
            model: request.model,
            usage,
            latencyMs,
            estimatedInput: estimateRequestTokens(request),
          });
        } catch (error) {
          if (!(error instanceof ProviderError)) throw error;
          if (error.disposition === "run") {
            throw new HaltError(error.message, { code: error.code, hint: error.hint, cause: error });
          }
          failures[error.code] = (failures[error.code] ?? 0) + 1;
        }
      }),
    ),
  );
  return { made: payloads.length, failures, answers };
}
