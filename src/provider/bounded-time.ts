import { createContext, Script, type Context } from "node:vm";

const script = new Script("work()");
let context: Context | null = null;

/**
 * Does synchronous work, such as matching a pattern that somebody wrote, for `deadlineMs` at most: V8 then breaks it
 * off, even inside a regular expression. false: it took too long, or nested too deep for the stack.
 *
 * Costs some 0.1 ms a call: for work that may run away, not for all.
 */
export function withinTime(deadlineMs: number, work: () => void): boolean {
  context ??= createContext({ work: null });
  context["work"] = work;
  try {
    script.runInContext(context, { timeout: deadlineMs });
    return true;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ERR_SCRIPT_EXECUTION_TIMEOUT" || error instanceof RangeError) return false;
    throw error;
  } finally {
    context["work"] = null;
  }
}
