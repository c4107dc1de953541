/** What a command sees of the world. */
export interface Terminal {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a file `.env` is read, and names of files begin. Without it none is read. */
  readonly folder?: string | undefined
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** Whether standard output shows colours: somebody looks at it, and has not said no (`NO_COLOR`). */
  readonly colors?: boolean | undefined
  /** How far long work is. Where somebody looks, each line takes the place of the one before. */
  readonly progress: (line: string) => void
  /** Asks, and resolves with what was typed. There is none where nobody sits: standard input is no terminal. */
  readonly ask?: ((question: string) => Promise<string>) | undefined
  /** Resolves when the user asks the process to stop. */
  readonly stopped: Promise<void>
}

/** How a command ends. `docs/command-line.md` lists them: what runs the command may rely on them. */
export const exitCodes = {
  done: 0,
  failed: 1,
  /** The command, its options or what the environment says is wrong. Nothing was done. */
  wrong: 2,
  /** What it found needs somebody: it only looked, or cannot set it right. */
  differs: 3,
  /** What it was told to work on does not exist. */
  nothingMatched: 4
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The command cannot be carried out, and the sentence says why. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed"
  readonly exitCode: ExitCode
  constructor(message: string, exitCode: ExitCode = exitCodes.failed) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The command is wrong, or what the environment says. */
export const wrong = (message: string): CommandFailed => new CommandFailed(message, exitCodes.wrong)
