/** The part of the console about deliveries: chaos, endpoints, and what became of each event. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type { WebhookEndpoint, WebhookEvent } from "../Records.ts"
import { rows } from "../Step.ts"
import { type ConsoleState, section, table } from "./ConsoleParts.ts"
import { badge, time } from "./Format.ts"
import { type Html, html } from "./Html.ts"
import { dateOf } from "./Visit.ts"

/** What the console can do to deliveries, and to which share of them. */
export const chaosSwitches: ReadonlyArray<{
  readonly name: "duplicates" | "delays" | "reorder" | "drops" | "tampering"
  readonly share: number
  readonly label: string
  readonly hint: string
}> = [
  { name: "duplicates", share: 1, label: "Deliver twice", hint: "Every delivery comes a second time." },
  { name: "delays", share: 0.5, label: "Deliver late", hint: "Every second event comes up to five seconds late." },
  { name: "reorder", share: 0.5, label: "Out of order", hint: "Every second event lets later ones pass." },
  { name: "drops", share: 0.15, label: "Lose some", hint: "Every seventh attempt never arrives, and is made again." },
  {
    name: "tampering",
    share: 0.15,
    label: "Alter some",
    hint: "Some bodies are changed on the way; the shop must refuse them."
  }
]

export const chaosSection = (state: ConsoleState): Html =>
  section(
    state,
    "chaos",
    "Chaos",
    html`<form class="card" method="post" action="/console/chaos"><fieldset><legend>What happens to deliveries on the way</legend>
${chaosSwitches.map(
  ({ hint, label, name }) =>
    html`<label class="check"><input type="checkbox" name="${name}" value="on"${state.chaos[name] > 0 && html` checked`}><span><strong>${label}</strong> <span class="muted">${hint}</span></span></label>`
)}
</fieldset><button class="primary">Apply</button></form>`
  )

export const endpointSection = (state: ConsoleState): Html => {
  const { world } = state
  const endpoints = rows(world, "endpoints")
  return section(
    state,
    "endpoints",
    "Webhook endpoints",
    endpoints.length === 0
      ? html`<p class="empty">Nobody listens. An app adds its endpoint through the API, or with <code>addEndpoint</code>.</p>`
      : table("endpoints", ["Address", "State", "Events", "Actions"], endpoints.map(endpointRow))
  )
}

const endpointRow = (endpoint: WebhookEndpoint): Html => html`<tr><th scope="row"><code>${endpoint.url}</code></th>
<td>${endpoint.enabled ? badge("good", "Enabled") : badge("bad", "Disabled")}</td>
<td>${endpoint.events.length} types</td>
<td><form method="post" action="/console/endpoints/${endpoint.id}">
${
  endpoint.enabled
    ? html`<button name="enabled" value="no">Disable</button>`
    : html`<button name="enabled" value="yes">Enable</button>`
}</form></td></tr>`

const shownEvents = 40

export const deliverySection = (state: ConsoleState): Html => {
  const { world, now } = state
  const events = rows(world, "events")
  const shown = [...events].sort((one, other) => other.position - one.position).slice(0, shownEvents)
  const answers = new Map(rows(world, "deliveries").map((delivery) => [delivery.event_id, delivery.response]))
  return section(
    state,
    "deliveries",
    "Deliveries",
    events.length === 0
      ? html`<p class="empty">Nothing has been delivered yet. Every change shows up here, with what the endpoint answered.</p>`
      : html`<p class="muted">${
          events.length > shownEvents ? `The newest ${shownEvents} of ${events.length} events.` : "The newest first."
        } <a href="/#deliveries">Refresh</a></p>
${table(
  "deliveries",
  ["Event", "When", "State", "Answer", "Actions"],
  shown.map((event) => deliveryRow(event, now, answers.get(event.id) ?? null))
)}`
  )
}

const deliveryRow = (event: WebhookEvent, now: EpochMicros, answer: string | null): Html => html`<tr>
<th scope="row"><code>${event.type}</code></th><td>${time(dateOf(event.created_at))}</td>
<td>${deliveryState(event, now)}</td>
<td>${
  event.attempts === 0
    ? html`<span class="muted">Not sent yet</span>`
    : html`${event.last_http_code ?? "No answer"}${event.attempts > 1 && html` <span class="muted">after ${event.attempts} attempts</span>`}${
        answer !== null && html` <code class="small">${answer.slice(0, 40)}</code>`
      }`
}</td>
<td><form method="post" action="/console/events/${event.id}/redeliver"><button>Redeliver</button></form></td></tr>`

const deliveryState = (event: WebhookEvent, now: EpochMicros): Html => {
  if (event.succeeded === true) return badge("good", "Delivered")
  if (event.skipped) return badge("plain", "Skipped")
  if (event.succeeded === false || event.due_at === null) return badge("bad", "Given up")
  if (event.due_at <= now) return badge("plain", "On its way")
  const wait = `in ${Math.max(1, Math.round((event.due_at - now) / 1_000_000))} s`
  return event.attempts === 0 ? badge("plain", `Late: ${wait}`) : badge("warn", `Again ${wait}`)
}
