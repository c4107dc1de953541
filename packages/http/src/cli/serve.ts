/** `serve`: billing behind a small HTTP server, with demo users in place of an auth framework. */
import * as PolarClient from "@kavach-polar/core/PolarClient"
import { createKavach } from "../host/createKavach.ts"
import { serve as listen } from "../NodeServer.ts"
import { polar } from "../polar.ts"
import { databaseOf } from "./database.ts"
import { openDataFolder, type WebhookSecret, webhookSecretOf } from "./dataFolder.ts"
import { addDemoUsers, demoUserOf, demoUsers } from "./demoUsers.ts"
import { accessTokenOf, isSandbox } from "./environment.ts"
import type { Options } from "./options.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"

const noToken = "Checkouts need an organization access token: set POLAR_ACCESS_TOKEN."

/** Resolves when the user stopped the server and it has closed everything. */
export const serve = async (terminal: Terminal, options: Options): Promise<void> => {
  const { env } = terminal
  const host = options.host ?? env["HOST"] ?? "127.0.0.1"
  const port = portOf(options.port ?? env["PORT"] ?? "3000")
  const sandbox = isSandbox(env)
  const accessToken = accessTokenOf(env)
  const folder = await openDataFolder(options.data, env)
  const secret = await webhookSecretOf(env, folder)
  const database = databaseOf(options.database, env, folder)

  const billing = polar({
    accessToken,
    webhookSecret: secret.value,
    organizationId: env["POLAR_ORGANIZATION_ID"],
    sandbox,
    apiBaseUrl: env["POLAR_API_URL"],
    ...(accessToken === undefined ? { client: PolarClient.layerDisabled("POLAR_ACCESS_TOKEN is not set.") } : {}),
    onSubscriptionChange: (userId, subscription) => {
      terminal.out(
        options.json === true
          ? JSON.stringify({ event: "subscriptionChange", userId, subscription })
          : `onSubscriptionChange: user ${userId}, subscription ${subscription.id} is ${subscription.status}`
      )
    }
  })
  const kavach = await createKavach({
    database: { provider: database.provider, url: database.url, authToken: database.authToken },
    plugins: [billing],
    getUser: demoUserOf
  })
  try {
    await addDemoUsers(database.provider, kavach.db)
    const server = await listen({
      host,
      port,
      handle: async (request) =>
        (await kavach.plugins.handleRequest(request)) ?? Response.json({ error: "Not found" }, { status: 404 })
    })
    announce(terminal, options, {
      url: server.url,
      database: database.shown,
      secret,
      checkouts: accessToken === undefined ? "disabled" : sandbox ? "sandbox" : "production"
    })
    await terminal.stopped
    if (options.json !== true) terminal.out("Stopping: requests and callbacks under way may finish.")
    await server.close()
  } finally {
    await kavach.close()
  }
}

const portOf = (text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw new CommandFailed(`"${text}" is no port: use a number up to 65535.`, 2)
  return port
}

interface Announcement {
  readonly url: string
  readonly database: string
  readonly secret: WebhookSecret
  readonly checkouts: "disabled" | "sandbox" | "production"
}

const announce = (terminal: Terminal, options: Options, { checkouts, database, secret, url }: Announcement): void => {
  if (options.json === true) {
    terminal.out(JSON.stringify({ event: "listening", url, database, checkouts, webhookSecret: shown(secret) ?? null }))
    return
  }
  const [first] = demoUsers
  const lines = [
    `kavach-polar listens on ${url}`,
    `  database        ${database}`,
    `  checkouts       ${checkouts === "disabled" ? `off. ${noToken}` : `on, Polar's ${checkouts}`}`,
    `  webhook secret  ${shown(secret) ?? "from POLAR_WEBHOOK_SECRET"}`,
    `  demo users      ${demoUsers.map((user) => user.id).join(", ")} (header x-demo-user or cookie demo_user)`,
    "",
    "Deliver an event as Polar does, and read the subscription:",
    "  npm run send -- test/fixtures/polar-webhooks/subscription.created.json",
    `  curl -H 'x-demo-user: ${first.id}' ${url}/auth/polar/subscription`,
    "",
    "Routes:",
    `  POST ${url}/auth/polar/checkout`,
    `  GET  ${url}/auth/polar/subscription`,
    `  POST ${url}/auth/polar/webhook`
  ]
  for (const line of lines) terminal.out(line)
}

/** A secret that this command made for itself opens nothing else; one from the environment is not shown. */
const shown = (secret: WebhookSecret): string | undefined =>
  secret.origin === "environment" ? undefined : secret.value
