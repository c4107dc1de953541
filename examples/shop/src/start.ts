/** Starts the shop, and the simulator where there is no account at Polar. */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { openDataFolder, webhookSecretOf } from "@kavach-polar/http/cli/dataFolder"
import { accessTokenOf, isSandbox } from "@kavach-polar/http/cli/environment"
import { CommandFailed, type Terminal } from "@kavach-polar/http/cli/Terminal"
import { serve as listen } from "@kavach-polar/http/NodeServer"
import { Seed, type Served, serve as serveSimulator } from "@kavach-polar/simulator"
import type { Notification } from "./activity.ts"
import { readPlans } from "./catalog.ts"
import { openShop, type Shop } from "./Shop.ts"

export interface StartOptions {
  readonly env: Terminal["env"]
  readonly data?: string | undefined
  /** 0 for any free one. */
  readonly port: number
  readonly simulatorPort: number
  readonly onNotification?: ((notification: Notification) => void) | undefined
}

export interface Started {
  readonly url: string
  /** `undefined` when the shop talks to Polar's sandbox. */
  readonly simulator: Served | undefined
  readonly database: string
  readonly close: () => Promise<void>
}

const sandboxUrl = "https://sandbox-api.polar.sh"
const webhookPath = "/auth/polar/webhook"

/** What the simulator sells. */
const products: ReadonlyArray<Seed.ProductInput> = [
  { ...Seed.products.pro, description: "Every note, every week, and the whole archive." },
  { ...Seed.products.trial, description: "The same. Cancel within the two weeks, and pay nothing." },
  { ...Seed.products.team, description: "For everyone you work with, a year at a time." }
]

/** Rejects with an error whose message says what to do. */
export const start = async (options: StartOptions): Promise<Started> => {
  const { env } = options
  const polar = await polarOf(env)
  const folder = await openDataFolder(options.data, env)
  const secret = await webhookSecretOf(env, folder)
  const cleanups: Array<() => Promise<void>> = []
  const close = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  }
  try {
    let shop: Shop | undefined
    const server = await listen({
      host: "127.0.0.1",
      port: options.port,
      handle: async (request) => (shop === undefined ? startingUp() : shop.handle(request))
    })
    cleanups.push(async () => {
      shop?.endStreams()
      await server.close()
      await shop?.close()
    })

    const simulator = polar === undefined ? await serveSimulator({ port: options.simulatorPort, products }) : undefined
    if (simulator !== undefined) cleanups.unshift(simulator.close)
    const database = join(folder.path, simulator === undefined ? "shop-sandbox.sqlite" : "shop-simulator.sqlite")
    // The simulator forgets everything when it stops. Subscriptions that the shop remembered would be nobody's.
    if (simulator !== undefined) await removeDatabase(database)

    shop = await openShop({
      database,
      accessToken: simulator?.accessToken ?? polar?.accessToken ?? "",
      apiBaseUrl: simulator?.url ?? polar?.apiBaseUrl ?? sandboxUrl,
      webhookSecret: secret.value,
      origins: [server.url, server.url.replace("127.0.0.1", "localhost")],
      simulator: simulator === undefined ? undefined : { url: simulator.url, now: simulator.now },
      onNotification: options.onNotification
    })
    await simulator?.addEndpoint({ url: `${server.url}${webhookPath}`, secret: secret.value, name: "Demo shop" })
    return { url: server.url, simulator, database, close }
  } catch (error) {
    await close()
    throw error
  }
}

const startingUp = (): Response =>
  new Response("The shop is starting. Load the page again.", { status: 503, headers: { "retry-after": "1" } })

interface PolarAccess {
  readonly accessToken: string
  readonly apiBaseUrl: string
}

/** The account at Polar, if there is one, and whether it can be used. */
const polarOf = async (env: Terminal["env"]): Promise<PolarAccess | undefined> => {
  const accessToken = accessTokenOf(env)
  const hasSecret = env["POLAR_WEBHOOK_SECRET"] !== undefined
  if (accessToken === undefined && !hasSecret) return undefined
  if (accessToken === undefined || !hasSecret) {
    const [there, missing] = hasSecret
      ? ["POLAR_WEBHOOK_SECRET", "POLAR_ACCESS_TOKEN"]
      : ["POLAR_ACCESS_TOKEN", "POLAR_WEBHOOK_SECRET"]
    throw new CommandFailed(
      `${there} is set, but ${missing} is not. Set both to sell on Polar's sandbox, or neither to use the simulator.`
    )
  }
  if (!isSandbox(env)) {
    throw new CommandFailed(
      "The demo shop sells on Polar's sandbox only: set POLAR_ENVIRONMENT to sandbox, or unset it."
    )
  }
  const apiBaseUrl = env["POLAR_API_URL"] ?? sandboxUrl
  await readPlans({ accessToken, apiBaseUrl })
  return { accessToken, apiBaseUrl }
}

const removeDatabase = async (file: string): Promise<void> => {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) await rm(`${file}${suffix}`, { force: true })
}
