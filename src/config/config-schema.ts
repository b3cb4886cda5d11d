import { z } from "zod";
import { presetsSchema } from "../job/presets.js";

/** An http(s) address that a path can be appended to, without user, password, query or fragment. */
function isPlainUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return (
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === ""
  );
}

const providerSchema = z.strictObject({
  protocol: z.enum(["openai", "dashscope"]).optional(),
  baseUrl: z
    .string()
    .refine(isPlainUrl, {
      error:
        "an http or https URL without user, password, query or fragment (a key belongs in apiKeyEnv's variable)",
    })
    .optional(),
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "the name of an environment variable, not a key" })
    .optional(),
  workspace: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, { error: "a workspace id" })
    .optional(),
  region: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*$/, {
      error: "a region's name or a workspace host, without https:// or path",
    })
    .optional(),
});

/** promptmill.config.yaml: unknown keys fail. Prices are checked by the price table that takes them. */
export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  queue: z.string().min(1, { error: "a redis:// or rediss:// URL" }).nullable().default(null),
  providers: z
    .record(
      z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}$/, { error: "a name of letters, digits, ., _ or -" }),
      providerSchema,
    )
    .default({}),
  presets: presetsSchema.default({}),
  prices: z.array(z.record(z.string(), z.unknown())).default([]),
});
