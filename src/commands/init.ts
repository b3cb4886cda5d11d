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
      const inputPath = input ?? "rows.csv";
      if (input === undefined && (await writeNew(inputPath, starter.EXAMPLE_ROWS)))
        say(`${inputPath}: three rows to try with`);
      const columns = await starter.guessColumns({
        path: path.resolve(inputPath),
        format: null,
        encoding: "auto",
        delimiter: null,
        id: null,
        lenient: true,
      });
      const name = starter.starterName(inputPath);
      const job = flags.job ?? `${name}.job.yaml`;
      const fromJob = path
        .relative(path.dirname(path.resolve(job)), path.resolve(inputPath))
        .replaceAll("\\", "/");
      const text = starter.starterJob(name, fromJob || path.basename(inputPath), columns, job);
      if (!(await writeNew(job, text))) {
        const { UsageError } = await import("../errors.js");
        throw new UsageError(`${job} is there already, and init overwrites nothing.`, {
          code: "file_exists",
          hint: "Choose another name: promptmill init <input> --job other.job.yaml",
        });
      }
      say(`${job}: the job; it asks about column ${JSON.stringify(columns.text)}`);
      const config = "promptmill.config.yaml";
      const isNew = await writeNew(config, starter.STARTER_CONFIG);
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
