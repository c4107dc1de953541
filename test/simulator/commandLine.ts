/** The command line, as an operator runs it beside the app. */
import { main } from "../../packages/http/src/cli/main.ts"
import type { Scene } from "./BillingScene.ts"

export interface Ran {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

/** Of a command that serves until it is stopped. */
export interface Running {
  readonly onLine?: (line: string) => void
  readonly stopped?: Promise<void>
}

export const kavachPolar = async (
  { simulator }: Scene,
  database: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>> = {},
  { onLine = () => {}, stopped = new Promise<void>(() => {}) }: Running = {}
): Promise<Ran> => {
  const [out, err]: [Array<string>, Array<string>] = [[], []]
  const exitCode = await main(
    {
      args,
      env: {
        DATABASE_URL: database,
        POLAR_ACCESS_TOKEN: simulator.accessToken,
        POLAR_API_URL: simulator.url,
        ...env
      },
      out: (text) => {
        out.push(text)
        onLine(text)
      },
      err: (text) => err.push(text),
      progress: () => {},
      stopped
    },
    "0.0.0"
  )
  return { exitCode, out: out.join("\n"), err: err.join("\n") }
}
