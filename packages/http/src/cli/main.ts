/** The command line: `kavach-polar [serve | send]`. */
import { parse } from "./options.ts"
import { send } from "./send.ts"
import { serve } from "./serve.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

const help = `Usage: kavach-polar [command] [options]

Commands:
  serve              Run billing behind a small HTTP server (the default)
  send FILE...       Sign a webhook body as Polar does and deliver it to the server

Options:
  --port NUMBER      serve: the port to listen on                       [PORT, 3000]
  --host ADDRESS     serve: the address to listen on                    [HOST, 127.0.0.1]
  --data FOLDER      The folder for the secret and the SQLite file      [KAVACH_POLAR_DATA, ./data]
  --database URL     serve: postgres://…, mysql://… or a file for SQLite [DATABASE_URL, billing.sqlite in the folder]
  --url URL          send: where to deliver to                          [http://127.0.0.1:3000/auth/polar/webhook]
  --secret SECRET    send: the signing secret                           [POLAR_WEBHOOK_SECRET, or the one in the data folder]
  --json             One JSON object a line instead of sentences
  --help             This text

Environment:
  POLAR_ACCESS_TOKEN     An organization access token; without one, checkouts are refused
  POLAR_WEBHOOK_SECRET   The webhook endpoint's secret; without one, a secret is made and kept
  POLAR_ORGANIZATION_ID  Ignore deliveries of any other organization
  POLAR_ENVIRONMENT      sandbox (default) or production

Exit codes: 0 done, 1 it failed, 2 the command is wrong.`

/** Resolves with the exit code. */
export const main = async (terminal: Terminal): Promise<number> => {
  try {
    const { positionals, values } = parse(terminal.args)
    if (values.help === true) {
      terminal.out(help)
      return 0
    }
    const [command = "serve", ...rest] = positionals
    switch (command) {
      case "serve":
        if (rest.length > 0) throw new CommandFailed(`serve takes no argument "${rest[0]}"`, 2)
        await serve(terminal, values)
        return 0
      case "send":
        await send(terminal, rest, values)
        return 0
      default:
        throw new CommandFailed(`There is no command "${command}". See kavach-polar --help.`, 2)
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const json = terminal.args.includes("--json")
    terminal.err(json ? JSON.stringify({ error: message }) : `kavach-polar: ${message}`)
    return error instanceof CommandFailed ? error.exitCode : 1
  }
}
