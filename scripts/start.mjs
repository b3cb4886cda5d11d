// `npm start`: from a fresh clone to answers, without a key and without a server. More flags of `run` may
// follow: npm start -- --limit 3
import { join } from "node:path";
import { runToEnd } from "./run-to-end.mjs";
import { prepare, root, say } from "./setup.mjs";

prepare();
say(
  "\nRunning jobs/summarize.yaml on samples/documents.csv with a SIMULATED MODEL:\n" +
    "no key is needed, nothing is paid, and the answers are artificial.\n",
);
const program = join(root, "bin", "promptmill.js");
process.exitCode = await runToEnd(
  [program, "run", "jobs/summarize.yaml", "--simulate", ...process.argv.slice(2)],
  { cwd: root },
);
