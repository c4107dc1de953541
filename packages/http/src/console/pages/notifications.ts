/** What the app is to be told, and what it never took. */
import * as Effect from "effect/Effect"
import { type Html, html } from "../html.ts"
import { live } from "../live.ts"
import { type Page, table } from "../page.ts"
import { actionLink, badge, empty, person, time } from "../parts.ts"
import type { Visit } from "../Visit.ts"

const most = 100

export const notifications = async ({ run, viewer }: Visit): Promise<Page> => {
  const { dead, pending } = await run((billing) =>
    Effect.all({
      dead: billing.notifications.dead({ limit: most + 1 }),
      pending: billing.operations.pending(most + 1)
    })
  )
  return {
    title: "Notifications",
    current: "notifications",
    isLive: true,
    main: html`<h1>Notifications</h1>
<p>What your app's handlers are told. One that fails is called again with growing pauses, and given up when it has failed as often as it may.</p>
${live(
  "notifications",
  html`<section><h2>Given up</h2>${
    dead.length === 0
      ? empty("Nothing was given up.")
      : table(
          ["Given up", "Handler", "User", "Calls", "Last error", "Do"],
          dead
            .slice(0, most)
            .map(({ attempts, diedAt, error, handler, id, userId }) => [
              time(diedAt),
              html`${badge("dead")} <code>${handler}</code>`,
              person(userId),
              attempts,
              error,
              viewer.may === "act"
                ? html`<span class="row">${actionLink("notification.retry", "Tell it again", { id }, `${handler} ${id}`)}${buryLink(handler, id)}</span>`
                : null
            ]),
          "Notifications that were given up",
          dead.slice(0, most).map(({ id }) => id)
        )
  }${dead.length > most && html`<p class="muted">There are more. The command line retries many at once: <code>kavach-polar notifications retry</code></p>`}</section>
<section><h2>Waiting</h2>${
    pending.length === 0
      ? empty("Nothing waits to be told.")
      : table(
          ["Due", "Handler", "User", "Calls", "Last error", "Queued", "Do"],
          pending
            .slice(0, most)
            .map(({ attempts, dueAt, error, handler, id, isUnderWay, queuedAt, userId }) => [
              isUnderWay ? html`under way` : time(dueAt),
              html`<code>${handler}</code>`,
              person(userId),
              attempts,
              error,
              time(queuedAt),
              viewer.may === "act" && error !== null && !isUnderWay ? buryLink(handler, id) : null
            ]),
          "Notifications that wait",
          pending.slice(0, most).map(({ id }) => id)
        )
  }${pending.length > most && html`<p class="muted">There are more than ${most}.</p>`}</section>`
)}`
  }
}

const buryLink = (handler: string, id: string): Html =>
  actionLink("notification.bury", "Put it aside", { id }, `${handler} ${id}`)
