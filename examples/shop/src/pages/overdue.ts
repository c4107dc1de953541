/** A payment that is overdue: to pay it comes first, then until when, and what is lost otherwise. */
import type { Order, SubscriptionDetails } from "@kavach-polar/http"
import { archiveAccess } from "../archiveAccess.ts"
import { daysAfter } from "../period.ts"
import type { Services } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { date, money } from "../web/words.ts"

/** Days after a payment was declined on which Polar tries again; after the last one it ends the subscription. */
const attemptDays = [2, 7, 14, 21]

export const overdue = async (
  services: Services,
  userId: string,
  { id, pastDueAt }: SubscriptionDetails,
  orders: ReadonlyArray<Order>
): Promise<Html> => {
  const now = await services.now()
  const owed = orders.find(({ status, subscriptionId }) => status === "pending" && subscriptionId === id)
  const attempts = pastDueAt === null ? [] : attemptDays.map((days) => daysAfter(pastDueAt, days))
  // Polar tells of an attempt that failed by no webhook, so the order may still name one that is past.
  const named = owed?.nextPaymentAttemptAt ?? null
  const next = named !== null && named > now ? named : attempts.find((at) => at > now)
  const last = attempts.at(-1)
  const access = await archiveAccess(services, userId)
  const due = owed?.dueAmount ?? owed?.totalAmount ?? null
  return html`<p><strong>Your last payment was declined${due !== null && html`: ${money(due, owed?.currency ?? "usd")} is open`}.</strong>
Pay now, or look after your card${next !== undefined && html`: we try it again on ${date(next)}`}.</p>
<p>${
    access.entitlement === "grace" && access.until !== null
      ? html`You can read the archive until ${date(access.until)}. Then it closes until you have paid.`
      : html`The archive is closed until you have paid.`
  }${last !== undefined && last > now && html` If no payment goes through by ${date(last)}, your subscription ends.`}</p>`
}
