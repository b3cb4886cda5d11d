import type { Command } from "commander";

interface InitFlags {
  readonly job?: string;
}

export function registerInit(program: Command): void {
  program
    .command("init [input]")
    .description("write a starter job file for your rows, and a configuration file; overwrites nothing")
    .option("--job <file>", "where the job file goes (default: <input>.job.yaml)")
    .action(async (input: string | undefined, flags: InitFlags) => {
      const path = await import("node:path");
      const starter = await import("../run/starter.js");
      const { starterJob, STARTER_CONFIG } = await import("../run/starter-job.js");
      const inputPath = input ?? "rows.csv";
      if (input === undefined && (await writeNew(inputPath, starter.EXAMPLE_ROWS)))
        say(`${inputPath}: three rows to try with`);
      const found = await starter.readStarterInput(path.resolve(inputPath));
      const name = starter.starterName(inputPath);
      const job = flags.job ?? `${name}.job.yaml`;
      const fromJob = path
        .relative(path.dirname(path.resolve(job)), path.resolve(inputPath))
        .replaceAll("\\", "/");
      const text = starterJob(name, fromJob || path.basename(inputPath), found, job);
      if (!(await writeNew(job, text))) {
        const { UsageError } = await import("../errors.js");
        throw new UsageError(`${job} is there already, and init overwrites nothing.`, {
          code: "file_exists",
          hint: "Choose another name: promptmill init <input> --job other.job.yaml",
        });
      }
      const { shownText } = await import("../input/unsafe-text.js");
      const translates =
        found.languages === null ? "asks about" : `translates, by ${shownText(found.languages.target)},`;
      say(
        `${job}: the job; ${found.text === null ? "its rows are the prompts" : `it ${translates} column ${shownText(found.text)}`}`,
      );
      const config = "promptmill.config.yaml";
      const isNew = await writeNew(config, STARTER_CONFIG);
      say(isNew ? `${config}: settings, all of them optional` : `${config}: left as it is`);
      process.stdout.write(`\nTry it, without a key and without cost:\n  promptmill run ${job} --simulate\n`);
    });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a file that is not there yet. Returns false, and leaves it alone, when it is. */
async function writeNew(path: string, text: string): Promise<boolean> {
  const { writeFile } = await import("node:fs/promises");
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
