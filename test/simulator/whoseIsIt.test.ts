/** Whose is it, when Polar goes by the address? Each scene is lived through `polar()`, as the simulator's page tells. */
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type Polar, polar } from "@kavach-polar/http"
import { Seed, type Served, serve } from "@kavach-polar/simulator"
import Database from "better-sqlite3"
import { afterEach, describe, expect, test } from "vitest"
import { whoHasWhat } from "../examples/simulatorIdentity.ts"

const { lifetime, pro, team } = Seed.products
const adasAddress = "ada@acme-mail.dev"
const secret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const newSimulator = async (): Promise<Served> => {
  const simulator = await serve({ allowMultipleSubscriptions: true })
  cleanups.push(simulator.close)
  return simulator
}

/** A deployment with a users' table of its own. */
const deploy = async (simulator: Served, users: Readonly<Record<string, string>>): Promise<Polar> => {
  const client = new Database(":memory:")
  client.exec("CREATE TABLE members (id TEXT PRIMARY KEY, email TEXT)")
  for (const [id, email] of Object.entries(users)) client.prepare("INSERT INTO members VALUES (?, ?)").run(id, email)
  const billing = polar({
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret: secret,
    logLevel: "none",
    reconcileEveryHours: false,
    store: SqliteStore.fromClient(client, { users: { table: "members", id: "id", email: "email" } })
  })
  cleanups.push(() => billing.dispose())
  await simulator.connect((request) => billing.webhook(request), { secret })
  return billing
}

interface Purchase {
  readonly userId: string
  readonly product: string
  readonly address: string
  /** The app has made sure that the address is theirs, and so makes the customer before the checkout. */
  readonly isVerified?: boolean
}

const buy = async (simulator: Served, billing: Polar, { address, isVerified = false, product, userId }: Purchase) => {
  const checkout = await billing.createCheckout(userId, product, {
    customerEmail: address,
    customerEmailVerified: isVerified
  })
  await simulator.pay(checkout.id, { customer_email: address })
  await simulator.flush()
}

const has = async (billing: Polar, userId: string, product: string) =>
  product === lifetime.id
    ? billing.orders.owns(userId, product)
    : (await billing.access(userId, { product })).entitlement === "granted"

const customersOf = (simulator: Served) => simulator.read(({ tables }) => [...tables.customers].length)

describe("the e-mail trap", () => {
  test("who pays with somebody else's address has what they paid for, and the other has it not", async () => {
    const simulator = await newSimulator()
    const billing = await deploy(simulator, { ada: adasAddress, mallory: "mallory@acme-mail.dev" })
    await buy(simulator, billing, { userId: "ada", product: pro.id, address: adasAddress, isVerified: true })
    for (const product of [team.id, lifetime.id]) {
      await buy(simulator, billing, { userId: "mallory", product, address: adasAddress })
      expect(await has(billing, "mallory", product)).toBe(true)
      expect(await has(billing, "ada", product)).toBe(false)
    }
    expect(await customersOf(simulator)).toBe(1)
    expect(await has(billing, "ada", pro.id)).toBe(true)
    expect(await has(billing, "mallory", pro.id)).toBe(false)
    // The customer's portal shows both of them everything, so nobody gets it.
    for (const userId of ["ada", "mallory"]) {
      await expect(billing.createPortalSession(userId)).rejects.toMatchObject({ _tag: "CustomerShared" })
    }
  })

  test("who had the address first has nothing of what its owner pays for later", async () => {
    const simulator = await newSimulator()
    const billing = await deploy(simulator, { ada: adasAddress, mallory: "mallory@acme-mail.dev" })
    await buy(simulator, billing, { userId: "mallory", product: pro.id, address: adasAddress })
    await buy(simulator, billing, { userId: "ada", product: team.id, address: adasAddress, isVerified: true })
    expect(await customersOf(simulator)).toBe(1)
    expect(await has(billing, "ada", team.id)).toBe(true)
    expect(await has(billing, "mallory", team.id)).toBe(false)
    expect(await has(billing, "mallory", pro.id)).toBe(true)
    expect(await has(billing, "ada", pro.id)).toBe(false)
    // A month later as well.
    await simulator.advance("32 days")
    expect(await has(billing, "mallory", pro.id)).toBe(true)
    expect(await has(billing, "ada", pro.id)).toBe(false)
  })
})

test("several deployments in one organization: a user of the same id elsewhere has nothing", async () => {
  const simulator = await newSimulator()
  const production = await deploy(simulator, { "7": adasAddress })
  const staging = await deploy(simulator, { "7": "grace@acme-mail.dev" })
  await buy(simulator, production, { userId: "7", product: pro.id, address: adasAddress, isVerified: true })
  await buy(simulator, production, { userId: "7", product: lifetime.id, address: adasAddress })
  for (const product of [pro.id, lifetime.id]) {
    expect(await has(production, "7", product)).toBe(true)
    expect(await has(staging, "7", product)).toBe(false)
  }
  expect(await staging.getSubscription("7")).toBeNull()
  // It is seen, and waits.
  expect(await staging.customers.waiting()).toContainEqual(
    expect.objectContaining({ kind: "subscription", evidence: expect.objectContaining({ isMadeElsewhere: true }) })
  )
  expect(await staging.linkWaiting()).toBe(0)
  await simulator.advance("32 days")
  expect(await has(production, "7", pro.id)).toBe(true)
  expect(await has(staging, "7", pro.id)).toBe(false)
})

test("several deployments in one organization: who is erased here is not the user of the same id elsewhere", async () => {
  const simulator = await newSimulator()
  const production = await deploy(simulator, { "7": adasAddress })
  const staging = await deploy(simulator, { "7": "grace@acme-mail.dev" })
  await buy(simulator, production, { userId: "7", product: pro.id, address: adasAddress, isVerified: true })
  const [customer] = await simulator.read(({ tables }) => [...tables.customers].map(([id]) => id))
  for (const options of [{ polar: "delete" }, { polar: "keep", subscriptions: "revoke" }] as const) {
    const erasure = await staging.privacy.erase("7", options)
    expect(erasure).toMatchObject({ state: "done", customerIds: [], endedSubscriptionIds: [] })
    // Somebody looks whose it is.
    expect(erasure.sharedCustomerIds).toEqual([customer])
  }
  await simulator.flush()
  expect(await has(production, "7", pro.id)).toBe(true)
  // Where it is theirs.
  expect(await production.privacy.erase("7", { polar: "delete" })).toMatchObject({
    state: "done",
    customerIds: [customer],
    sharedCustomerIds: []
  })
})

test("several deployments in one organization: who paid with a customer's address of elsewhere is erased without them", async () => {
  const simulator = await newSimulator()
  const production = await deploy(simulator, { ada: adasAddress })
  const staging = await deploy(simulator, { grace: "grace@acme-mail.dev" })
  await buy(simulator, production, { userId: "ada", product: pro.id, address: adasAddress, isVerified: true })
  await buy(simulator, staging, { userId: "grace", product: team.id, address: adasAddress })
  const [customer] = await simulator.read(({ tables }) => [...tables.customers].map(([id]) => id))
  expect(await staging.privacy.erase("grace", { polar: "delete" })).toMatchObject({
    state: "done",
    customerIds: [],
    sharedCustomerIds: [customer]
  })
  await simulator.flush()
  expect(await has(production, "ada", pro.id)).toBe(true)
  expect(await has(staging, "grace", team.id)).toBe(false)
  expect(await staging.listSubscriptions("grace")).toEqual([])
})

test("several workspaces of one person: each has what it paid for", async () => {
  const simulator = await newSimulator()
  const workspaces = { "workspace-1": pro.id, "workspace-2": team.id, "workspace-3": lifetime.id }
  const billing = await deploy(
    simulator,
    Object.fromEntries(Object.keys(workspaces).map((id) => [id, adasAddress] as const))
  )
  for (const [userId, product] of Object.entries(workspaces)) {
    await buy(simulator, billing, { userId, product, address: adasAddress, isVerified: true })
  }
  expect(await customersOf(simulator)).toBe(1)
  for (const userId of Object.keys(workspaces)) {
    for (const [payer, product] of Object.entries(workspaces)) {
      expect(await has(billing, userId, product), `${userId} has what ${payer} paid for`).toBe(userId === payer)
    }
  }
})

test("the example of docs/simulator.md", async () => {
  expect(await whoHasWhat()).toEqual({ payer: "granted", holderOfTheAddress: "denied", sameIdInStaging: "denied" })
})
