/** Events by what caused them: one act, such as a payment or a renewal, makes several. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type { WebhookEvent } from "../Records.ts"

export interface Cause {
  readonly at: EpochMicros
  /** Such as "A renewal". */
  readonly text: string
  /** The last to be sent first. */
  readonly events: ReadonlyArray<WebhookEvent>
}

/** Those of one cause together, the last cause first. What it was, all that there are say, also those that are not shown. */
export const byCause = (
  events: ReadonlyArray<WebhookEvent>,
  all: ReadonlyArray<WebhookEvent>
): ReadonlyArray<Cause> => {
  const types = new Map<EpochMicros, Set<string>>()
  for (const { cause, type } of all) types.set(cause, (types.get(cause) ?? new Set()).add(type))
  const groups = new Map<EpochMicros, Array<WebhookEvent>>()
  for (const event of events) {
    const group = groups.get(event.cause)
    if (group === undefined) groups.set(event.cause, [event])
    else group.push(event)
  }
  return Array.from(groups, ([at, group]) => ({
    at,
    text: textOf(types.get(at) ?? new Set()),
    events: group.sort((one, other) => other.position - one.position)
  })).sort((one, other) => other.at - one.at)
}

/** The first of these that is among the events says what it was. */
const texts: ReadonlyArray<readonly [string, string]> = [
  ["subscription.revoked", "A subscription ended"],
  ["subscription.past_due", "A payment was declined"],
  ["subscription.cycled", "A renewal"],
  ["subscription.paused", "A pause began"],
  ["subscription.resumed", "A pause ended"],
  ["subscription.uncanceled", "A cancellation was taken back"],
  ["subscription.canceled", "A cancellation"],
  ["subscription.created", "A new subscription"],
  ["refund.created", "A refund"],
  ["refund.updated", "A refund changed"],
  ["order.paid", "A payment"],
  ["order.created", "An order"],
  ["order.updated", "An order changed"],
  ["subscription.active", "A subscription became active"],
  ["subscription.updated", "A subscription changed"],
  ["checkout.created", "A checkout was opened"],
  ["checkout.expired", "A checkout expired"],
  ["checkout.updated", "A checkout changed"],
  ["benefit_grant.created", "A benefit was granted"],
  ["benefit_grant.revoked", "A benefit was taken back"],
  ["benefit_grant.cycled", "A benefit was renewed"],
  ["benefit_grant.updated", "A benefit that somebody has changed"],
  ["customer.created", "A new customer"],
  ["customer.deleted", "A customer was deleted"],
  ["customer.updated", "A customer changed"],
  ["customer.state_changed", "What a customer has changed"],
  ["product.created", "A new product"],
  ["product.updated", "A product changed"],
  ["benefit.created", "A new benefit"],
  ["benefit.updated", "A benefit changed"]
]

const textOf = (types: ReadonlySet<string>): string =>
  texts.find(([type]) => types.has(type))?.[1] ?? "Something changed"
