/** Somebody says "I paid": who is it, and what is known of them? */
import type { PersonFound, Timeline } from "@kavach-polar/core/Billing"
import { type Html, html } from "../html.ts"
import { linkTo, type Page, table } from "../page.ts"
import { actionLink, badge, delivery, empty, facts, time, word } from "../parts.ts"
import type { Visit } from "../Visit.ts"

/** Posted, because an address does not belong into a URL, which histories and logs keep. */
const searchForm = (
  { token }: Visit,
  asked = ""
): Html => html`<form method="post" action="${linkTo("people")}" class="card">
<input type="hidden" name="token" value="${token}"><div class="row">
<div class="field"><label for="query">A user's id, an e-mail address, or an id of Polar's</label>
<input type="text" id="query" name="query" value="${asked}" autocomplete="off" spellcheck="false" required></div>
<button class="primary">Search</button></div></form>`

export const people = (visit: Visit): Page => ({
  title: "People",
  current: "people",
  main: html`<h1>People</h1>
<p>Search by what the buyer has: the address of their account, the one that the receipt went to, or the id of an order.</p>
${searchForm(visit)}`
})

/** Where a search leads: to the one who was found, by an id, or to a page that says who may be meant. */
export const search = async (visit: Visit, query: string): Promise<Page | { readonly location: string }> => {
  const found = await visit.run(({ customers }) => customers.timeline(query))
  if (found.found === "one") {
    const id = found.user?.id ?? found.customers[0]?.customerId ?? ""
    return { location: linkTo("person", { id }) }
  }
  return notOne(visit, found)
}

const notOne = (visit: Visit, found: Exclude<Timeline, PersonFound>): Page =>
  found.found === "nothing"
    ? {
        title: "Nothing is known",
        status: 404,
        current: "people",
        main: html`<h1>Nothing is known of ${found.query}</h1>
<p>Ask for the address that the receipt went to, or for the order's id. What no webhook has brought, <code>kavach-polar reconcile</code> finds.</p>
${searchForm(visit, found.query)}`
      }
    : {
        title: "Several people",
        current: "people",
        main: html`<h1>${found.query} may mean ${found.candidates.length}</h1>
${table(
  ["Who", "Found by"],
  found.candidates.map(({ customerId, foundBy, userId }) => [
    html`<a href="${linkTo("person", { id: userId ?? customerId ?? "" })}">${userId === null ? `customer ${customerId}, whose user is not known` : `user ${userId}`}</a>`,
    words(foundBy)
  ]),
  "Who may be meant"
)}`
      }

const words = (name: string): string => name.replaceAll("_", " ")

export const personPage = async (visit: Visit): Promise<Page> => {
  const { query, run, viewer } = visit
  const withPolar = query.get("polar") === "1"
  const found = await run(({ customers }) => customers.timeline(query.get("id") ?? "", { polar: withPolar }))
  if (found.found !== "one") return notOne(visit, found)
  const { access, answer, customers, leftOut, user } = found
  const id = user?.id ?? customers[0]?.customerId ?? ""
  return {
    title: user === null ? `Customer ${id}` : `User ${id}`,
    current: "people",
    main: html`<h1>${user === null ? `Customer ${id}` : `User ${id}`}</h1>
<p class="message ${access?.entitlement === "granted" ? "good" : access?.entitlement === "grace" ? "warn" : "bad"}">${answer.sentence}</p>
${answer.helps.map(({ command, what }) => html`<div class="card"><p>${what}</p>${command !== null && html`<p class="small">Do: <code>${command}</code></p>`}</div>`)}
<div class="card gap">${facts([
      ["Address", user?.email],
      ["Found by", words(found.foundBy)],
      ["In your table of users", user === null ? null : user.isInTable ? "yes" : "no"],
      ["Access", access === null ? null : html`${badge(access.entitlement)} ${access.reason}`],
      ["Until", time(access?.until ?? null)]
    ])}</div>
<p class="row gap">${!withPolar && html`<a class="button" href="${linkTo("person", { id, polar: "1" })}">Show what Polar has</a>`}
${viewer.may === "act" && user !== null && actionLink("user.reconcile", "Compare with Polar and set right", { user: user.id })}
${user !== null && html`<a class="button" href="${linkTo("deliveries", { user: user.id })}">Deliveries</a>`}</p>
${found.polar !== null && polarSection(found.polar)}
<section><h2>Customers at Polar</h2>${customersSection(visit, found)}</section>
<section><h2>What they have</h2>${recordsTable(found)}</section>
<section><h2>How it came to that</h2>${timelineTable(found)}${
      leftOut.length > 0 && html`<p class="muted">There is more than the newest 200 of: ${leftOut.join(", ")}.</p>`
    }</section>`
  }
}

const polarSection = ({
  isSame,
  problems,
  records,
  unknownToPolar
}: NonNullable<PersonFound["polar"]>): Html => html`<section><h2>At Polar</h2>
<p class="message ${isSame ? "good" : "bad"}">${isSame ? "Polar has the same as is stored here" : "Polar has something else than is stored here"}${problems.length > 0 && ", as far as it answered"}.</p>
${
  records.length > 0 &&
  table(
    ["Kind", "At Polar", "Stored here", "Id"],
    records.map(({ id, kind, status, stored }) => [
      word(kind),
      badge(status),
      stored === null ? "nothing" : badge(stored),
      html`<code>${id}</code>`
    ]),
    "What Polar lists"
  )
}
${unknownToPolar.map(({ id, kind }) => html`<p>${words(kind)} <code>${id}</code> is stored here as live, and Polar does not list it.</p>`)}
${problems.map(({ kind, problem }) => html`<p class="muted">${words(kind)}: ${problem}</p>`)}</section>`

const moveForm = (
  action: "customer.link" | "customer.move",
  id: string,
  text: string
): Html => html`<form method="get" class="row gap">
<input type="hidden" name="page" value="confirm"><input type="hidden" name="do" value="${action}"><input type="hidden" name="id" value="${id}">
<div class="field"><label for="user-${id}">${text}</label><input type="text" id="user-${id}" name="user" autocomplete="off" spellcheck="false" required></div>
<button>Go on</button></form>`

const customersSection = ({ viewer }: Visit, { customers }: PersonFound): Html =>
  customers.length === 0
    ? empty("None is known.")
    : html`${customers.map(
        ({ customerId, deletedAt, email, linkedAt, linkedBy }) =>
          html`<div class="card">${facts([
            ["Customer", html`<code>${customerId}</code>`],
            ["Address at Polar", email],
            ["Linked", linkedBy === null ? "to nobody" : html`by ${linkedBy}, ${time(linkedAt)}`],
            ["Deleted at Polar", time(deletedAt)]
          ])}${
            viewer.may === "act" &&
            (linkedBy === null
              ? moveForm("customer.link", customerId, "Link to the user with this id")
              : html`${moveForm("customer.move", customerId, "Move to the user with this id")}<p class="gap">${actionLink("customer.unlink", "End the link", { id: customerId }, `of ${customerId}`)}</p>`)
          }</div>`
      )}`

const recordsTable = ({ records }: PersonFound): Html =>
  records.length === 0
    ? empty("Nothing is stored.")
    : table(
        ["Since", "Kind", "Status", "What", "Theirs by", "Id"],
        records.map(({ amount, at, currency, endsAt, id, kind, ownedBy, productId, productName, status, userId }) => [
          time(at),
          word(kind),
          badge(status),
          html`${productName ?? productId}${amount !== null && html` ${money(amount, currency ?? "")}`}${endsAt !== null && html`, ends ${time(endsAt)}`}`,
          userId === null ? html`<span class="badge warn">nobody's</span>` : ownedBy === null ? null : word(ownedBy),
          html`<code>${id}</code>`
        ]),
        "What they have"
      )

const money = (amount: number, currency: string): string => {
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency: currency.toUpperCase() })
    return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
  } catch {
    return `${amount} ${currency}`
  }
}

const timelineTable = ({ timeline }: PersonFound): Html =>
  timeline.length === 0
    ? empty("Nothing has happened.")
    : table(
        ["When", "Kind", "What happened", "Details"],
        [...timeline]
          .reverse()
          .map(({ at, id, isTrouble, text, type }) => [
            time(at),
            word(type),
            html`${isTrouble && html`<span class="badge warn">look</span> `}${text}`,
            type === "delivery" ? delivery(id) : null
          ]),
        "How it came to that, the newest first"
      )
