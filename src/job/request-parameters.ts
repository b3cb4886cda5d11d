import type { Parameters } from "../types.js";
import type { NamedPreset, Preset, ResolvedJob } from "./resolved-job.js";
import { resolvePreset } from "./presets.js";
import type { RowOverrides } from "./row-overrides.js";

/** The parameters of a row's request, and the name of the preset that went into them. */
export interface RowParameters {
  readonly preset: string | null;
  readonly parameters: Parameters;
}

/**
 * Makes the merger of a job's parameters: the row's own, over the job's, over the preset's, where a row's
 * preset replaces the job's. Rows with the same preset and nothing of their own share one object.
 */
export function parameterMerger(job: ResolvedJob): (overrides: RowOverrides) => RowParameters {
  const structured = structuredOutput(job);
  const shared = new Map<string | null, RowParameters>();
  const jobPreset = job.preset === null ? null : resolvePreset(job.presets, job.preset);
  const base = (preset: NamedPreset | null): RowParameters => {
    const key = preset?.name ?? null;
    let merged = shared.get(key);
    if (merged === undefined) {
      merged = { preset: key, parameters: { ...sampling(preset), ...job.parameters, ...structured } };
      shared.set(key, merged);
    }
    return merged;
  };
  return (overrides) => {
    const merged = base(overrides.preset ?? jobPreset);
    const { temperature, topP, maxTokens, parameters } = overrides;
    if ((temperature ?? topP ?? maxTokens ?? parameters) === undefined) return merged;
    const own = {
      ...sampling(overrides),
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...parameters,
      ...(parameters?.extra === undefined
        ? {}
        : { extra: { ...merged.parameters.extra, ...parameters.extra } }),
    };
    return { preset: merged.preset, parameters: { ...merged.parameters, ...own } };
  };
}

function sampling(source: Preset | null): Parameters {
  return {
    ...(source?.temperature === undefined ? {} : { temperature: source.temperature }),
    ...(source?.topP === undefined ? {} : { topP: source.topP }),
  };
}

/** `output.schema` as the request's format; the provider falls back to plain JSON where a model lacks it. */
function structuredOutput({ name, output: { schema } }: ResolvedJob): Parameters {
  if (schema === undefined) return {};
  const schemaName = name.replace(/[^\w-]/g, "_").slice(0, 64);
  const strict = isClosed(schema) ? { strict: true } : {};
  return { responseFormat: { type: "json_schema", jsonSchema: { name: schemaName, schema, ...strict } } };
}

/** Strict mode takes only schemas whose mappings allow no further keys and require every one. */
function isClosed(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return true;
  if (Array.isArray(schema)) return schema.every(isClosed);
  const { properties, required, additionalProperties, ...rest } = schema as Readonly<Record<string, unknown>>;
  if (properties === undefined) return Object.values(rest).every(isClosed) && additionalProperties !== true;
  const names = Object.keys(properties as object);
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  return (
    additionalProperties === false &&
    names.every((key) => needed.includes(key)) &&
    Object.values(properties as object).every(isClosed) &&
    Object.values(rest).every(isClosed)
  );
}
