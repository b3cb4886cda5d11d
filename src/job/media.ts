import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ResolvedJob } from "./resolved-job.js";
import type { ContentPart, Message, ModelRequest } from "../types.js";

/** An image or video reference that is none; `message` is what was expected and what was received. */
export class MediaError extends Error {}

/** Images and video of one message, as a row or a job's templates name them. */
export interface MediaReferences {
  readonly images: readonly string[];
  readonly video: string | null;
}

/**
 * One reference, or several as a list or as JSON text of a list (a CSV cell, or a JSONL list in a
 * template). Blank ones are left out. Throws MediaError.
 */
export function mediaReferences(value: unknown): readonly string[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap(mediaReferences);
  if (typeof value !== "string") throw new MediaError(`expected a URL or path, received a ${typeof value}`);
  const text = value.trim();
  if (text === "") return [];
  if (!text.startsWith("[")) return [text];
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new MediaError(`expected a URL, a path or a JSON list of them, received ${shown(text)}`, { cause });
  }
  return mediaReferences(list);
}

/** The folder below which rows may name local images: what rows say comes from anywhere. */
export function imageRootOf({ imageRoot, baseDir }: Pick<ResolvedJob, "imageRoot" | "baseDir">): string {
  return resolve(imageRoot ?? baseDir ?? ".");
}

/**
 * An image for a request: http(s), oss and data URLs as they are, a local path (relative to `baseDir`) as
 * a file: URL, which must be put into the request before it leaves this machine (`inlineLocalImages`).
 */
export function imagePart(reference: string, baseDir: string): ContentPart {
  if (/^data:/i.test(reference)) {
    if (!/^data:image\/[\w.+-]+;base64,/i.test(reference)) {
      throw new MediaError(`expected data:image/…;base64,…, received ${shown(reference)}`);
    }
    return { type: "image", url: reference };
  }
  if (/^(https?|oss|file):/i.test(reference)) return { type: "image", url: checkedUrl(reference) };
  return { type: "image", url: pathToFileURL(resolve(baseDir, reference)).href };
}

/** A video for a request: http(s) or oss URL. Local files are not sent, the vendor takes up to 2 GB by URL. */
export function videoPart(reference: string): ContentPart {
  if (/^(https?|oss):/i.test(reference)) return { type: "video", url: checkedUrl(reference) };
  throw new MediaError(`expected the http(s) URL of a video, received ${shown(reference)}`);
}

/** The messages with images and video put before the text of the last user message, as the vendor shows it. */
export function withMedia(
  messages: readonly Message[],
  { images, video }: MediaReferences,
  baseDir: string,
): readonly Message[] {
  if (images.length === 0 && video === null) return messages;
  const parts = images.map((image) => imagePart(image, baseDir));
  if (video !== null) parts.push(videoPart(video));
  const last = messages.findLastIndex((message) => message.role === "user");
  return messages.map((message, index) => {
    if (index !== last) return message;
    const { content } = message;
    return {
      ...message,
      content: [
        ...parts,
        ...(typeof content === "string" ? [{ type: "text", text: content } as const] : content),
      ],
    };
  });
}

/** Whether a request names files of this machine. */
export function hasLocalImages(request: ModelRequest): boolean {
  return request.messages.some(
    ({ content }) => typeof content !== "string" && content.some((part) => isLocal(part)),
  );
}

/**
 * The request with its local images read by `load` (which gets a file: URL and returns a data: URL). Must
 * run before a request is queued: workers elsewhere have no such file, and are to open none.
 */
export async function inlineLocalImages(
  request: ModelRequest,
  load: (fileUrl: string) => Promise<string>,
): Promise<ModelRequest> {
  if (!hasLocalImages(request)) return request;
  const messages = await Promise.all(
    request.messages.map(async (message): Promise<Message> => {
      if (typeof message.content === "string") return message;
      const content = await Promise.all(
        message.content.map(async (part) => (isLocal(part) ? { ...part, url: await load(part.url) } : part)),
      );
      return { ...message, content };
    }),
  );
  return { ...request, messages };
}

function isLocal(part: ContentPart): part is Extract<ContentPart, { type: "image" }> {
  return part.type === "image" && /^file:/i.test(part.url);
}

function checkedUrl(reference: string): string {
  if (URL.canParse(reference) && !/\s/.test(reference)) return reference;
  throw new MediaError(`expected a URL, received ${shown(reference)}`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
