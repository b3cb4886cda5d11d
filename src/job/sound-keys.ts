import type { PropertyPath } from "../config/definition-file.js";
import type { Problem } from "../config/problems.js";
import type { PartlyChecked } from "./job-checks.js";
import { jobSchema } from "./job-schema.js";
import type { CheckedJob } from "./job-schema.js";

/** The part of a faulty definition that can still be checked, so that one run shows every problem. */
export function soundKeys(data: unknown, problems: readonly Problem[]): PartlyChecked {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return {};
  const faulty = new Set<string>();
  let sound: object = data;
  for (const { path } of problems) {
    // Without its faulty keys a mapping can be checked; a list without an item would shift the others.
    if (path.length > 1 && path.every((key) => typeof key === "string")) sound = without(sound, path);
    else faulty.add(String(path[0]));
  }
  const attempt = () => jobSchema.partial().safeParse(pick(sound, (key) => !faulty.has(key)));
  let parsed = attempt();
  for (const issue of parsed.error?.issues ?? []) faulty.add(String(issue.path[0]));
  parsed = attempt();
  // Defaults stand in for faulty keys after parsing; they must not be checked in their place.
  const sane = pick<Partial<CheckedJob>>(
    (parsed.data ?? {}) as Partial<CheckedJob>,
    (key) => !faulty.has(key),
  );
  return { ...sane, faulty };
}

function without<T extends object>(mapping: T, [key, ...rest]: PropertyPath): T {
  const value = (mapping as Readonly<Record<string, unknown>>)[String(key)];
  if (rest.length === 0 || typeof value !== "object" || value === null)
    return pick(mapping, (each) => each !== key) as T;
  return { ...mapping, [String(key)]: without(value, rest) };
}

function pick<T extends object>(mapping: T, wanted: (key: string) => boolean): Partial<T> {
  return Object.fromEntries(Object.entries(mapping).filter(([key]) => wanted(key))) as Partial<T>;
}
