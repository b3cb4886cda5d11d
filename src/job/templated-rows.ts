import type { InputRow } from "../input/row.js";
import type { Message } from "../types.js";
import type { JobTemplate } from "./job-templates.js";
import type { ResolvedJob } from "./resolved-job.js";
import { RowProblem } from "./row-problem.js";

/** Renders a job's prompt for rows. A system message that renders to nothing is left out. */
export function templatedMessages(
  job: ResolvedJob,
  templates: ReadonlyMap<string, JobTemplate>,
): (row: InputRow) => readonly Message[] {
  const turns = job.prompt?.messages;
  if (turns === undefined) {
    const system = templates.get("prompt.system");
    const user = templates.get("prompt.user");
    return (row) => {
      const userMessage = { role: "user", content: notBlank(row, "prompt.user", user) } as const;
      const systemText = system?.render(row) ?? "";
      return systemText.trim() === ""
        ? [userMessage]
        : [{ role: "system", content: systemText }, userMessage];
    };
  }
  const compiled = turns.map(({ role, partial }, index) => {
    const path = `prompt.messages.${index}.content`;
    return { role, partial, path, template: templates.get(path) };
  });
  return (row) =>
    compiled.map(({ role, partial, path, template }) => ({
      role,
      content: notBlank(row, path, template),
      ...(partial === undefined ? {} : { partial }),
    }));
}

/** The service refuses blank messages; saying so here names the row before anything is paid. */
function notBlank(row: InputRow, path: string, template: JobTemplate | undefined): string {
  const text = template?.render(row) ?? "";
  if (text.trim() !== "") return text;
  throw new RowProblem(row, `${path} renders to an empty message`, { code: "empty_prompt" });
}
