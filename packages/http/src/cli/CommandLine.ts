/** What every command is made with. */
import type * as Effect from "effect/Effect"
import type { ExitCode, Terminal } from "./Terminal.ts"

export interface CommandLine {
  readonly terminal: Terminal
  /** Carries a command out, and keeps its exit code. What it throws is what the user is told. */
  readonly run: (carryOut: () => Promise<ExitCode>) => Effect.Effect<void, unknown>
}
