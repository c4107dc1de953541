/**
 * Deliveries as Polar sends them, in their real shape and size, made from numbers: the process that sends them and the
 * one that judges the effect know the same ids without telling each other.
 */
import { createHash, createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"

/** What is sent in one turn. */
export interface Plan {
  /** A number that no other turn has: its ids are new. */
  readonly turn: number
  /** How many requests, repetitions included. */
  readonly count: number
  /** Each delivery another user's, or all of them one user's. */
  readonly users: "distinct" | "hot"
  /** Whether each fifth request is a delivery that was sent before. */
  readonly repetitions: boolean
  /** What is delivered. Default: subscriptions. */
  readonly event?: EventName
}

/** `order`: of something that is bought once. `grant`: of a benefit of the subscription. */
export const eventNames = ["subscription", "order", "grant", "customer", "product", "benefit"] as const
export type EventName = (typeof eventNames)[number]

/** What `order` is an order of. */
export const boughtProduct = "e149a7bc-ef99-44ac-8929-50de326aabf7"
/** The `metadata.key` of the benefits that `grant` grants and `benefit` is about. */
export const grantedKey = "export"

/** The id of something, in the form of a UUID: without order, as Polar's are. */
export const idOf = (
  kind: "delivery" | `delivery of ${EventName}` | EventName | "user",
  turn: number,
  n: number
): string => {
  const hash = createHash("md5").update(`${kind} ${turn} ${n}`).digest("hex")
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-${hash.slice(12, 16)}-${hash.slice(16, 20)}-${hash.slice(20)}`
}

/** How many different deliveries a plan has. */
export const deliveriesIn = ({ count, repetitions }: Plan): number =>
  repetitions ? count - Math.floor(count / 5) : count

/** The users whom a plan is about. */
export const usersIn = (plan: Plan): ReadonlyArray<string> =>
  Array.from({ length: plan.users === "hot" ? 1 : deliveriesIn(plan) }, (_, n) => idOf("user", plan.turn, n))

const epochMillis = Date.parse("2026-12-01T00:00:00.000Z")

/** The time of the n-th event in microseconds since 1970. */
export const eventAt = (n: number): number => (epochMillis + n) * 1000 + 123

const timestamp = (n: number): string => `${new Date(epochMillis + n).toISOString().slice(0, -1)}123Z`

/** A period's end that is no other delivery's, so that each delivery is a change that the app is told of. */
const periodEnd = (n: number): string => new Date(epochMillis + 30 * 86_400_000 + n * 1000).toISOString()

const holeNames = ["timestamp", ...eventNames, "user", "periodEnd"] as const
type Values = Readonly<Record<(typeof holeNames)[number], string>>
type Writer = (values: Values) => string

const hole = (name: keyof Values): string => `{${name}}`

/** What differs from one delivery to the next in the data of a fixture. */
interface Shape {
  readonly fixture: string
  readonly holes: (data: Json) => Json
}

type Json = Readonly<Record<string, unknown>>

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? { ...value } : {})

// As the users' table has it.
const buyer = { id: hole("customer"), external_id: hole("user"), email: `${hole("user")}@acme-mail.dev` }

const ofBuyer = ({ customer, user }: Json): Json => ({
  customer_id: hole("customer"),
  user_id: hole("customer"),
  user: { ...object(user), id: hole("customer") },
  customer: { ...object(customer), ...buyer }
})

const withKey = (benefit: unknown): Json => ({ ...object(benefit), metadata: { key: grantedKey } })

const shapes: Readonly<Record<EventName, Shape>> = {
  subscription: {
    fixture: "subscription.active",
    // Each from a checkout of its own.
    holes: (data) => ({
      ...ofBuyer(data),
      id: hole("subscription"),
      checkout_id: hole("subscription"),
      current_period_end: hole("periodEnd")
    })
  },
  order: {
    fixture: "order.paid.purchase",
    holes: (data) => ({ ...ofBuyer(data), id: hole("order"), checkout_id: hole("order") })
  },
  grant: {
    fixture: "benefit_grant.created.feature_flag",
    holes: (data) => ({
      ...ofBuyer(data),
      id: hole("grant"),
      subscription_id: hole("subscription"),
      benefit_id: hole("benefit"),
      benefit: { ...withKey(data["benefit"]), id: hole("benefit") },
      member_id: null,
      member: null
    })
  },
  customer: { fixture: "customer.updated", holes: () => buyer },
  product: { fixture: "product.updated.recurring", holes: () => ({ id: hole("product") }) },
  benefit: { fixture: "benefit.created.feature_flag", holes: (data) => ({ ...withKey(data), id: hole("benefit") }) }
}

/** The fixture, with holes where deliveries differ. */
const bodyWriter = (root: string, name: EventName): Writer => {
  const { fixture, holes } = shapes[name]
  const event = JSON.parse(readFileSync(resolve(root, `test/fixtures/polar-webhooks/${fixture}.json`), "utf8"))
  const text = JSON.stringify({
    ...event,
    timestamp: hole("timestamp"),
    data: { ...event.data, ...holes(event.data) }
  })
  const parts = text.split(new RegExp(`\\{(${holeNames.join("|")})\\}`))
  return (values) =>
    parts
      .map((part, index) => (index % 2 === 0 ? part : Object.entries(values).find(([name]) => name === part)?.[1]))
      .join("")
}

/** The n-th delivery of a plan. */
const bodyOf = (write: Writer, { turn, users }: Plan, n: number): string => {
  const who = users === "hot" ? 0 : n
  return write({
    timestamp: timestamp(n),
    subscription: idOf("subscription", turn, who),
    order: idOf("order", turn, who),
    grant: idOf("grant", turn, who),
    customer: idOf("customer", turn, who),
    product: idOf("product", turn, who),
    benefit: idOf("benefit", turn, who),
    user: idOf("user", turn, who),
    periodEnd: periodEnd(n)
  })
}

/** Polar's original scheme: the whole secret is the key. */
export const signatureOf = (secret: string, id: string, seconds: number, body: string): string =>
  `v1,${createHmac("sha256", secret).update(`${id}.${seconds}.${body}`).digest("base64")}`

export const webhookPath = "/auth/polar/webhook"

/** Whole HTTP requests, signed now. */
export const requestsOf = (plan: Plan, secret: string, root: string): ReadonlyArray<Buffer> => {
  const { event = "subscription" } = plan
  const write = bodyWriter(root, event)
  const requests: Array<Buffer> = []
  const made: Array<Buffer> = []
  const seconds = Math.floor(Date.now() / 1000)
  let random = plan.turn + 1
  for (let index = 0; index < plan.count; index++) {
    if (plan.repetitions && index % 5 === 4) {
      // One of the last thousand: Polar's repetitions come soon after.
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0
      const back = Math.floor((random / 2 ** 32) * Math.min(made.length, 1000))
      const again = made[made.length - 1 - back]
      if (again !== undefined) requests.push(again)
      continue
    }
    const n = made.length
    const body = bodyOf(write, plan, n)
    const id = idOf(event === "subscription" ? "delivery" : `delivery of ${event}`, plan.turn, n)
    const request = Buffer.from(
      [
        `POST ${webhookPath} HTTP/1.1`,
        "host: 127.0.0.1",
        "user-agent: polar.sh webhooks",
        "accept: */*",
        "content-type: application/json",
        `webhook-id: ${id}`,
        `webhook-timestamp: ${seconds}`,
        `webhook-signature: ${signatureOf(secret, id, seconds, body)}`,
        `content-length: ${Buffer.byteLength(body)}`,
        "",
        body
      ].join("\r\n")
    )
    made.push(request)
    requests.push(request)
  }
  return requests
}
