/** The shop cannot start, and the sentence says why. `exitCode` is 2 when the command itself was wrong. */
export class CannotStart extends Error {
  override readonly name = "CannotStart"
  readonly exitCode: 1 | 2
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
