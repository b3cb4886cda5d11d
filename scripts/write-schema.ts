import { writeFile } from "node:fs/promises";
import { format, resolveConfig } from "prettier";
import { jobJsonSchema } from "../src/job/index.js";

// Formatted here so that `format:check` and the test that compares the file agree on its text.
const target = new URL("../schema/job.schema.json", import.meta.url).pathname;
const options = await resolveConfig(target);
await writeFile(target, await format(JSON.stringify(jobJsonSchema()), { ...options, parser: "json" }));
