/** What the access token may not do, and what does not work without it. */
import * as Effect from "effect/Effect"
import type { PolarClient } from "../polar/PolarClient.ts"
import { type WritingScope, writingScopes } from "../polar/scopeCalls.ts"
import { listedKinds } from "../records/kinds.ts"
import { broken, type Finding, fine, unknown, warning } from "./diagnosis.ts"

type Client = typeof PolarClient.Service

/** What is read of each kind, and what does without it. */
const reading: Readonly<Record<string, readonly [scope: string, without: string]>> = {
  subscription: [
    "subscriptions:read",
    "subscriptions cannot be compared with Polar: what no webhook brought stays lost."
  ],
  order: ["orders:read", "orders cannot be compared with Polar: a purchase whose webhook was lost stays lost."],
  refund: ["refunds:read", "refunds cannot be compared with Polar."],
  benefit: ["benefits:read", "benefits cannot be compared with Polar."],
  product: ["products:read", "products cannot be compared with Polar, so `products.get` may be old."],
  customer: ["customers:read", "customers cannot be compared with Polar."],
  checkout: [
    "checkouts:read",
    "checkouts cannot be compared with Polar, and a buyer who is back waits for the webhook."
  ],
  discount: ["discounts:read", "discounts cannot be compared with Polar, and no code can be looked up."],
  member: ["members:read", "members of a customer that is a team cannot be looked up."]
}

/** Not every app changes subscriptions or gives money back: what it does not use it need not be allowed. */
const writing: Readonly<Record<WritingScope, readonly [report: typeof broken, without: string]>> = {
  "checkouts:write": [broken, "no checkout can be opened."],
  "customers:write": [
    broken,
    "no customer can be made for a buyer whose address is known, so no checkout is theirs for sure."
  ],
  "customer_sessions:write": [warning, "Polar's portal cannot be opened for a buyer."],
  "subscriptions:write": [fine, "no subscription can be changed, canceled or paused: if your app does so, it fails."],
  "refunds:write": [fine, "`orders.refund` fails, if your app calls it."]
}

const help = "Make a token that has it at Polar"

export const makeScopeFindings = (client: Client): Effect.Effect<ReadonlyArray<Finding>> => {
  const reads = Effect.forEach(
    listedKinds.filter(({ name }) => name in reading),
    (kind) =>
      Effect.match(client.recordPage(kind, { newestFirst: true }, 1), {
        onFailure: (error): ReadonlyArray<Finding> => {
          const [scope, without] = reading[kind.name] ?? ["", ""]
          if (error._tag !== "PolarForbidden") return [unknown("scopes", error.message)]
          const report = kind.name === "subscription" || kind.name === "order" ? broken : warning
          return [report("scopes", `The access token lacks ${scope}.`, `Without it ${without}`, help)]
        },
        onSuccess: () => []
      }),
    { concurrency: 2 }
  )

  const writes = Effect.forEach(
    writingScopes,
    (scope) =>
      Effect.match(client.mayWrite(scope), {
        onFailure: (error): ReadonlyArray<Finding> => [unknown("scopes", error.message)],
        onSuccess: (mayWrite) => {
          if (mayWrite) return []
          const [report, without] = writing[scope]
          return [
            report("scopes", `The access token lacks ${scope}.`, `Without it ${without}`, report === fine ? null : help)
          ]
        }
      }),
    { concurrency: 2 }
  )

  return Effect.map(Effect.zip(reads, writes), (all) => {
    const found = all.flat(2)
    return found.some(({ level }) => level !== "fine")
      ? found
      : [
          fine("scopes", "The access token may read all that is compared with Polar, and make what buyers need."),
          ...found
        ]
  })
}
