/** What Polar has delivered, and what became of it. */
import { type DeliveryState, deliveryStates, type RecordedDelivery } from "@kavach-polar/core/Delivery"
import { bodyForms } from "../foldedBody.ts"
import { html } from "../html.ts"
import { live } from "../live.ts"
import { linkTo, type Page, table } from "../page.ts"
import { actionLink, badge, delivery, empty, facts, person, shortId, time, word } from "../parts.ts"
import type { Visit } from "../Visit.ts"

const pageSize = 50

const stateIn = (text: string | null): DeliveryState | undefined => deliveryStates.find((state) => state === text)

/** The last of the page before, as a link carries it. */
const afterIn = (query: URLSearchParams) => {
  const [at = "", ...id] = (query.get("after") ?? "").split(" ")
  const receivedAt = new Date(Number(at))
  return id.length === 0 || Number.isNaN(receivedAt.getTime()) ? undefined : { receivedAt, id: id.join(" ") }
}

export const deliveries = async ({ query, run }: Visit): Promise<Page> => {
  const [type, user] = [query.get("type")?.trim() ?? "", query.get("user")?.trim() ?? ""]
  const state = stateIn(query.get("state"))
  const found = await run(({ operations }) =>
    operations.deliveries({
      types: type === "" ? undefined : [type],
      states: state === undefined ? undefined : [state],
      userId: user === "" ? undefined : user,
      after: afterIn(query),
      limit: pageSize + 1,
      decrypt: false
    })
  )
  const shown = found.slice(0, pageSize)
  const last = shown.at(-1)
  const filter = { type, user, state }
  return {
    title: "Deliveries",
    current: "deliveries",
    isLive: true,
    main: html`<h1>Deliveries</h1>
<form method="get" class="card"><input type="hidden" name="page" value="deliveries"><div class="row">
<div class="field"><label for="type">Type</label><input type="text" id="type" name="type" value="${type}" placeholder="order.paid" autocomplete="off"></div>
<div class="field"><label for="state">State</label><select id="state" name="state"><option value="">any</option>${deliveryStates.map(
      (one) => html`<option${one === state && html` selected`}>${one}</option>`
    )}</select></div>
<div class="field"><label for="user">User's id</label><input type="text" id="user" name="user" value="${user}" autocomplete="off"></div>
<button class="primary">Show</button></div></form>
<section>${live(
      "deliveries",
      html`${
        shown.length === 0
          ? empty("There is no such delivery.")
          : table(
              ["Received", "Type", "State", "User", "About", "Delivery"],
              shown.map((one) => [
                time(one.receivedAt),
                html`<code class="word">${one.type}</code>`,
                html`${badge(one.state)}${one.lastError !== null && html` <span class="small">${one.lastError}</span>`}`,
                person(one.userId),
                aboutOf(one),
                delivery(one.id)
              ]),
              "Deliveries, the newest first",
              shown.map(({ id }) => id)
            )
      }
<nav class="pages" aria-label="Pages">${query.has("after") && html`<a href="${linkTo("deliveries", filter)}">The newest</a>`}${
        found.length > pageSize &&
        last !== undefined &&
        html`<a href="${linkTo("deliveries", { ...filter, after: `${last.receivedAt.getTime()} ${last.id}` })}">Older ones</a>`
      }</nav>`
    )}</section>`
  }
}

const aboutOf = ({ recordId, recordKind }: RecordedDelivery) =>
  recordId === null
    ? null
    : html`${recordKind !== null && word(recordKind)} <a href="${linkTo("person", { id: recordId })}" title="${recordId}">${shortId(recordId)}</a>`

export const deliveryPage = async ({ query, run, viewer }: Visit): Promise<Page> => {
  const id = query.get("id") ?? ""
  const [found] = await run(({ operations }) => operations.deliveries({ ids: [id] }))
  if (found === undefined) {
    return {
      title: "No such delivery",
      status: 404,
      current: "deliveries",
      main: html`<h1>No such delivery</h1>${empty("It was never received, or it is older than the retention.")}`
    }
  }
  const forms = found.body === null ? null : bodyForms(found.body)
  return {
    title: `Delivery ${id}`,
    current: "deliveries",
    main: html`<h1>${found.type}</h1>
<div class="card">${facts([
      ["State", badge(found.state)],
      ["Error", found.lastError],
      ["Received", time(found.receivedAt)],
      ["Happened at Polar", found.eventAt === null ? null : time(new Date(found.eventAt / 1000))],
      ["Attempts", found.attempts],
      ["User", person(found.userId)],
      [
        "Customer",
        found.customerId === null
          ? null
          : html`<a href="${linkTo("person", { id: found.customerId })}"><code>${found.customerId}</code></a>`
      ],
      ["About", aboutOf(found)],
      ["webhook-id", html`<code>${found.id}</code>`]
    ])}</div>
${viewer.may === "act" && found.body !== null && html`<p class="gap">${actionLink("delivery.replay", "Apply it again", { id })}</p>`}
<section><h2>Body</h2>${
      forms === null
        ? empty(
            found.isEncrypted
              ? "It is encrypted, and could not be decrypted here: the app's bodies.decrypt() is missing or failed."
              : "It is not kept: it was pruned, its customer was deleted, or bodies are not stored."
          )
        : html`<p class="muted small">What names or describes a person is folded.</p><pre tabindex="0">${forms.folded}</pre>
<details><summary>Show it with personal data</summary><pre tabindex="0">${forms.whole}</pre></details>`
    }</section>`
  }
}
