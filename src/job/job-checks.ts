import type { Config } from "../config.js";
import { providerNames } from "../config.js";
import { nearest } from "../config/nearest.js";
import { expectedReceived } from "../config/problems.js";
import type { Problem } from "../config/problems.js";
import type { CheckedJob } from "./job-schema.js";
import { reservedExtraKey } from "./parameters-schema.js";
import { collectPresets, resolvePreset } from "./presets.js";

/** A job as far as its keys passed the schema: keys with problems of their own are missing, and named. */
export type PartlyChecked = Partial<CheckedJob> & { readonly faulty?: ReadonlySet<string> };

/** What several keys must agree on, and names that must exist. Templates and files are checked elsewhere. */
export function relationProblems(job: PartlyChecked, config: Config): Problem[] {
  return [
    ...nameProblems(job, config),
    ...promptProblems(job),
    ...parameterProblems(job),
    ...translationProblems(job),
    ...outputProblems(job),
  ];
}

/** What works but is probably not meant. */
export function jobWarnings(job: CheckedJob): string[] {
  const warnings: string[] = [];
  if (job.parameters.temperature !== undefined && job.parameters.topP !== undefined) {
    warnings.push(
      "parameters: both temperature and topP are set; the vendor advises to change one of them and leave the other to the preset",
    );
  }
  if (job.prompt === undefined && job.overrides.length > 0) {
    warnings.push("overrides: has no effect, since rows that are prompts may always override");
  }
  return warnings;
}

function nameProblems({ provider, preset, presets }: PartlyChecked, config: Config): Problem[] {
  const problems: Problem[] = [];
  const names = providerNames(config);
  if (provider !== undefined && !names.includes(provider)) {
    problems.push(unknownName("provider", provider, names));
  }
  const known = presets === undefined ? null : collectPresets(config.presets, presets);
  if (preset !== undefined && preset !== null && known !== null && resolvePreset(known, preset) === null) {
    problems.push(unknownName("preset", preset, Object.keys(known)));
  }
  return problems;
}

function unknownName(key: string, received: string, names: readonly string[]): Problem {
  const meant = nearest(received, names);
  const suggestion = meant === null ? "" : ` (did you mean ${meant}?)`;
  return expectedReceived([key], `one of ${names.join(", ")}${suggestion}`, received);
}

function promptProblems({ prompt, images, video, ...job }: PartlyChecked): Problem[] {
  if (prompt === undefined) {
    const media = Object.entries({ images, video }).filter(([, value]) => value !== undefined);
    return job.faulty?.has("prompt") === true
      ? []
      : media.map(([key]) => ({
          path: [key],
          message: `${key}: expected a prompt with it; without one, rows are the prompts and name their own in the column ${key}`,
        }));
  }
  const { user, messages, system } = prompt;
  if (messages === undefined) {
    return user === undefined ? [expectedReceived(["prompt"], "the key user (or messages)", undefined)] : [];
  }
  const problems: Problem[] = [];
  if (user !== undefined || system !== null) {
    problems.push({
      path: ["prompt"],
      message: "prompt: expected either messages or system and user, received both",
    });
  }
  messages.forEach(({ role, partial }, index) => {
    const isLast = index === messages.length - 1;
    if (partial === true && !(isLast && role === "assistant")) {
      const path = ["prompt", "messages", index, "partial"];
      problems.push(expectedReceived(path, "partial only on a last message of role assistant", partial));
    }
    if (isLast && role !== "user" && partial !== true) {
      const path = ["prompt", "messages", index, "role"];
      problems.push(
        expectedReceived(path, "user for the last message (or assistant with partial: true)", role),
      );
    }
  });
  if (job.parameters?.enableThinking === true && messages.at(-1)?.partial === true) {
    problems.push(
      conflict(
        "enableThinking",
        "false when the last message is partial: thinking models do not continue a prefix",
        true,
      ),
    );
  }
  return problems;
}

/** Combinations that the service refuses for every model (Model Studio's error-message page). */
function parameterProblems({ parameters }: PartlyChecked): Problem[] {
  if (parameters === undefined) return [];
  const { enableThinking, thinkingBudget, reasoningEffort, responseFormat, logprobs, topLogprobs, extra } =
    parameters;
  const problems: Problem[] = [];
  if (enableThinking === false && thinkingBudget !== undefined) {
    problems.push(conflict("thinkingBudget", "none when enableThinking is false", thinkingBudget));
  }
  if (reasoningEffort !== undefined && thinkingBudget !== undefined) {
    problems.push(conflict("reasoningEffort", "either reasoningEffort or thinkingBudget", "both"));
  }
  if (enableThinking === true && responseFormat?.type === "json_object") {
    problems.push(
      conflict(
        "responseFormat",
        "another format than json_object when enableThinking is true",
        responseFormat.type,
      ),
    );
  }
  if (topLogprobs !== undefined && logprobs !== true) {
    problems.push(conflict("topLogprobs", "logprobs: true with it", logprobs));
  }
  for (const key of Object.keys(extra ?? {})) {
    const { reserved, instead } = reservedExtraKey(key);
    if (!reserved) continue;
    const reason = instead === null ? "promptmill sets it" : `use parameters.${instead}, which is checked`;
    problems.push({
      path: ["parameters", "extra", key],
      aboutKey: true,
      message: `parameters.extra.${key}: not allowed here; ${reason}`,
    });
  }
  return problems;
}

/** Translation models take exactly one user message and no system message (machine-translation page). */
function translationProblems({ translation, prompt, parameters }: PartlyChecked): Problem[] {
  if (translation === undefined) return [];
  const problems: Problem[] = [];
  if (prompt !== undefined && prompt.system !== null) {
    problems.push(
      expectedReceived(["prompt", "system"], "no system message with translation", prompt.system),
    );
  }
  if (prompt?.messages !== undefined) {
    problems.push(
      expectedReceived(
        ["prompt", "messages"],
        "one user message (prompt.user) with translation",
        prompt.messages,
      ),
    );
  }
  if (parameters?.translationOptions !== undefined) {
    problems.push(
      conflict("translationOptions", "either translation or parameters.translationOptions", "both"),
    );
  }
  return problems;
}

function outputProblems({ output, parameters }: PartlyChecked): Problem[] {
  if (output === undefined) return [];
  const problems: Problem[] = [];
  for (const key of ["excel", "delimiter"] as const) {
    const isGiven = output[key] !== undefined && output[key] !== false;
    if (isGiven && output.format !== "csv")
      problems.push(expectedReceived(["output", key], "format: csv with it", output.format));
  }
  if (["status", "error"].includes(output.column)) {
    problems.push(
      expectedReceived(
        ["output", "column"],
        "a name other than status and error, which results have anyway",
        output.column,
      ),
    );
  }
  if (output.schema !== undefined && parameters?.responseFormat !== undefined) {
    problems.push(conflict("responseFormat", "either output.schema or parameters.responseFormat", "both"));
  }
  return problems;
}

function conflict(key: string, expected: string, received: unknown): Problem {
  return expectedReceived(["parameters", key], expected, received);
}
