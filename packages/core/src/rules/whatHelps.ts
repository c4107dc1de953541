/** Somebody says "I paid". Do they have access, why, and what helps? */
import { isPaid } from "../records/Order.ts"
import type { Access } from "./AccessPolicy.ts"

/** What is known of the person. */
export interface Situation {
  readonly user: { readonly id: string } | null
  readonly customers: ReadonlyArray<{ readonly customerId: string; readonly linkedBy: string | null }>
  readonly access: Access | null
  readonly records: ReadonlyArray<{
    readonly kind: string
    readonly id: string
    readonly status: string
    readonly isLive: boolean
    readonly userId: string | null
    readonly customerId: string | null
    readonly productId: string | null
    readonly productName: string | null
    readonly subscriptionId: string | null
  }>
  readonly deliveries: ReadonlyArray<{ readonly id: string; readonly state: string }>
  readonly notifications: ReadonlyArray<{ readonly state: string }>
  readonly polar: { readonly isSame: boolean } | null
}

export interface Help {
  readonly what: string
  /** The command of `kavach-polar` that does it; `null` where a person has to. */
  readonly command: string | null
}

/** To be pasted into a shell as it is, whatever characters an id has. */
const quoted = (id = "ID"): string => (/^[\w.@:-]+$/.test(id) ? id : `'${id.replaceAll("'", "'\\''")}'`)

const ownedKinds = ["subscription", "order"]

export const whatHelps = (
  situation: Situation
): { readonly sentence: string; readonly helps: ReadonlyArray<Help> } => ({
  sentence: sentenceOf(situation),
  helps: [...waiting(situation), ...payment(situation), ...atPolar(situation)]
})

const sentenceOf = ({ access, customers, records, user }: Situation): string => {
  if (user === null || access === null) {
    return `Customer ${customers[0]?.customerId ?? "unknown"} belongs to no user of this app, so nobody has what was paid for.`
  }
  const until = access.until === null ? "" : ` Until ${access.until.toISOString()}.`
  const owned = records.filter(
    ({ isLive, kind, status, subscriptionId, userId }) =>
      kind === "order" && userId === user.id && isLive && isPaid(status) && subscriptionId === null
  )
  const owns =
    owned.length === 0
      ? ""
      : ` They own what they bought once: ${[...new Set(owned.map(({ id, productId, productName }) => productName ?? productId ?? `order ${id}`))].join(", ")}.`
  const has = {
    granted: "has access by a subscription",
    grace: "still has access, and owes a payment",
    denied: "has no access by a subscription"
  }[access.entitlement]
  return `User ${user.id} ${has}. ${access.reason}${until}${owns}`
}

/** What is here, and did not get to where it belongs. */
const waiting = ({ customers, deliveries, notifications, records, user }: Situation): ReadonlyArray<Help> => {
  const failed = deliveries.filter(({ state }) => state === "failed").map(({ id }) => id)
  const dead = notifications.filter(({ state }) => state === "dead").length
  const unlinked = records.filter(({ isLive, kind, userId }) => userId === null && isLive && ownedKinds.includes(kind))
  const [customer] = customers.filter(({ customerId }) => unlinked.some((record) => record.customerId === customerId))
  return [
    ...(failed.length === 0
      ? []
      : [
          {
            what: `${failed.length === 1 ? "1 delivery" : `${failed.length} deliveries`} could not be applied: apply ${failed.length === 1 ? "it" : "them"} again.`,
            command: `kavach-polar replay ${failed
              .slice(0, 5)
              .map((id) => `--id ${quoted(id)}`)
              .join(" ")}`
          }
        ]),
    ...(user === null && customers.length > 0
      ? [
          {
            what: "Ask the buyer for their account, and link the customer to it.",
            command: `kavach-polar customers link ${quoted(customers[0]?.customerId)} --user ID`
          }
        ]
      : customer === undefined
        ? []
        : [
            {
              what: `Of customer ${customer.customerId} something waits for its user. If it is this user's, give it to them.`,
              command: `kavach-polar customers ${customer.linkedBy === null ? "link" : "move"} ${quoted(customer.customerId)} --user ${quoted(user?.id)}`
            }
          ]),
    ...(dead === 0
      ? []
      : [
          {
            what: `The app did not take ${dead === 1 ? "1 notification" : `${dead} notifications`}: what your handlers do for it was not done. Repair the handler, then tell it again.`,
            command: `kavach-polar notifications retry --user ${quoted(user?.id)}`
          }
        ])
  ]
}

/** What the buyer can do. */
const payment = ({ access, records, user }: Situation): ReadonlyArray<Help> => {
  if (user === null || access === null || access.entitlement === "granted") return []
  const live = records.filter(({ isLive, kind, userId }) => kind === "subscription" && isLive && userId === user.id)
  return [
    ...(live.some(({ status }) => status === "past_due" || status === "unpaid")
      ? [{ what: "The buyer pays what is overdue, or changes the card, in Polar's portal.", command: null }]
      : []),
    ...(live.some(({ status }) => status === "paused")
      ? [{ what: "The buyer resumes the subscription: it is paused.", command: null }]
      : [])
  ]
}

/** What may be known at Polar only. */
const atPolar = ({ access, deliveries, polar, records, user }: Situation): ReadonlyArray<Help> => {
  if (user === null) return []
  const reconcile = `kavach-polar reconcile --user ${quoted(user.id)}`
  if (polar?.isSame === false)
    return [{ what: "Polar says something else than is stored: set it right.", command: reconcile }]
  if (access?.entitlement !== "denied" || polar?.isSame === true) return []
  const hasBought = records.some(({ kind }) => ownedKinds.includes(kind))
  return [
    { what: "A delivery may have been lost: compare with Polar.", command: reconcile },
    ...(hasBought || deliveries.length > 0
      ? []
      : [
          {
            what: "Nothing of a purchase is here under this account. Ask for the address that the receipt went to, or the order's id, and search for that.",
            command: null
          }
        ])
  ]
}
