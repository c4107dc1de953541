/** The part of the console about deliveries: chaos, endpoints, and what became of each event. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import type { WebhookDelivery, WebhookEndpoint, WebhookEvent } from "../Records.ts"
import { rows } from "../Step.ts"
import { type ConsoleState, groupedTable, section, table } from "./ConsoleParts.ts"
import { byCause, type Cause } from "./EventCauses.ts"
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
</fieldset><div class="row"><button class="primary">Apply</button><span id="not-applied" aria-live="polite"></span></div></form>`
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
/** After the cause with the tenth, the others are folded away. */
const openEvents = 10

const deliveryColumns = ["Event", "When", "State", "On the way", "Answer", "Actions"]

const kindOf = ({ type }: WebhookEvent): string => type.split(".")[0] ?? type

export const deliverySection = (state: ConsoleState): Html => {
  const { kind, now, world } = state
  const events = rows(world, "events")
  const wanted = kind === undefined ? events : events.filter((event) => kindOf(event) === kind)
  const shown = [...wanted].sort((one, other) => other.position - one.position).slice(0, shownEvents)
  const attempts = attemptsOf(rows(world, "deliveries"))
  const firstSent = (event: WebhookEvent) => attempts.get(event.id)?.[0]?.created_at ?? Number.POSITIVE_INFINITY
  const line = (event: WebhookEvent) =>
    deliveryRow({
      event,
      now,
      kind,
      attempts: attempts.get(event.id) ?? [],
      overtakenBy: events.filter(
        (other) =>
          other.endpoint_id === event.endpoint_id &&
          other.firstPosition > event.firstPosition &&
          firstSent(other) < firstSent(event)
      ).length
    })
  const [open, older] = split(byCause(shown, events))
  const listed = (causes: ReadonlyArray<Cause>): Html =>
    groupedTable(
      "deliveries",
      deliveryColumns,
      causes.map(({ at, events, text }) => ({
        heading: html`${text} <span class="small muted">${time(dateOf(at))}</span>`,
        rows: events.map(line)
      }))
    )
  return section(
    state,
    "deliveries",
    "Deliveries",
    events.length === 0
      ? html`<p class="empty">Nothing has been delivered yet. Every change shows up here, with what the endpoint answered.</p>`
      : html`<p class="muted">${
          wanted.length > shownEvents ? `The newest ${shownEvents} of ${wanted.length} events, ` : ""
        }${wanted.length > shownEvents ? "by" : "By"} what caused them; of each the last to be sent first. The table keeps itself current; without scripts, <a href="${addressOf(kind)}">refresh it</a>.</p>
${kindLinks(events, kind)}
${shown.length === 0 ? html`<p class="empty">There is none of this kind.</p>` : listed(open)}
${
  older.length > 0 &&
  html`<details id="older"><summary>${older.reduce((sum, cause) => sum + cause.events.length, 0)} before these</summary>
${listed(older)}</details>`
}`
  )
}

/** Those that are shown at once, and those that are folded away. */
const split = (causes: ReadonlyArray<Cause>): readonly [ReadonlyArray<Cause>, ReadonlyArray<Cause>] => {
  let count = 0
  const open = causes.filter(({ events }) => {
    const isOpen = count < openEvents
    count += events.length
    return isOpen
  })
  return [open, causes.slice(open.length)]
}

const addressOf = (kind: string | undefined): string => `/${kind === undefined ? "" : `?events=${kind}`}#deliveries`

/** One kind of events, or all. */
const kindLinks = (events: ReadonlyArray<WebhookEvent>, chosen: string | undefined): Html => {
  const kinds = [...new Set([...events.map(kindOf), ...(chosen === undefined ? [] : [chosen])])].sort()
  const link = (kind: string | undefined) =>
    html`<li><a href="${addressOf(kind)}"${kind === chosen && html` aria-current="true"`}>${
      kind === undefined ? "All" : html`<code>${kind}.*</code>`
    }</a></li>`
  return html`<nav class="kinds" aria-label="Kinds of events"><ul>${[undefined, ...kinds].map(link)}</ul></nav>`
}

/** The attempts at each event, the first one first. */
const attemptsOf = (
  deliveries: ReadonlyArray<WebhookDelivery>
): ReadonlyMap<string, ReadonlyArray<WebhookDelivery>> => {
  const byEvent = new Map<string, ReadonlyArray<WebhookDelivery>>()
  for (const delivery of [...deliveries].sort((one, other) => one.created_at - other.created_at)) {
    byEvent.set(delivery.event_id, [...(byEvent.get(delivery.event_id) ?? []), delivery])
  }
  return byEvent
}

interface DeliveryRow {
  readonly event: WebhookEvent
  readonly now: EpochMicros
  /** Which kind is shown, and is to be shown again after an act. */
  readonly kind: string | undefined
  /** The first one first. */
  readonly attempts: ReadonlyArray<WebhookDelivery>
  /** How many that happened later came before it. */
  readonly overtakenBy: number
}

const deliveryRow = ({ attempts, event, kind, now, overtakenBy }: DeliveryRow): Html => {
  const answer = attempts.at(-1)?.response ?? null
  return html`<tr>
<th scope="row"><code>${event.type}</code></th><td>${time(dateOf(event.created_at))}</td>
<td>${deliveryState(event, now)}</td>
<td>${onTheWay(event, attempts, overtakenBy).map((what) => html`${badge("plain", what)} `)}</td>
<td>${
    event.attempts === 0
      ? html`<span class="muted">Not sent yet</span>`
      : html`${event.last_http_code ?? "No answer"}${event.attempts > 1 && html` <span class="muted">after ${event.attempts} attempts</span>`}${
          answer !== null && event.succeeded !== true && html` <code class="small">${answer.slice(0, 40)}</code>`
        }`
  }</td>
<td><form method="post" action="/console/events/${event.id}/redeliver">${kind !== undefined && html`<input type="hidden" name="events" value="${kind}">`}<button class="link">Redeliver</button></form></td></tr>`
}

/** What chaos did to it. */
const onTheWay = (
  event: WebhookEvent,
  attempts: ReadonlyArray<WebhookDelivery>,
  overtakenBy: number
): ReadonlyArray<string> => {
  const [first] = attempts
  const late = first === undefined ? 0 : Math.round((first.created_at - event.created_at) / 1_000_000)
  return [
    ...(attempts.some(({ copies }) => copies > 1) ? ["Delivered twice"] : []),
    ...(late > 0 ? [`${late} s late`] : []),
    ...(overtakenBy > 0 ? [`After ${overtakenBy} later one${overtakenBy === 1 ? "" : "s"}`] : [])
  ]
}

const deliveryState = (event: WebhookEvent, now: EpochMicros): Html => {
  if (event.succeeded === true) return badge("good", "Delivered")
  if (event.skipped) return badge("plain", "Skipped")
  if (event.succeeded === false || event.due_at === null) return badge("bad", "Given up")
  if (event.due_at <= now) return badge("plain", "On its way")
  const wait = `in ${Math.max(1, Math.round((event.due_at - now) / 1_000_000))} s`
  return event.attempts === 0 ? badge("plain", `Late: ${wait}`) : badge("warn", `Again ${wait}`)
}
