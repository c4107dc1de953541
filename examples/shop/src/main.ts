/** The command behind `npm start`. */
import { parseArgs } from "node:util"
import { CannotStart } from "./CannotStart.ts"
import { type Started, start } from "./start.ts"
import { beginning, steps } from "./steps.ts"

const help = `Usage: npm start -- [options]

Starts a demo shop, and a simulator of Polar for it to sell on.

Options:
  --port NUMBER            The shop's port                       [PORT, 3000]
  --simulator-port NUMBER  The simulator's port                  [the one after the shop's]
  --data FOLDER            The folder for the shop's database    [KAVACH_POLAR_DATA, ./data]
  --json                   One JSON object a line instead of sentences
  --help                   This text

Environment:
  POLAR_ACCESS_TOKEN       An organization access token of Polar's sandbox: the shop sells there, and no simulator starts
  POLAR_WEBHOOK_SECRET     The secret of the webhook endpoint there; needed with the token
  POLAR_API_URL            Another address of Polar's API

With the simulator both start afresh every time. On the sandbox the shop keeps its database.
Exit codes: 0 done, 1 it failed, 2 the command is wrong.`

const out = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const parse = () => {
  try {
    return parseArgs({
      options: {
        port: { type: "string" },
        "simulator-port": { type: "string" },
        data: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    }).values
  } catch (error) {
    throw new CannotStart(
      `${error instanceof Error ? error.message : "The arguments are wrong"}. See npm start -- --help.`,
      2
    )
  }
}

const portOf = (text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw new CannotStart(`"${text}" is no port: use a number up to 65535.`, 2)
  return port
}

const untilStopped = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
})

const run = async (): Promise<void> => {
  const options = parse()
  if (options.help === true) return out(help)
  const port = portOf(options.port ?? process.env["PORT"] ?? "3000")
  const json = options.json === true
  const started = await start({
    env: process.env,
    data: options.data,
    port,
    simulatorPort: portOf(options["simulator-port"] ?? String(port === 0 ? 0 : port + 1)),
    onNotification: ({ status, userId }) =>
      out(
        json
          ? JSON.stringify({ event: "subscriptionChange", userId, subscription: { status } })
          : `onSubscriptionChange: ${userId} is now ${status}`
      ),
    onFailure: (error) => process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  })
  for (const line of json ? [announcement(started)] : sentences(started)) out(line)
  await untilStopped
  if (!json) out("Stopping.")
  await started.close()
}

const announcement = ({ database, simulator, url }: Started): string =>
  JSON.stringify({ event: "listening", url, simulatorUrl: simulator?.url ?? null, database })

const sentences = ({ database, simulator, url }: Started): ReadonlyArray<string> =>
  simulator === undefined
    ? [
        `Shop       ${url}`,
        "Polar      the sandbox, with your token. No simulator was started.",
        `Database   ${database}`,
        "",
        "Polar cannot reach this machine by itself. Open a tunnel to the shop's port, and at Polar add a webhook endpoint for",
        "  https://<your tunnel>/auth/polar/webhook",
        "with the format raw and all events. Its secret is your POLAR_WEBHOOK_SECRET.",
        `Then open ${url}, sign in, and subscribe with the test card 4242 4242 4242 4242.`
      ]
    : [
        `Shop       ${url}`,
        `Simulator  ${simulator.url}`,
        `Database   ${database}, made anew: the simulator keeps nothing when it stops, so both start afresh.`,
        "",
        beginning,
        ...steps.map((step, index) => `  ${index + 1}. ${step}`)
      ]

try {
  await run()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  const json = process.argv.includes("--json")
  process.stderr.write(`${json ? JSON.stringify({ error: message }) : message}\n`)
  process.exitCode = error instanceof CannotStart ? error.exitCode : 1
}
