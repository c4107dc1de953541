/** Processes of the benchmark's own: asked over their channel, one question after the other. */
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"

export interface Child {
  readonly ask: <Answer>(question: object) => Promise<Answer>
  /** Ends the process and waits until it is gone. */
  readonly stop: () => Promise<void>
}

interface Reply {
  readonly answer?: unknown
  readonly error?: string
}

export interface ChildOptions {
  /** Where its CPU profile is written as it ends; without, none is. */
  readonly profiles?: string | undefined
  /** Where the bundled programs lie; this checkout's unless given. */
  readonly folder?: string | undefined
}

/** Starts the bundled program `name` and waits until it says that it is ready. */
export const startChild = async (
  name: "server" | "sender" | "attacked" | "flooder",
  settings: object,
  { folder = import.meta.dirname, profiles }: ChildOptions = {}
): Promise<Child> => {
  const child: ChildProcess = fork(join(folder, `${name}.mjs`), [JSON.stringify(settings)], {
    execArgv: ["--expose-gc", ...(profiles === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profiles])],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced"
  })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  let fail: (error: Error) => void = () => {}
  const gone = new Promise<never>((_, reject) => {
    fail = reject
  })
  gone.catch(() => {})
  child.once("exit", (code, signal) => fail(new Error(`the process ${name} ended with ${code ?? signal}`)))
  child.once("error", fail)

  const reply = async <Answer>(): Promise<Answer> => {
    const said = new Promise<Reply>((resolve) => child.once("message", (message: Reply) => resolve(message)))
    const { answer, error } = await Promise.race([said, gone])
    if (error !== undefined) throw new Error(`the process ${name}: ${error}`)
    // What a question is answered with is known to who asks.
    return answer as Answer
  }
  await reply()

  let last: Promise<unknown> = Promise.resolve()
  return {
    ask: <Answer>(question: object) => {
      const next = last.then(() => {
        const answer = reply<Answer>()
        child.send(question)
        return answer
      })
      last = next.catch(() => {})
      return next
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      const late = setTimeout(() => child.kill("SIGKILL"), 15_000)
      await exited
      clearTimeout(late)
    }
  }
}
