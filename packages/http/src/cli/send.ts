/** `send`: signs webhook bodies as Polar does and delivers them, to see what happens. */
import { randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { shownOf } from "./database.ts"
import { existingSecretOf } from "./dataFolder.ts"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"

const defaultUrl = "http://127.0.0.1:3000/auth/polar/webhook"

export interface SendCommand {
  readonly data: string | undefined
  readonly json: boolean
  readonly secret: string | undefined
  readonly url: string | undefined
}

export const send = async (
  terminal: Terminal,
  files: ReadonlyArray<string>,
  options: SendCommand
): Promise<ExitCode> => {
  // The parser takes for a file what is none of its options.
  const unknown = files.find((file) => file.startsWith("-"))
  if (unknown !== undefined) throw wrong(`send takes no option ${unknown}. See kavach-polar send --help.`)
  const url = options.url ?? defaultUrl
  if (!/^https?:/i.test(url) || !URL.canParse(url)) throw wrong("--url is no address: write http://… or https://….")
  const secret = options.secret ?? (await existingSecretOf(options.data, terminal.env))
  let refused = 0
  for (const file of files) {
    const body = await readFile(file).catch(() => {
      throw new CommandFailed(`The file ${file} cannot be read.`)
    })
    const id = randomUUID()
    const headers = signedHeaders({ secret, id, timestampSeconds: Math.floor(Date.now() / 1000), body })
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body
    }).catch(() => {
      throw new CommandFailed(`Nothing answers at ${shownOf(url)}. Start the app first, or the demo: kavach-polar demo`)
    })
    const answer = await response.text()
    if (!response.ok) refused += 1
    terminal.out(
      options.json
        ? JSON.stringify({ file, id, status: response.status, answer })
        : `${response.status} ${answer}  ${file}`
    )
  }
  if (refused > 0) throw new CommandFailed(`${refused} of ${files.length} deliveries were refused.`)
  return exitCodes.done
}
