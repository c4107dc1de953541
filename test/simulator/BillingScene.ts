/** A billing on the simulator, with one user who buys, and the tables of docs/polar-calls.md. */
import { readFileSync } from "node:fs"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { type Polar, type PolarConfig, polar } from "@kavach-polar/http"
import { Seed, type Served, type ServeOptions, serve } from "@kavach-polar/simulator"
import { Redacted } from "effect"
import { expect } from "vitest"

export const userId = "ada"
export const email = "ada@acme-mail.dev"
export const pro = Seed.products.pro.id
export const webhookSecret = "whsec_c2ltdWxhdG9yOiBhIHNlY3JldCBmb3IgYSB0ZXN0IDE="

const allScopes = [
  "checkouts:write",
  "customers:write",
  "customer_sessions:write",
  "subscriptions:read",
  "orders:read",
  "refunds:read",
  "members:read"
]

/** A token with these scopes and those that the tests need for other things. */
export const tokenWith = (...more: ReadonlyArray<string>): ServeOptions => ({
  accessTokens: [{ token: Redacted.make("polar_oat_limited"), scopes: [...allScopes, ...more] }]
})

export const tokenWithout = (...missing: ReadonlyArray<string>): ServeOptions => ({
  accessTokens: [
    {
      token: Redacted.make("polar_oat_limited"),
      scopes: allScopes.filter((scope) => !missing.includes(scope))
    }
  ]
})

export class Scene {
  readonly simulator: Served
  readonly billing: Polar

  constructor(simulator: Served, billing: Polar) {
    this.simulator = simulator
    this.billing = billing
  }

  async api(method: string, path: string, body?: object): Promise<{ readonly id: string }> {
    const response = await fetch(`${this.simulator.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.simulator.accessToken}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    expect(response.status, `${method} ${path}`).toBeLessThan(300)
    const text = await response.text()
    return text === "" ? { id: "" } : JSON.parse(text)
  }

  /** Ada buys, or somebody else with Ada's address, and it is told. */
  async buy(product: string = pro, buyer: string = userId): Promise<void> {
    const { id } = await this.billing.createCheckout(buyer, product, { customerEmail: email })
    await this.simulator.pay(id, { customer_email: email })
    await this.simulator.flush()
  }

  async customers() {
    const { items } = (await this.api("GET", "/v1/customers/")) as unknown as {
      readonly items: ReadonlyArray<{ readonly id: string; readonly external_id: string | null }>
    }
    return items
  }

  async customer() {
    const [customer] = await this.customers()
    if (customer === undefined) throw new Error("There is no customer.")
    return customer
  }

  /** From now on nothing is told: webhooks are late, or lost. */
  async silently(change: () => Promise<unknown>): Promise<void> {
    await this.simulator.setChaos({ drops: 1 })
    await change()
  }
}

export const withScene = async (
  options: ServeOptions,
  config: Partial<PolarConfig>,
  use: (scene: Scene) => Promise<void>
) => {
  const simulator = await serve(options)
  const billing = polar({
    emailVerified: () => true,
    accessToken: simulator.accessToken,
    apiBaseUrl: simulator.url,
    webhookSecret,
    logLevel: "none",
    store: SqliteStore.layer({ filename: ":memory:" }),
    ...config
  })
  try {
    await simulator.connect((request) => billing.webhook(request), { secret: webhookSecret })
    await use(new Scene(simulator, billing))
  } finally {
    await billing.dispose()
    await simulator.close()
  }
}

/** How a call ended: `made`, or the error's tag. */
export const outcome = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "made",
    (error: unknown) => {
      const { _tag, message } = error as { readonly _tag: string; readonly message: string }
      // What a person reads says what to do, and not only what Polar answered.
      expect(message).toMatch(/[.!?]$/)
      return _tag
    }
  )

/** The rows of the page's first table below this heading, each with its cells as they read. */
export const tableBelow = (heading: string, page: string): ReadonlyArray<ReadonlyArray<string>> => {
  const [, section = ""] = readFileSync(page, "utf8").split(`${heading}\n`)
  const [beforeNext = ""] = section.split("\n## ")
  const [table = ""] = /^\|.*\n(?:\|.*\n)*/m.exec(beforeNext) ?? []
  return table
    .split("\n")
    .slice(2, -1)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/`/g, ""))
    )
}

/** The rows of the page's table below this heading: what is wrong, and what each of so many calls does then. */
export const documentedRows = (
  heading: string,
  calls: number,
  page = "docs/polar-calls.md"
): ReadonlyArray<ReadonlyArray<string>> =>
  tableBelow(heading, page).map((cells) => cells.slice(0, calls + 1).map((cell) => cell.split(":")[0] ?? ""))

/** As the page says it. */
export const documented = (tag: string): string => (tag === "made" ? "works" : tag)
