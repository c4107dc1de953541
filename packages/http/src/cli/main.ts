/** The command line: `kavach-polar [serve | send | replay | reconcile]`. A command is loaded when it is given. */
import { parse } from "./options.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

const help = `Usage: kavach-polar [command] [options]

Commands:
  serve              Run billing behind a small HTTP server (the default)
  send FILE...       Sign a webhook body as Polar does and deliver it to the server
  replay             Apply recorded deliveries again; which ones, the options say
  reconcile          Compare what is stored with Polar's API, and set right what differs

Options:
  --port NUMBER      serve: the port to listen on                       [PORT, 3000]
  --host ADDRESS     serve: the address to listen on                    [HOST, 127.0.0.1]
  --data FOLDER      The folder for the secret and the SQLite file      [KAVACH_POLAR_DATA, ./data]
  --database URL     postgres://…, mysql://…, libsql://… or a file for SQLite  [DATABASE_URL, billing.sqlite in the folder]
  --url URL          send: where to deliver to                          [http://127.0.0.1:3000/auth/polar/webhook]
  --secret SECRET    send: the signing secret                           [POLAR_WEBHOOK_SECRET, or the one in the data folder]
  --id ID            replay: of this webhook-id; can be repeated
  --type TYPE        replay: of this type, such as subscription.updated; can be repeated
  --state STATE      replay: applied, stale, ignored, unlinked or failed; can be repeated
  --since TIME       replay: received then or later. reconcile: changed by Polar then or later
  --until TIME       replay: received before then
  --all              replay: all there are
  --user ID          reconcile: only this user
  --dry-run          reconcile: look and report, and change nothing
  --json             One JSON object a line instead of sentences
  --help             This text

Environment:
  DATABASE_AUTH_TOKEN    What a libsql:// server lets one in by
  POLAR_ACCESS_TOKEN     An organization access token; without one, checkouts are refused
  POLAR_WEBHOOK_SECRET   The webhook endpoint's secret; without one, a secret is made and kept
  POLAR_ORGANIZATION_ID  Ignore deliveries of any other organization
  POLAR_ENVIRONMENT      sandbox (default) or production
  POLAR_API_URL          Another address of Polar's API, such as a simulator's
  POLAR_WEBHOOK_URL      reconcile: the webhook endpoint's address, as Polar has it

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
        await (await import("./serve.ts")).serve(terminal, values)
        return 0
      case "send":
        await (await import("./send.ts")).send(terminal, rest, values)
        return 0
      case "replay":
        if (rest.length > 0) throw new CommandFailed(`replay takes no argument "${rest[0]}": use --id`, 2)
        await (await import("./replay.ts")).replay(terminal, values)
        return 0
      case "reconcile":
        if (rest.length > 0) throw new CommandFailed(`reconcile takes no argument "${rest[0]}": use --user`, 2)
        await (await import("./reconcile.ts")).reconcile(terminal, values)
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
