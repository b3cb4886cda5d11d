import { access } from "node:fs/promises";
import { dirname, join } from "node:path";
import { configSchema } from "./config/config-schema.js";
import { readDefinitionFile } from "./config/definition-file.js";
import { hidden, withEnvFile } from "./config/environment.js";
import type { Environment } from "./config/environment.js";
import { checkSchema, problemsError } from "./config/problems.js";
import type { Problem } from "./config/problems.js";
import type { PresetDefinitions } from "./job/presets.js";
import type { Protocol } from "./types.js";

export { processEnvironment, type Environment } from "./config/environment.js";

const FILE_NAME = "promptmill.config.yaml";
const BUILT_IN_PROVIDERS = ["model-studio", "openai-compatible", "simulator"] as const;

/** A provider of the configuration file. Names the variable that holds the key, never the key. */
export interface ConfiguredProvider {
  readonly name: string;
  readonly protocol?: Protocol;
  readonly baseUrl?: string;
  readonly apiKeyEnv?: string;
  readonly workspace?: string;
  readonly region?: string;
}

/** The configuration file and the environment, read once. */
export interface Config {
  /** Absolute; null when there is no configuration file. */
  readonly file: string | null;
  /** As written: may hold a password, so show it without credentials. The caller lets PROMPTMILL_QUEUE win. */
  readonly queue: string | null;
  /** Only those of the file; built-in ones may be among them, to change their settings. */
  readonly providers: Readonly<Record<string, ConfiguredProvider>>;
  readonly presets: PresetDefinitions;
  /** As written; the price table checks them. */
  readonly prices: readonly Readonly<Record<string, unknown>>[];
  /** Process environment over the `.env` file beside the configuration. Holds keys; logs as a count. */
  readonly environment: Environment;
}

export interface LoadConfigOptions {
  /** From `--config`, relative to `cwd`. Absent: looked for from `cwd` upward. */
  readonly path?: string | undefined;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Environment;
}

/**
 * Reads promptmill.config.yaml and the `.env` beside it.
 *
 * UsageError with every problem at once, each with line and column; also for a `path` that is not there.
 * No file found by looking upward is no error: everything has a default.
 */
export async function loadConfig({ path, cwd, env }: LoadConfigOptions): Promise<Config> {
  const found = path ?? (await findUpward(cwd));
  if (found === null) {
    return {
      file: null,
      queue: null,
      providers: {},
      presets: {},
      prices: [],
      environment: hidden({ ...env }),
    };
  }
  const file = await readDefinitionFile(found, "configuration file", { cwd, emptyIs: {} });
  const checked = checkSchema(configSchema, file.data);
  const problems = checked.success ? addressProblems(checked.value.providers) : checked.problems;
  if (!checked.success || problems.length > 0) {
    throw problemsError(problems, { what: "configuration file", code: "invalid_config", file, setPaths: [] });
  }
  const { queue, presets, prices, providers } = checked.value;
  return {
    file: file.path,
    queue,
    providers: Object.fromEntries(
      Object.entries(providers).map(([name, settings]) => [name, withoutUndefined({ name, ...settings })]),
    ),
    presets,
    prices,
    environment: await withEnvFile(env, join(dirname(file.path), ".env")),
  };
}

/** Providers that a job can name: the built-in ones, then those of the configuration file. */
export function providerNames(config: Config): readonly string[] {
  return [...new Set([...BUILT_IN_PROVIDERS, ...Object.keys(config.providers)])];
}

function addressProblems(providers: Readonly<Record<string, object>>): Problem[] {
  const builtIn: readonly string[] = BUILT_IN_PROVIDERS;
  return Object.entries(providers)
    .filter(
      ([name, settings]) =>
        !builtIn.includes(name) && !["baseUrl", "region", "workspace"].some((key) => key in settings),
    )
    .map(([name]) => ({
      path: ["providers", name],
      message: `providers.${name}: expected a baseUrl (or, for Model Studio, a region or workspace), received none`,
    }));
}

async function findUpward(from: string): Promise<string | null> {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, FILE_NAME);
    const exists = await access(candidate).then(
      () => true,
      () => false,
    );
    if (exists) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
