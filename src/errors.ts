/** What the process exits with: the contract of the command line. */
export const ExitCode = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  rowsFailed: 3,
  halted: 4,
  interrupted: 130,
} as const;

export interface PromptmillErrorOptions {
  /** Stable identifier in snake_case, for programs. */
  code: string;
  /** The next thing to type or to change, one sentence. */
  hint?: string | undefined;
  cause?: unknown;
}

/**
 * A run (or a command) failing. A row failing is data, never an exception.
 *
 * `message` says what failed and what was received; `hint` names the next thing to do.
 */
export class PromptmillError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  /** What the command line exits with when this error ends it. */
  readonly exitCode: number = ExitCode.unexpected;

  constructor(message: string, options: PromptmillErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** Usage, job file, configuration or input is wrong; nothing was called. Exit 2. */
export class UsageError extends PromptmillError {
  override readonly exitCode = ExitCode.usage;
}

/** No further call could succeed, or none is allowed; settled rows are kept and `resume` goes on. Exit 4. */
export class HaltError extends PromptmillError {
  override readonly exitCode = ExitCode.halted;
}
