/** The terminal of this process. */
import { createInterface } from "node:readline"
import type { Terminal } from "./Terminal.ts"

const clearLine = "\r\x1b[2K"

/** Where nobody looks, in a log, not every line of progress is wanted. */
const progressEveryMillis = 5000

export const processTerminal = (process: NodeJS.Process): Terminal => {
  const { stderr, stdin, stdout } = process
  let shown = false
  let lastProgress = Number.NEGATIVE_INFINITY

  // Whoever read the output, such as `head`, has gone. The work goes on to its end: half of it would be worse.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error
    })
  }

  const write = (stream: NodeJS.WriteStream, line: string) => {
    if (shown) stderr.write(clearLine)
    shown = false
    stream.write(`${line}\n`)
  }

  return {
    args: process.argv.slice(2),
    env: process.env,
    folder: process.cwd(),
    colors: stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb",
    out: (line) => write(stdout, line),
    err: (line) => write(stderr, line),
    progress: (line) => {
      if (stderr.isTTY) {
        stderr.write(`${clearLine}${line}`)
        shown = true
        return
      }
      const now = performance.now()
      if (now - lastProgress < progressEveryMillis) return
      lastProgress = now
      stderr.write(`${line}\n`)
    },
    ask: stdin.isTTY ? (question) => answerTo(question, stdin, stderr) : undefined,
    stopped: new Promise((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
    })
  }
}

/** Who leaves, by Ctrl-C or Ctrl-D, has answered nothing. */
const answerTo = (question: string, input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<string> =>
  new Promise((resolve) => {
    const lines = createInterface({ input, output })
    lines.once("close", () => resolve(""))
    lines.question(question, (answer) => {
      resolve(answer)
      lines.close()
    })
  })
