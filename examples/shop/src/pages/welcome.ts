/** Back from the checkout. Coming here proves nothing: Polar is asked what became of it. */
import type { CheckoutResult } from "@kavach-polar/http"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { date, money } from "../web/words.ts"
import { benefitsSection } from "./benefits.ts"
import { subscribeForm } from "./checkout.ts"
import { problemPage, shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"

/** The page looks again by itself, so that nobody waits for long in front of an empty one. */
const waitSeconds = 3

export const show = async (visit: Visit): Promise<Response> => {
  const { services, url, user } = visit
  // Polar adds a key to the customer's portal, which belongs in no history and no log.
  if (url.searchParams.has("customer_session_token")) {
    const clean = new URL(url)
    clean.searchParams.delete("customer_session_token")
    return seeOther(`${clean.pathname}${clean.search}`)
  }
  if (user === null) return signInFirst(visit)
  const checkoutId = url.searchParams.get("checkout")
  if (checkoutId === null) {
    return problemPage(
      visit,
      404,
      "Which checkout?",
      "The address names none. If you have paid, your subscription shows it."
    )
  }
  // For its own buyer: anybody else's is not found.
  const { productId } = await services.billing.checkouts.get(checkoutId, { userId: user.id })
  const result = await services.billing.checkouts.complete(user.id, checkoutId, { waitSeconds }).catch(noAnswer)
  const { main, title, waits = false } = await pageOf(visit, user.id, user.name ?? user.id, productId, result)
  return shopPage(visit, {
    title,
    live: true,
    waits,
    formTargets: services.polarOrigins,
    main: html`<div id="welcome" data-version="${services.activity.version()}" aria-live="polite"><h1>${title}</h1>${main}</div>`
  })
}

interface WelcomePage {
  readonly title: string
  readonly main: Html
  readonly waits?: boolean
}

/** Whoever has paid is not told of an error because Polar is slow. */
const noAnswer = (error: unknown): undefined => {
  const tag = error instanceof Error && "_tag" in error ? error._tag : undefined
  if (tag === "PolarTimeout" || tag === "PolarUnavailable" || tag === "PolarRateLimited") return undefined
  throw error
}

const pageOf = async (
  visit: Visit,
  userId: string,
  name: string,
  productId: string,
  result: CheckoutResult | undefined
): Promise<WelcomePage> => {
  const again = (label: string) =>
    html`<div class="row">${subscribeForm({ id: productId }, label)}<a class="button" href="/">See the plans</a></div>`
  switch (result?.status) {
    case "succeeded":
      return {
        title: `Welcome, ${name}`,
        main: html`<p class="lead">${bought(result)}</p>
${await benefitsSection(visit, userId)}
<p class="row gap">${
          result.access.entitlement !== "denied" && html`<a class="button primary" href="/archive">Read the archive</a>`
        }<a class="button" href="/account">Your subscription</a></p>`
      }
    case "open":
      return {
        title: "You have not paid yet",
        main: html`<p class="lead">The checkout is still open, and nothing was charged.</p>${again("Go back to the checkout")}`
      }
    case "expired":
      return {
        title: "The checkout has expired",
        main: html`<p class="lead">It was not paid in time, and nothing was charged.</p>${again("Try again")}`
      }
    case "failed":
      return {
        title: "The payment failed",
        main: html`<p class="lead">Nothing was charged. Try again, or pay in another way.</p>${again("Try again")}`
      }
    default:
      return {
        title: "One moment",
        waits: true,
        main: html`<p class="lead">${
          result === undefined
            ? "Polar does not answer just now. What you have paid is not lost: this page asks again every few seconds."
            : "We wait for Polar to confirm your payment. This page looks again every few seconds, and shows it by itself."
        }</p>
<p class="row"><a class="button" href="${visit.url.pathname}${visit.url.search}">Look now</a><a class="button" href="/account">Your subscription</a></p>`
      }
  }
}

const bought = ({ order, subscription }: CheckoutResult): Html => {
  if (order?.status === "refunded") return html`You had your money back for this purchase.`
  const paid =
    order !== null && (order.totalAmount ?? 0) > 0
      ? html`We have received ${money(order.totalAmount ?? 0, order.currency ?? "usd")}. `
      : html`Nothing was charged. `
  if (subscription === null) return html`${paid}What you bought is yours.`
  const plan = subscription.productName ?? "Your plan"
  if (subscription.endedAt !== null) return html`${paid}${plan} has ended since, on ${date(subscription.endedAt)}.`
  const end = subscription.currentPeriodEnd
  if (subscription.status === "trialing") {
    return html`Your trial of ${plan} has started, and nothing was charged.${end !== null && html` It is free until ${date(end)}.`}`
  }
  return html`${paid}${plan} is yours.`
}
