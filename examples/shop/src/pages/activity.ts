/** The notifications that the shop got, as they come. */
import type { Notification } from "../activity.ts"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { statusBadge, time } from "../web/words.ts"
import { shopPage } from "./frame.ts"

export const show = (visit: Visit): Promise<Response> => {
  const { activity, users } = visit.services
  const recent = activity.recent()
  const nameOf = (userId: string) => users.find(({ id }) => id === userId)?.name ?? userId
  return shopPage(visit, {
    title: "Activity",
    live: true,
    main: html`<h1>Activity</h1>
<p class="lead">Every call of <code>onSubscriptionChange</code>, the newest first. A delivery that changes nothing makes none.</p>
<div id="activity" data-version="${activity.version()}" aria-live="polite">${
      recent.length === 0
        ? html`<p class="empty">Nothing has happened yet. <a href="/">Subscribe to a plan</a>, and the notifications show up here.</p>`
        : html`<ol class="log card">${recent.map((one) => line(one, nameOf(one.userId)))}</ol>`
    }</div>
<p class="small muted gap">New ones appear by themselves. Without scripts, <a href="/activity">load the page again</a>.</p>`
  })
}

const line = (notification: Notification, name: string): Html => html`<li>
<span class="muted small">${time(notification.at)}</span><strong>${name}</strong>
${statusBadge(notification.status, notification.cancelAtPeriodEnd)}
${notification.currentPeriodEnd !== null && html`<span class="muted">period until ${time(notification.currentPeriodEnd)}</span>`}</li>`
