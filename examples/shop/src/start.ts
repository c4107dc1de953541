/** Starts the shop, and the simulator where there is no account at Polar. */
import { join } from "node:path"
import { asksForThisMachine, serve as listen, misdirected } from "@kavach-polar/http/NodeServer"
import { Seed, type Served, serve as serveSimulator } from "@kavach-polar/simulator"
import type { Notification } from "./activity.ts"
import { CannotStart } from "./CannotStart.ts"
import { readPlans } from "./catalog.ts"
import { makePrivate, openDataFolder, ownWebhookSecret, removeDatabase } from "./dataFolder.ts"
import { openShop, type Shop } from "./Shop.ts"

/** What the environment says, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface StartOptions {
  readonly env: Environment
  readonly data?: string | undefined
  /** 0 for any free one. */
  readonly port: number
  readonly simulatorPort: number
  readonly onNotification?: ((notification: Notification) => void) | undefined
  readonly onFailure?: ((error: unknown) => void) | undefined
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

const handbook: Seed.ProductInput = {
  id: "5d6e7f8a-9b0c-4d1e-8f2a-3b4c5d6e7f80",
  name: "Field handbook",
  description: "The app for the field, and its maps. Pay once, and keep it.",
  amount: 3900,
  interval: null,
  benefits: [
    {
      id: "7a8b9c0d-f241-4a6f-9e8d-9b0c1d2e3f71",
      type: "feature_flag",
      description: "Offline maps",
      metadata: { key: "offline-maps", regions: 12 }
    },
    {
      id: "45609ab2-3fe0-4df5-b3e3-b3b1e942e3fd",
      type: "license_keys",
      description: "Handbook licence",
      prefix: "FIELD",
      limitActivations: 3
    }
  ]
}

/** What the simulator sells. */
const products: ReadonlyArray<Seed.ProductInput> = [
  { ...Seed.products.free, description: "The newest note, every week. The archive stays closed." },
  { ...Seed.products.pro, description: "Every note, every week, and the whole archive." },
  {
    ...Seed.products.trial,
    description: "Every note and the whole archive. Cancel within the two weeks, and pay nothing."
  },
  { ...Seed.products.team, description: "For everyone you work with, a year at a time." },
  handbook
]

/** Rejects with an error whose message says what to do. */
export const start = async (options: StartOptions): Promise<Started> => {
  const { env } = options
  const polar = await polarOf(env)
  const folder = await openDataFolder(options.data ?? env["KAVACH_POLAR_DATA"] ?? "data")
  const webhookSecret = polar?.webhookSecret ?? (await ownWebhookSecret(folder))
  const cleanups: Array<() => Promise<void>> = []
  const close = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  }
  try {
    let shop: Shop | undefined
    const server = await listen({
      host: "127.0.0.1",
      port: options.port,
      handle: async (request) => {
        if (!asksForThisMachine(request) && !isDelivery(request)) return misdirected()
        return shop === undefined ? startingUp() : shop.handle(request)
      }
    })
    cleanups.push(async () => {
      shop?.endStreams()
      await server.close()
      await shop?.close()
    })

    const simulator =
      polar === undefined
        ? await serveSimulator({ port: options.simulatorPort, products, organizationName: "Field Notes" })
        : undefined
    if (simulator !== undefined) cleanups.unshift(simulator.close)
    const database = join(folder, simulator === undefined ? "shop-sandbox.sqlite" : "shop-simulator.sqlite")
    // The simulator forgets everything when it stops. Subscriptions that the shop remembered would be nobody's.
    if (simulator !== undefined) await removeDatabase(database)
    await makePrivate(database)

    shop = await openShop({
      database,
      accessToken: simulator?.accessToken ?? polar?.accessToken ?? "",
      apiBaseUrl: simulator?.url ?? polar?.apiBaseUrl ?? sandboxUrl,
      webhookSecret,
      origins: [server.url, server.url.replace("127.0.0.1", "localhost")],
      simulator: simulator === undefined ? undefined : { url: simulator.url, now: simulator.now },
      onNotification: options.onNotification,
      onFailure: options.onFailure
    })
    await simulator?.addEndpoint({ url: `${server.url}${webhookPath}`, secret: webhookSecret, name: "Demo shop" })
    return { url: server.url, simulator, database, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Deliveries come through a tunnel, by whose name they ask, and prove by their signature where they are from. */
const isDelivery = ({ method, url }: Request): boolean => method === "POST" && new URL(url).pathname === webhookPath

const startingUp = (): Response =>
  new Response("The shop is starting. Load the page again.", { status: 503, headers: { "retry-after": "1" } })

interface PolarAccount {
  readonly accessToken: string
  readonly webhookSecret: string
  readonly apiBaseUrl: string
}

/** The account at Polar, if there is one, and whether it can be used. */
const polarOf = async (env: Environment): Promise<PolarAccount | undefined> => {
  const accessToken = secretOf(env, "POLAR_ACCESS_TOKEN")
  const webhookSecret = secretOf(env, "POLAR_WEBHOOK_SECRET")
  if (accessToken === undefined && webhookSecret === undefined) return undefined
  if (accessToken === undefined || webhookSecret === undefined) {
    const [there, missing] =
      accessToken === undefined
        ? ["POLAR_WEBHOOK_SECRET", "POLAR_ACCESS_TOKEN"]
        : ["POLAR_ACCESS_TOKEN", "POLAR_WEBHOOK_SECRET"]
    throw new CannotStart(
      `${there} is set, but ${missing} is not. Set both to sell on Polar's sandbox, or neither to use the simulator.`
    )
  }
  if ((env["POLAR_ENVIRONMENT"] ?? "sandbox") !== "sandbox") {
    throw new CannotStart("The demo shop sells on Polar's sandbox only: set POLAR_ENVIRONMENT to sandbox, or unset it.")
  }
  const apiBaseUrl = env["POLAR_API_URL"] ?? sandboxUrl
  await readPlans({ accessToken, apiBaseUrl })
  return { accessToken, webhookSecret, apiBaseUrl }
}

const secretOf = (env: Environment, name: string): string | undefined => {
  const text = env[name]
  if (text?.trim() === "") throw new CannotStart(`${name} is set but blank. Give it a value, or unset it.`)
  return text
}
