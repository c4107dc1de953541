/** `demo`: billing behind a small HTTP server, with demo users in place of an auth framework. */
import { existsSync } from "node:fs"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { createKavach } from "../host/createKavach.ts"
import { asksForThisMachine, serve as listen, misdirected } from "../NodeServer.ts"
import { polar } from "../polar.ts"
import { type Database, databaseAt } from "./database.ts"
import { type DataFolder, makePrivate, openDataFolder, type WebhookSecret, webhookSecretOf } from "./dataFolder.ts"
import { onlyOwnDatabase } from "./demoDatabase.ts"
import { demoUserOf, demoUsers } from "./demoUsers.ts"
import { accessTokenOf, isSandbox } from "./environment.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"

export interface DemoCommand {
  readonly data: string | undefined
  readonly database: string | undefined
  readonly host: string | undefined
  readonly json: boolean
  readonly port: string | undefined
}

/** Resolves when the user stopped the server and it has closed everything. */
export const demo = async (terminal: Terminal, options: DemoCommand): Promise<ExitCode> => {
  const { env } = terminal
  refuseProduction(env)
  const host = hostOf(options.host, env)
  const port = portOf(options.port ?? env["PORT"] ?? "3000")
  const accessToken = accessTokenOf(env)
  const folder = await openDataFolder(options.data, env)
  const secret = await webhookSecretOf(env, folder)
  const database = await demoDatabaseOf(options.database ?? env["DATABASE_URL"], env, folder)
  const { address, shown } = database

  const billing = polar({
    accessToken,
    webhookSecret: secret.value,
    organizationId: env["POLAR_ORGANIZATION_ID"],
    sandbox: true,
    products: "any",
    apiBaseUrl: env["POLAR_API_URL"],
    ...(accessToken === undefined ? { client: PolarClient.layerDisabled("POLAR_ACCESS_TOKEN is not set.") } : {}),
    onSubscriptionChange: (userId, subscription) => {
      terminal.out(
        options.json
          ? JSON.stringify({ event: "subscriptionChange", userId, subscription })
          : `onSubscriptionChange: user ${userId}, subscription ${subscription.id} is ${subscription.status}`
      )
    }
  })
  const own = onlyOwnDatabase(shown)
  const kavach = await createKavach({
    database: { provider: address.provider, url: address.url, authToken: database.authToken },
    plugins: [own.before, billing, own.after],
    getUser: demoUserOf
  })
  try {
    const server = await listen({
      host,
      port,
      handle: async (request) =>
        isFor(host, request)
          ? ((await kavach.plugins.handleRequest(request)) ?? Response.json({ error: "Not found" }, { status: 404 }))
          : misdirected()
    })
    announce(terminal, options, { url: server.url, database: shown, secret, checkouts: accessToken !== undefined })
    await terminal.stopped
    if (!options.json) terminal.out("Stopping: requests and callbacks under way may finish.")
    await server.close()
  } finally {
    await kavach.close()
  }
  return exitCodes.done
}

/** Whoever reaches the demo can be any of its users, by a header. */
const refuseProduction = (env: Terminal["env"]): void => {
  if (!isSandbox(env) || env["NODE_ENV"] === "production") {
    throw wrong(
      "This is a demo, and not for production: it takes a header for a session. Unset POLAR_ENVIRONMENT and NODE_ENV to try it, or mount billing in your app."
    )
  }
}

const hostOf = (option: string | undefined, env: Terminal["env"]): string => {
  if (option !== undefined) return option
  const host = env["HOST"]
  if (host === undefined || isLoopback(host)) return host ?? "127.0.0.1"
  throw wrong(
    `HOST is ${host}, and whoever reaches the demo can be any of its users. Say --host ${host} if that is meant, or --host 127.0.0.1.`
  )
}

/**
 * A name that was made to lead here is refused; an address is no name. Deliveries may come through a tunnel, by whose name
 * they ask, and prove by their signature where they are from.
 */
const isFor = (host: string, request: Request): boolean => {
  const { hostname, pathname } = new URL(request.url)
  const isAddress = /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\])$/i.test(hostname)
  return (
    asksForThisMachine(request, [host]) ||
    (isAddress && !isLoopback(host)) ||
    (request.method === "POST" && pathname === "/auth/polar/webhook")
  )
}

const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

const portOf = (text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw wrong(`"${text}" is no port: use a number up to 65535.`)
  return port
}

const demoDatabaseOf = async (
  given: string | undefined,
  env: Terminal["env"],
  folder: DataFolder
): Promise<Database & { readonly authToken: string | undefined }> => {
  const database = databaseAt(given ?? folder.database, env)
  const { provider, url } = database.address
  // Of an app's own file nothing is changed, before it is known whether it is the demo's.
  if (given === undefined || (provider === "sqlite" && !existsSync(url))) await makePrivate(url)
  return { ...database, authToken: database.address.provider === "libsql" ? env["DATABASE_AUTH_TOKEN"] : undefined }
}

interface Announcement {
  readonly url: string
  readonly database: string
  readonly secret: WebhookSecret
  readonly checkouts: boolean
}

const announce = (terminal: Terminal, { json }: DemoCommand, announcement: Announcement): void => {
  const { checkouts, database, secret, url } = announcement
  if (json) {
    terminal.out(
      JSON.stringify({
        event: "listening",
        url,
        database,
        checkouts: checkouts ? "sandbox" : "disabled",
        webhookSecretFile: secret.file ?? null
      })
    )
    return
  }
  const [first] = demoUsers
  const lines = [
    `The demo of kavach-polar listens on ${url}`,
    `  database        ${database}`,
    `  checkouts       ${checkouts ? "on, in Polar's sandbox" : "off. They need an organization access token: set POLAR_ACCESS_TOKEN."}`,
    `  webhook secret  ${secret.file ?? "from POLAR_WEBHOOK_SECRET"}`,
    `  demo users      ${demoUsers.map((user) => user.id).join(", ")} (header x-demo-user or cookie demo_user)`,
    "",
    "Deliver an event as Polar does, and read the subscription:",
    "  kavach-polar send BODY.json",
    `  curl -H 'x-demo-user: ${first.id}' ${url}/auth/polar/subscription`,
    "",
    "Routes:",
    `  POST ${url}/auth/polar/checkout`,
    `  GET  ${url}/auth/polar/subscription`,
    `  POST ${url}/auth/polar/webhook`
  ]
  for (const line of lines) terminal.out(line)
}
