import { UsageError } from "../errors.js";
import { answerFaults, type ErrorMix, isSimulatedFault, simulatedFaults, transportFaults } from "./faults.js";
import { isOddity, oddGroups, oddities, type Says } from "./oddities.js";
import { vendorErrors } from "./vendor-errors.js";

const example = "Write the error mix as rate_limit=0.1,usage:missing,finish:error=0.05.";

/**
 * Reads `name=share,…`, as the command line takes it: `rate_limit=0.1,usage:missing`. Without a share it
 * is every call.
 *
 * Throws UsageError for an unknown name (listing the known ones), a name given twice and a share that
 * `checkErrorMix` refuses.
 */
export function parseErrorMix(text: string): ErrorMix {
  const mix: Record<string, number> = {};
  for (const entry of text.split(",").filter((part) => part.trim() !== "")) {
    const [name = "", value = "1", ...rest] = entry.split("=").map((part) => part.trim());
    if (!isSimulatedFault(name) && !isOddity(name)) {
      const odd = oddGroups.map((group) => Object.keys(oddities[group]).map((each) => `${group}:${each}`));
      throw new UsageError(`Unknown simulated fault ${JSON.stringify(name)} in the error mix.`, {
        code: "unknown_simulated_fault",
        hint: `Known faults: ${[...simulatedFaults, ...odd.flat()].join(", ")}.`,
      });
    }
    if (mix[name] !== undefined) {
      throw new UsageError(`The error mix names ${name} twice.`, {
        code: "duplicate_simulated_fault",
        hint: `Name each fault once. ${example}`,
      });
    }
    mix[name] = value === "" || rest.length > 0 ? Number.NaN : Number(value);
  }
  checkErrorMix(mix);
  return mix;
}

/** Throws UsageError when a share is outside [0, 1], or those of one kind together exceed 1. */
export function checkErrorMix(mix: ErrorMix): void {
  const totals: Record<string, number> = {};
  for (const [name, share = 0] of Object.entries(mix)) {
    if (!(share >= 0 && share <= 1)) {
      throw new UsageError(`The probability of ${name} must be a number from 0 to 1, received ${share}.`, {
        code: "invalid_fault_probability",
        hint: example,
      });
    }
    const kind = name.includes(":") ? name.replace(/:.*/, ":") : "faults";
    const total = (totals[kind] ?? 0) + share;
    totals[kind] = total;
    if (total > 1 + 1e-9) {
      throw new UsageError(`The probabilities of ${kind} in the error mix add up to ${total}, more than 1.`, {
        code: "invalid_fault_probability",
        hint: "Lower them: what is left of 1 is the share of calls that are answered well.",
      });
    }
  }
}

/** Every fault and oddity with what it does, as `promptmill simulator --help` shows them. */
export function faultHelp(): string {
  const table = (texts: Readonly<Record<string, string | Says>>): string =>
    Object.entries(texts)
      .map(([name, says]) => `  ${name.padEnd(26)}  ${typeof says === "string" ? says : says[0]}\n`)
      .join("");
  return [
    `Refusals, as Model Studio words them:\n  ${Object.keys(vendorErrors).join(", ")}\n`,
    `Faults of the connection, and replies of others than the model:\n${table(transportFaults)}`,
    `Faults of the answer:\n${table(answerFaults)}`,
    ...oddGroups.map((group) => `${groupTitles[group]}, ${group}:<name>\n${table(oddities[group])}`),
  ].join("\n");
}

const groupTitles = {
  usage: "Odd usage",
  finish: "Odd finish reasons",
  body: "Odd bodies",
  text: "Odd texts",
};
