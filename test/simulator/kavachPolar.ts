/** The command line in this process, as an operator runs it beside the app. */
import { main } from "../../packages/http/src/cli/main.ts"
import type { Terminal } from "../../packages/http/src/cli/Terminal.ts"

export interface Ran {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

export interface Run {
  readonly env: Terminal["env"]
  /** What is answered to a question; nobody sits there unless given. */
  readonly answer?: string | undefined
  /** Whether somebody looks at the output. */
  readonly colors?: boolean | undefined
  /** Where it is started, and a file `.env` is read; nowhere unless given. */
  readonly folder?: string | undefined
  /** Each line of the result when it is printed. */
  readonly onOut?: ((line: string) => void) | undefined
  /** Hears what goes to standard error, as it is said. */
  readonly onErr?: ((line: string) => void) | undefined
  /** Stops the command, as Ctrl-C does. */
  readonly stopped?: Promise<void> | undefined
}

export const kavachPolar = async (
  args: ReadonlyArray<string>,
  { answer, colors, env, folder, onErr, onOut, stopped }: Run
): Promise<Ran> => {
  const [out, err]: [Array<string>, Array<string>] = [[], []]
  const exitCode = await main(
    {
      args,
      env,
      colors,
      folder,
      out: (text) => {
        out.push(text)
        onOut?.(text)
      },
      err: (text) => {
        err.push(text)
        onErr?.(text)
      },
      progress: () => {},
      stopped: stopped ?? new Promise(() => {}),
      ask:
        answer === undefined
          ? undefined
          : async (question) => {
              err.push(question)
              return answer
            }
    },
    "0.0.0"
  )
  return { exitCode, out: out.join("\n"), err: err.join("\n") }
}
