/** What a command sees of the world. */
export interface Terminal {
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** How far long work is. Where somebody looks, each line takes the place of the one before. */
  readonly progress: (line: string) => void
  /** Resolves when the user asks the process to stop. */
  readonly stopped: Promise<void>
}

/** The command cannot be carried out, and the sentence says why. `exitCode` is 2 when the command itself was wrong. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed"
  readonly exitCode: 1 | 2
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
