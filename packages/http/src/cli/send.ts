/** `send`: signs webhook bodies as Polar does and delivers them, to see what happens. */
import { randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import { openDataFolder, webhookSecretOf } from "./dataFolder.ts"
import type { Options } from "./options.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

const defaultUrl = "http://127.0.0.1:3000/auth/polar/webhook"

export const send = async (terminal: Terminal, files: ReadonlyArray<string>, options: Options): Promise<void> => {
  if (files.length === 0) throw new CommandFailed("send needs the file of a webhook body. See kavach-polar --help.", 2)
  const url = options.url ?? defaultUrl
  const secret =
    options.secret ?? (await webhookSecretOf(terminal.env, await openDataFolder(options.data, terminal.env))).value
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
      throw new CommandFailed(`Nothing answers at ${url}. Start the server first: kavach-polar serve`)
    })
    const answer = await response.text()
    if (!response.ok) refused += 1
    terminal.out(
      options.json === true
        ? JSON.stringify({ file, id, status: response.status, answer })
        : `${response.status} ${answer}  ${file}`
    )
  }
  if (refused > 0) throw new CommandFailed(`${refused} of ${files.length} deliveries were refused.`)
}
