/** What the shop was told of the user's subscriptions, as it comes; and a look at Polar, for who doubts it. */
import type { Change } from "../activity.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { seeOther } from "../web/responses.ts"
import { date, statusBadge, time } from "../web/words.ts"
import { shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"
import { whatChanged } from "./whatChanged.ts"

export const show = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit)
  const { activity, plans } = visit.services
  const changes = activity.of(visit.user.id)
  const sold = await plans()
  const nameOf = (productId: string) => sold.find(({ id }) => id === productId)?.name ?? "another plan"
  return shopPage(visit, {
    title: "Activity",
    live: true,
    main: html`<h1>Activity</h1>
<p class="lead">What happened to your subscription. Each line is one call of <code>onSubscriptionChange</code>: a delivery that changes nothing makes none.</p>
${checked(visit)}
<div id="activity" data-version="${activity.version()}" aria-live="polite">${
      changes.length === 0
        ? html`<p class="empty">Nothing has happened yet. <a href="/">Choose a plan</a>, and it shows up here.</p>`
        : html`<ol class="activity card">${changes.map((change) => line(change, nameOf))}</ol>`
    }</div>
<p class="small muted gap">New lines appear by themselves. Without scripts, <a href="/activity">load the page again</a>.</p>
<section aria-labelledby="check"><h2 id="check">Is something missing?</h2>
<p>The shop lives on what Polar sends. Checking compares it with what Polar says now.</p>
<form method="post" action="/activity/check"><button>Check with Polar</button></form></section>`
  })
}

const line = (change: Change, nameOf: (productId: string) => string): Html => html`<li>
<span class="when">${time(change.at)}</span><strong>${whatChanged(change, nameOf)}</strong>
<span>${nameOf(change.productId)} ${statusBadge(change.status, change.cancelAtPeriodEnd)}</span>
<span class="until">${change.currentPeriodEnd !== null && html`until ${date(change.currentPeriodEnd)}`}</span></li>`

/** Asks Polar's API instead of waiting for a webhook. */
export const checkWithPolar = async (visit: Visit): Promise<Response> => {
  if (visit.user === null) return signInFirst(visit, "/activity")
  const { compared, discrepancyCount } = await visit.services.billing.reconcile(visit.user.id)
  return seeOther(`/activity?compared=${compared}&differed=${discrepancyCount}`)
}

/** What the check found, which came here by the address. */
const checked = ({ url }: Visit): Html | false => {
  const [compared, differed] = ["compared", "differed"].map((name) => Number(url.searchParams.get(name) ?? Number.NaN))
  if (!isCount(compared) || !isCount(differed)) return false
  const found =
    compared === 0
      ? "Polar knows of nothing that you bought here."
      : differed === 0
        ? "What the shop knows is what Polar says."
        : `Polar said something else in ${differed === 1 ? "one place" : `${differed} places`}, and the shop has set it right.`
  return html`<p class="message${differed === 0 && " good"}" role="status"><strong>Checked with Polar.</strong> ${found}</p>`
}

const isCount = (number: number | undefined): number is number =>
  Number.isInteger(number) && number !== undefined && number >= 0
