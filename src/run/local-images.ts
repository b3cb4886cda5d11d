import { inlineLocalImages } from "../job/index.js";
import { checkImage } from "../provider/index.js";
import type { ModelRequest } from "../types.js";

/** Files remembered as good, so that one picture of many rows is looked at once. Bounds the memory. */
const REMEMBERED_AT_MOST = 10_000;
/** Stands for a file that was looked at and not read in. */
const CHECKED = "data:image/png;base64,";

/** Looks at the local images of rows before anything is called, each distinct file once. */
export class LocalImageCheck {
  readonly #good = new Set<string>();
  readonly #root: string;

  /** `root`: the folder below which images may be read. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The request with a stand-in for each local image. UsageError naming a file that cannot be sent. */
  async check(request: ModelRequest): Promise<ModelRequest> {
    return await inlineLocalImages(request, async (url) => {
      if (this.#good.has(url)) return CHECKED;
      await checkImage(url, this.#root);
      if (this.#good.size >= REMEMBERED_AT_MOST) this.#good.clear();
      this.#good.add(url);
      return CHECKED;
    });
  }
}
