/** The page that only subscribers may see. */
import { archiveAccess } from "../archiveAccess.ts"
import { subscribed } from "../currentSubscription.ts"
import type { Visit } from "../Shop.ts"
import { html } from "../web/html.ts"
import { date } from "../web/words.ts"
import { accessSentence } from "./accessCard.ts"
import { portalForm, shopPage } from "./frame.ts"
import { signInFirst } from "./signIn.ts"

export const show = async (visit: Visit): Promise<Response> => {
  const { services, user } = visit
  if (user === null) return signInFirst(visit)
  const access = await archiveAccess(services, user.id)
  if (access.entitlement === "denied") {
    const { current } = await subscribed(services, user.id)
    return shopPage(visit, {
      status: 403,
      title: "For subscribers",
      main: html`<div class="card narrow"><h1>The archive is for subscribers</h1><p>${accessSentence(access, current)}</p>
<p class="row"><a class="button primary" href="/">See the plans</a><a class="button" href="/account">Your subscription</a></p></div>`
    })
  }
  return shopPage(visit, {
    title: "Archive",
    formTargets: services.polarOrigins,
    main: html`<h1>Archive</h1>
${
  access.entitlement === "grace" &&
  html`<div class="message warn"><p>Your last payment was declined. You can read on${access.until !== null && html` until ${date(access.until)}`}.</p>
<div class="row">${portalForm("Pay now")}<a href="/account">What is open</a></div></div>`
}
<p class="lead">Thank you for subscribing. Here is what you missed.</p>
<div class="split">${notes.map(({ text, title }) => html`<article class="card"><h2>${title}</h2><p>${text}</p></article>`)}</div>`
  })
}

const notes = [
  {
    title: "On tides",
    text: "The sea is back an hour later every day. It keeps its appointments, and so does a webhook: late, twice, but it comes."
  },
  {
    title: "On ledgers",
    text: "Write down what happened, then what follows from it. When the second is wrong, the first lets you do it again."
  },
  {
    title: "On clocks",
    text: "Two clocks never agree. Ask each event when it happened, and believe the one that happened last."
  }
]
