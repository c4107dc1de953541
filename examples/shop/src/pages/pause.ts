/** A pause, with or without an end; and its end. */
import type { SubscriptionDetails } from "@kavach-polar/http"
import { subscribed } from "../currentSubscription.ts"
import { daysAfter } from "../period.ts"
import type { Visit } from "../Shop.ts"
import { html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { date } from "../web/words.ts"
import { shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"

export const show = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { current } = await subscribed(visit.services, visit.user.id)
  return current === undefined || !isPausable(current) ? seeOther("/account") : pausePage(visit, current)
}

const isPausable = ({ cancelAtPeriodEnd, pauseAtPeriodEnd, status }: SubscriptionDetails): boolean =>
  status === "active" && !cancelAtPeriodEnd && !pauseAtPeriodEnd

const pausePage = (
  visit: Visit,
  { currentPeriodEnd, id, productName }: SubscriptionDetails,
  problem?: string
): Promise<Response> => {
  const name = productName ?? "your subscription"
  const first = currentPeriodEnd === null ? undefined : dayOf(daysAfter(currentPeriodEnd, 1))
  return shopPage(visit, {
    status: problem === undefined ? 200 : 422,
    title: `Pause ${name}`,
    main: html`<div class="narrow"><h1>Pause ${name}</h1>
<form class="card" method="post" action="/account/pause"><input type="hidden" name="subscription" value="${id}">
${problem !== undefined && html`<p class="message bad" role="alert">${problem}</p>`}
<p><strong>${currentPeriodEnd !== null && html`You read on until ${date(currentPeriodEnd)}, which is paid. `}Then nothing is charged, and the archive is closed.</strong></p>
<div class="field"><label for="until">Go on by itself on <span class="muted">(you may leave it empty)</span></label>
<input id="until" name="until" type="date"${first !== undefined && html` min="${first}"`} aria-describedby="until-hint">
<p class="small muted" id="until-hint">Without a day it stays paused until you resume it.</p></div>
<div class="row"><button class="primary">Pause my subscription</button><a class="button" href="/account">Go back</a></div></form></div>`
  })
}

/** `2027-01-31`, as forms write days. */
const dayOf = (at: Date): string => at.toISOString().slice(0, 10)

/** The beginning of a day, `null` for none, and `undefined` for what is no day. */
const startOf = (day: string): Date | null | undefined => {
  if (day === "") return null
  const at = new Date(`${day}T00:00:00Z`)
  return /^\d{4}-\d\d-\d\d$/.test(day) && !Number.isNaN(at.getTime()) ? at : undefined
}

export const confirm = async (visit: Visit): Promise<Response> => {
  const { form, services, user } = visit
  if (user === null) return signInFirst(visit, "/account/pause")
  const subscriptionId = form.get("subscription") ?? ""
  const until = startOf(form.get("until") ?? "")
  const { current } = await subscribed(services, user.id)
  const end = current?.id === subscriptionId ? current.currentPeriodEnd : null
  if (current !== undefined && (until === undefined || (until !== null && end !== null && until <= end))) {
    return pausePage(visit, current, "Choose a day after the one on which the pause begins.")
  }
  await services.billing.subscriptions.pause(user.id, { subscriptionId, resumesAt: until ?? undefined })
  return seeOther("/account?done=paused")
}

/** Ends a pause, and takes back one that is only scheduled. */
export const resume = async (visit: Visit): Promise<Response> => {
  const { form, services, user } = visit
  if (user === null) return signInFirst(visit, "/account")
  await services.billing.subscriptions.resume(user.id, { subscriptionId: form.get("subscription") ?? "" })
  return seeOther("/account?done=resumed")
}
