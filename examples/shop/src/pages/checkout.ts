/** The way to a checkout: somebody's first plan, a paid one for who has a free one, and what is bought once. */
import type { AlreadySubscribed } from "@kavach-polar/http"
import type { Plan } from "../catalog.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { signInFirst } from "./signIn.ts"

interface SubscribeForm {
  readonly label?: string | undefined
  readonly isFirst?: boolean | undefined
}

/** Needs Polar's origin among the page's `formTargets`. */
export const subscribeForm = (
  { id }: Pick<Plan, "id">,
  text: string,
  { isFirst = true, label }: SubscribeForm = {}
): Html => html`<form method="post" action="/subscribe"><input type="hidden" name="product" value="${id}">
<button${isFirst && html` class="primary"`}${label !== undefined && html` aria-label="${label}"`}>${text}</button></form>`

export const subscribe = async (visit: Visit): Promise<Response> => {
  const product = visit.form.get("product") ?? ""
  const chosen = `/choose?product=${encodeURIComponent(product)}`
  if (visit.user === null) return signInFirst(visit, chosen)
  const { origin } = visit.url
  try {
    const { url } = await visit.services.billing.createCheckout(visit.user.id, product, {
      successUrl: `${origin}/welcome?checkout={CHECKOUT_ID}`,
      returnUrl: `${origin}/`
    })
    return seeOther(url)
  } catch (error) {
    // Such as in another tab, a moment ago.
    if (isAlreadySubscribed(error)) return seeOther(error.subscription.productId === product ? "/account" : chosen)
    throw error
  }
}

const isAlreadySubscribed = (error: unknown): error is AlreadySubscribed =>
  error instanceof Error && "_tag" in error && error._tag === "AlreadySubscribed"
