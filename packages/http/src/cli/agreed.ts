/** Asking before something is changed that others see. */
import { type Terminal, wrong } from "./Terminal.ts"

/** Whether to go on. Where nobody can be asked it takes `--yes`. */
export const agreed = async (terminal: Terminal, isAgreed: boolean, question: string): Promise<boolean> => {
  if (isAgreed) return true
  if (terminal.ask === undefined) {
    throw wrong(
      "Nobody can be asked, because standard input is no terminal. Nothing was changed: repeat it with --yes."
    )
  }
  return /^y(es)?$/i.test((await terminal.ask(`${question} [y/N] `)).trim())
}
