import { nearest } from "../config/nearest.js";
import type { InputRow } from "../input/row.js";
import { malformedCell, nameCell, numberCell } from "./cell.js";
import type { Parameters } from "../types.js";
import { maxTokensRange, temperatureRange, topPRange } from "./parameters-schema.js";
import { resolvePreset } from "./presets.js";
import type { NamedPreset, OverrideKey, ResolvedJob } from "./resolved-job.js";

/** What one row asks for itself. */
export interface RowOverrides {
  readonly preset?: NamedPreset;
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxTokens?: number;
  readonly model?: string;
  /** Any others, of a row of another program's file. */
  readonly parameters?: Parameters;
}

const ALL_KEYS: readonly OverrideKey[] = ["preset", "temperature", "top_p", "max_tokens", "model"];
const NOTHING: RowOverrides = {};

/** Columns that a row of this job may override by: all for prompt rows, else those that the job lists. */
export function overrideKeys(job: ResolvedJob): readonly OverrideKey[] {
  return job.prompt === null ? ALL_KEYS : job.overrides;
}

/**
 * Reads the override columns of a row; empty cells are not given. Throws RowProblem for values out of
 * range and for presets that nobody defined.
 */
export function readOverrides(row: InputRow, keys: readonly OverrideKey[], job: ResolvedJob): RowOverrides {
  if (keys.length === 0) return NOTHING;
  const overrides: { -readonly [K in keyof RowOverrides]: RowOverrides[K] } = {};
  for (const key of keys) {
    switch (key) {
      case "preset": {
        const preset = presetCell(row, job);
        if (preset !== undefined) overrides.preset = preset;
        break;
      }
      case "model": {
        const model = nameCell(row, "model", "a model name without spaces");
        if (model !== undefined) overrides.model = model;
        break;
      }
      case "temperature": {
        const temperature = numberCell(row, "temperature", temperatureRange);
        if (temperature !== undefined) overrides.temperature = temperature;
        break;
      }
      case "top_p": {
        const topP = numberCell(row, "top_p", topPRange);
        if (topP !== undefined) overrides.topP = topP;
        break;
      }
      default: {
        const maxTokens = numberCell(row, "max_tokens", maxTokensRange);
        if (maxTokens !== undefined) overrides.maxTokens = maxTokens;
      }
    }
  }
  return overrides;
}

function presetCell(row: InputRow, job: ResolvedJob): NamedPreset | undefined {
  const name = nameCell(row, "preset", "a preset's name");
  if (name === undefined) return undefined;
  const preset = resolvePreset(job.presets, name);
  if (preset !== null) return preset;
  const names = Object.keys(job.presets);
  const meant = nearest(name, names);
  const expected =
    meant === null ? `one of the presets ${names.join(", ")}` : `a preset (did you mean ${meant}?)`;
  throw malformedCell(row, "preset", expected, name);
}
