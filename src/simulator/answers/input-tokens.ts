import type { ChatRequest } from "../chat-request.js";
import { estimateTokens } from "../token-estimate.js";

/** Around each message, as chat templates add. */
const tokensPerMessage = 4;
const tokensPerImage = 1_024;
/** What `vl_high_resolution_images` raises an image to; docs.qwencloud.com, 2026. */
const tokensPerHighResolutionImage = 16_384;
const tokensPerVideo = 4_096;

/** Tokens of a request's messages and tools; `total` includes those of images and videos. */
export function inputTokens(request: ChatRequest): { total: number; image: number; video: number } {
  let text = 0;
  let images = 0;
  let videos = 0;
  for (const message of request.messages) {
    text += tokensPerMessage + estimateTokens(message.text);
    images += message.images.length;
    videos += message.videos.length;
  }
  const { tools } = request.parameters;
  if (Array.isArray(tools)) text += estimateTokens(JSON.stringify(tools));
  const perImage =
    request.parameters["vl_high_resolution_images"] === true ? tokensPerHighResolutionImage : tokensPerImage;
  const image = images * perImage;
  const video = videos * tokensPerVideo;
  return { total: text + image + video, image, video };
}
