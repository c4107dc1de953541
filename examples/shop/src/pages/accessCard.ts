/** Whether somebody may read the archive, in a sentence for them. */
import type { Access, SubscriptionDetails } from "@kavach-polar/http"
import { archiveAccess } from "../archiveAccess.ts"
import type { Services } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { badge, date, type Tone } from "../web/words.ts"

const entitlements: Readonly<Record<Access["entitlement"], readonly [Tone, string]>> = {
  granted: ["good", "Access"],
  grace: ["warn", "Access for now"],
  denied: ["plain", "No access"]
}

export const accessCard = async (
  services: Services,
  userId: string,
  subscription: SubscriptionDetails | undefined
): Promise<Html> => {
  const access = await archiveAccess(services, userId)
  return html`<div class="card"><div class="head"><h2>The archive</h2>${badge(...entitlements[access.entitlement])}</div>
<p>${accessSentence(access, subscription)}</p></div>`
}

/** What `access` says; its own `reason` is for logs and support. */
export const accessSentence = ({ entitlement, until }: Access, subscription: SubscriptionDetails | undefined): Html => {
  switch (entitlement) {
    case "granted":
      return until === null
        ? html`<a href="/archive">Read every note</a>, whenever you like.`
        : html`<a href="/archive">Read every note</a> until ${date(until)}.`
    case "grace":
      return html`Your payment is overdue. You can <a href="/archive">read on</a>${until !== null && html` until ${date(until)}`}, and for longer when you have paid.`
    default:
      return html`${denied(subscription)}`
  }
}

const denied = (subscription: SubscriptionDetails | undefined): Html => {
  switch (subscription?.status) {
    case "past_due":
      return html`Your payment is overdue for too long. Pay, and you can read on at once.`
    case "paused":
      return html`Your subscription is paused. Resume it, and you can read on at once.`
    case "active":
    case "trialing":
      return html`${subscription.productName ?? "Your plan"} does not include the archive. <a href="/">Upgrade</a>, and you can read it at once.`
    default:
      return html`You have no subscription. <a href="/">Choose a plan</a>, and you can read it as soon as you have paid.`
  }
}
