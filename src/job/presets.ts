import { z } from "zod";
import { temperatureRange, topPRange } from "./parameters-schema.js";
import { rangeSchema } from "./number-range.js";
import type { NamedPreset, Preset } from "./resolved-job.js";

/** Shape of `presets:` in job and configuration files. */
export const presetsSchema = z.record(
  z.string().regex(/^[A-Za-z0-9][\w-]{0,63}$/, { error: "a name of letters, digits, _ or -" }),
  z.strictObject({
    temperature: rangeSchema(temperatureRange).optional().describe("Randomness, [0, 2)."),
    topP: rangeSchema(topPRange).optional().describe("Nucleus sampling, (0, 1]."),
  }),
);

/** What a file's `presets:` holds once checked. */
export type PresetDefinitions = Readonly<
  Record<string, { readonly temperature?: number | undefined; readonly topP?: number | undefined }>
>;

/**
 * Presets that are always there. The first four from Model Studio's text-generation overview
 * (10 Dec 2025); `summarization` is ours.
 */
export const builtInPresets: Readonly<Record<string, NamedPreset>> = Object.fromEntries(
  (
    [
      ["creative_writing", 0.9, 0.95],
      ["code_generation", 0.2, 0.8],
      ["factual_qa", 0.1, 0.7],
      ["translation", 0.3, 0.8],
      ["summarization", 0.3, 0.8],
    ] as const
  ).map(([name, temperature, topP]) => [name, { name, temperature, topP, source: "built-in" }]),
);

/**
 * Every preset a job or row can name. The configuration file's replace built-in ones of the same name,
 * the job's replace both.
 */
export function collectPresets(
  fromConfig: PresetDefinitions,
  fromJob: PresetDefinitions = {},
): Readonly<Record<string, NamedPreset>> {
  return {
    ...builtInPresets,
    ...named(fromConfig, "config"),
    ...named(fromJob, "job"),
  };
}

/** The preset of that name, or null. Names such as `constructor` are not presets. */
export function resolvePreset(
  presets: Readonly<Record<string, NamedPreset>>,
  name: string,
): NamedPreset | null {
  return Object.hasOwn(presets, name) ? (presets[name] ?? null) : null;
}

function named(definitions: PresetDefinitions, source: "config" | "job"): Record<string, NamedPreset> {
  return Object.fromEntries(
    Object.entries(definitions).map(([name, { temperature, topP }]) => {
      const preset: Preset = {
        ...(temperature === undefined ? {} : { temperature }),
        ...(topP === undefined ? {} : { topP }),
      };
      return [name, { name, ...preset, source }];
    }),
  );
}
