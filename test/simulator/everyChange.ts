/**
 * Every change of a subscription on one store, crossed by its own webhooks before, during and after the call, and made twice:
 * it ends the same, and the app is told as often as of one. Each change has a user of its own.
 */
import { type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import { type Served, serve } from "@kavach-polar/simulator"
import { expect, test } from "vitest"
import { pro, webhookSecret } from "./BillingScene.ts"
import { type Change, subscriptionChanges } from "./subscriptionChanges.ts"

const crossings = ["before", "during", "after"] as const
type Crossing = (typeof crossings)[number]

interface Case extends Change {
  readonly crossing: Crossing
  readonly user: string
}

interface Scene {
  readonly billing: Polar
  readonly simulator: Served
  /** How often the app was told of the user. */
  readonly told: (user: string) => number
}

// Some fifty users, one after the other, on a machine that may be busy.
const timeout = 600_000

export const everyChangeOn = (
  name: string,
  withStore: (use: (store: NonNullable<PolarConfig["store"]>) => Promise<void>) => Promise<void>
) => {
  test(`every change of a subscription ends the same and is told once, on ${name}`, { timeout }, async () => {
    await withStore((store) => onStore(store, run))
  })
}

const onStore = async (store: NonNullable<PolarConfig["store"]>, use: (scene: Scene) => Promise<void>) => {
  const simulator = await serve()
  const told: Array<string> = []
  const billing = polar({
    emailVerified: () => true,
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    logLevel: "none",
    store,
    onSubscriptionChange: async (user) => void told.push(user)
  })
  try {
    await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
    await use({ billing, simulator, told: (user) => told.filter((other) => other === user).length })
  } finally {
    await billing.dispose()
    await simulator.close()
  }
}

const run = async (scene: Scene) => {
  const { billing, simulator } = scene
  const cases = crossings.flatMap((crossing) =>
    subscriptionChanges.map((change, index): Case => ({ ...change, crossing, user: `${crossing}_${index}` }))
  )
  // What needs time first: the others are to be where they are.
  await begin(
    scene,
    cases.filter(({ aMonthLater }) => aMonthLater)
  )
  await simulator.advance("32 days")
  await begin(
    scene,
    cases.filter(({ aMonthLater }) => !aMonthLater)
  )
  const before = new Map(cases.map(({ user }) => [user, scene.told(user)]))

  for (const crossing of crossings) {
    const crossed = cases.filter((one) => one.crossing === crossing)
    await crossedBy(simulator, crossing, async () => {
      for (const one of crossed) await makeTwice(scene, one)
    })
    await arrived(scene)
    for (const { becomes, name, told, user } of crossed) {
      const what = `${name}, webhooks ${crossing} the answer`
      expect(await billing.listSubscriptions(user), what).toMatchObject([becomes])
      expect(scene.told(user) - (before.get(user) ?? 0), `${what}: told`).toBe(told)
    }
  }
  // Products and members are told by no webhook here.
  const { discrepancies } = await billing.reconcileAll()
  expect(discrepancies.filter(({ kind }) => ["subscription", "order", "customer"].includes(kind))).toEqual([])
}

const begin = async (scene: Scene, cases: ReadonlyArray<Case>) => {
  const { billing, simulator } = scene
  for (const { product = pro, user } of cases) {
    const email = `${user}@acme-mail.dev`
    const { id } = await billing.createCheckout(user, product, { customerEmail: email })
    await simulator.pay(id, { customer_email: email })
  }
  await simulator.flush()
  for (const { arrange, user } of cases) await arrange?.(billing.subscriptions, user)
  await arrived(scene)
}

const arrived = async ({ billing, simulator }: Scene) => {
  await simulator.flush()
  await billing.settled()
}

const makeTwice = async ({ billing, simulator }: Scene, { becomes, crossing, make, name, user }: Case) => {
  const again = () =>
    // Whoever comes second finds it done, or finds that there is none any more.
    make(billing.subscriptions, user).catch((error: { readonly _tag: string }) => error)
  const [one, other] =
    crossing === "during"
      ? await Promise.all([make(billing.subscriptions, user), again(), simulator.flush()])
      : [await make(billing.subscriptions, user), await again()]
  expect(one, name).toMatchObject(becomes)
  if ("_tag" in other) expect(other._tag, name).toBe("NoSubscription")
  else expect(other, name).toMatchObject(becomes)
}

/** Lets the webhooks of what is changed come before the app has Polar's answer, or while it stores it, or after all. */
const crossedBy = async (simulator: Served, crossing: Crossing, use: () => Promise<void>) => {
  if (crossing === "during") return use()
  if (crossing === "after") {
    await simulator.setChaos({ delays: 1, longestDelay: 60 })
    await use()
    return simulator.setChaos({ delays: 0 })
  }
  const realFetch = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const response = await realFetch(request)
    if (request.method === "PATCH" && request.url.startsWith(simulator.url)) await simulator.flush()
    return response
  }
  try {
    await use()
  } finally {
    globalThis.fetch = realFetch
  }
}
