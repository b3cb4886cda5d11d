import type { NativeFamily } from "./models.js";
import { safeText } from "./redact.js";

/** Something a maintainer of the tables should hear of. Texts are free of the key, capped and fit to print. */
export type ProviderLogEvent =
  | {
      readonly event: "unknown_error";
      readonly provider: string;
      readonly httpStatus: number;
      readonly code: string;
      readonly body: string;
    }
  | {
      readonly event: "unknown_finish_reason";
      readonly provider: string;
      readonly model: string;
      readonly finishReason: string;
    }
  | {
      readonly event: "model_learned";
      readonly provider: string;
      readonly model: string;
      readonly learned: NativeFamily | "stream";
    };

const LOGGED_AT_MOST = 100;
const LOGGED_CHARACTERS = 2000;

/** Says each thing once, and a hundred things at most. */
export class ProviderLog {
  readonly #provider: string;
  readonly #apiKey: string | null;
  readonly #log: ((event: ProviderLogEvent) => void) | undefined;
  readonly #said = new Set<string>();

  constructor(provider: string, apiKey: string | null, log: ((event: ProviderLogEvent) => void) | undefined) {
    this.#provider = provider;
    this.#apiKey = apiKey;
    this.#log = log;
  }

  unknownError(httpStatus: number, code: string, body: string): void {
    if (!this.#isNew(`${httpStatus} ${code}`)) return;
    const shown = safeText(body, this.#apiKey, LOGGED_CHARACTERS);
    this.#log?.({ event: "unknown_error", provider: this.#provider, httpStatus, code, body: shown });
  }

  unknownFinishReason(model: string, reason: string): void {
    const finishReason = safeText(reason, this.#apiKey, 100);
    if (!this.#isNew(`finish ${finishReason}`)) return;
    this.#log?.({ event: "unknown_finish_reason", provider: this.#provider, model, finishReason });
  }

  modelLearned(model: string, learned: NativeFamily | "stream"): void {
    this.#log?.({ event: "model_learned", provider: this.#provider, model, learned });
  }

  #isNew(what: string): boolean {
    if (this.#log === undefined || this.#said.has(what) || this.#said.size >= LOGGED_AT_MOST) return false;
    this.#said.add(what);
    return true;
  }
}
