/** To cancel, with a reason if one likes to give it; and to think better of it. */
import type { CancelOptions } from "@kavach-polar/http"
import { subscribed } from "../currentSubscription.ts"
import type { Visit } from "../Shop.ts"
import { html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { date } from "../web/words.ts"
import { shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"

type Reason = NonNullable<CancelOptions["reason"]>

const reasons: Readonly<Record<Reason, string>> = {
  too_expensive: "It is too expensive",
  missing_features: "Something is missing",
  switched_service: "I found something else",
  unused: "I do not read it",
  customer_service: "I was not helped well",
  low_quality: "It is not good enough",
  too_complex: "It is too complicated",
  other: "Another reason"
}

const isReason = (text: string | null): text is Reason => text !== null && Object.hasOwn(reasons, text)

export const show = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { current } = await subscribed(visit.services, visit.user.id)
  // Nothing to cancel, or canceled already: the account says so.
  if (current === undefined || current.cancelAtPeriodEnd || current.status === "paused") return seeOther("/account")
  const end = current.currentPeriodEnd
  const name = current.productName ?? "your subscription"
  return shopPage(visit, {
    title: `Cancel ${name}`,
    main: html`<div class="narrow"><h1>Cancel ${name}</h1>
<form class="card" method="post" action="/account/cancel"><input type="hidden" name="subscription" value="${current.id}">
<p><strong>${
      end === null
        ? html`Nothing more is charged.`
        : html`Your access lasts until ${date(end)}, and nothing more is charged.`
    }</strong> Until then you can change your mind.</p>
${current.status === "past_due" && html`<p>The payment that is overdue stays open.</p>`}
<fieldset><legend>Why do you leave? <span class="muted">You need not say.</span></legend>
${Object.entries(reasons).map(
  ([reason, words]) =>
    html`<label class="check"><input type="radio" name="reason" value="${reason}"> <span>${words}</span></label>`
)}</fieldset>
<div class="field"><label for="comment">Anything to add? <span class="muted">You need not.</span></label>
<textarea id="comment" name="comment" rows="3" maxlength="1000"></textarea></div>
<div class="row"><button class="danger">Cancel my subscription</button><a class="button" href="/account">Go back</a></div></form></div>`
  })
}

export const confirm = async (visit: Visit): Promise<Response> => {
  const { form, services, user } = visit
  if (user === null) return signInFirst(visit, "/account/cancel")
  const reason = form.get("reason")
  const comment = form.get("comment")?.trim() ?? ""
  await services.billing.subscriptions.cancel(user.id, {
    subscriptionId: form.get("subscription") ?? "",
    reason: isReason(reason) ? reason : undefined,
    comment: comment === "" ? undefined : comment
  })
  return seeOther("/account?done=canceled")
}

/** Back to the plan that was chosen, if it was for that. */
export const keep = async (visit: Visit): Promise<Response> => {
  const { form, services, user } = visit
  if (user === null) return signInFirst(visit, "/account")
  await services.billing.subscriptions.uncancel(user.id, { subscriptionId: form.get("subscription") ?? "" })
  const product = form.get("product")
  return seeOther(product === null ? "/account?done=kept" : `/choose?product=${encodeURIComponent(product)}`)
}
