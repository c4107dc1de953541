/** The simulator's console: everything there is, and everything that can be done to it. */
import * as Timestamp from "@kavach-polar/core/Timestamp"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Chaos from "../Chaos.ts"
import type * as Engine from "../Engine.ts"
import { invalid, type Refusal } from "../Refusal.ts"
import type * as Simulator from "../Simulator.ts"
import * as Subscriptions from "../Subscriptions.ts"
import * as Webhooks from "../Webhooks.ts"
import { chaosSwitches } from "./ConsoleDeliveries.ts"
import * as Refunds from "./ConsoleRefunds.ts"
import { nextDue, view } from "./ConsoleView.ts"
import { livePath } from "./Live.ts"
import { seeOther } from "./Page.ts"
import type { Route } from "./Router.ts"
import { appLinks, consolePage, dateOf, type Handler, type Visit } from "./Visit.ts"

const show: Handler = ({ simulator, url }) =>
  Effect.gen(function* () {
    const world = yield* simulator.read((world) => world)
    const now = yield* simulator.now
    const realNow = Timestamp.fromMillis(yield* Clock.currentTimeMillis)
    const chaos = yield* simulator.chaos
    const done = doneOf(url.searchParams.get("done"))
    const kind = kindIn(url.searchParams)
    return consolePage({
      title: "Console",
      current: "/",
      script: livePath,
      apps: appLinks(world),
      main: view({ world, now, realNow, chaos, done, kind })
    })
  })

/** What an action tells of itself afterwards, and where; the address names it, and says no words of its own. */
const said = {
  advanced: { section: "time", text: "Time has moved on, and what fell due has happened." },
  moved: { section: "subscriptions", text: "Time has moved on, and what fell due has happened." },
  decline: { section: "payments", text: "Done." },
  "decline-for-good": { section: "payments", text: "Done. A payment that is declined for good is not tried again." },
  payments: { section: "payments", text: "Payments go through again." },
  subscription: { section: "subscriptions", text: "Done, and the shop has been told." },
  refund: { section: "orders", text: "The money went back, and the shop has been told." },
  "refund-later": { section: "orders", text: "The refund is pending: say below what becomes of it." },
  settled: { section: "orders", text: "Done, and the shop has been told." },
  expired: { section: "checkouts", text: "The checkout has expired." },
  chaos: { section: "chaos", text: "Deliveries are treated like this from now on." },
  redelivered: { section: "deliveries", text: "The event was sent again." },
  endpoint: { section: "endpoints", text: "Done." }
} as const

type Done = keyof typeof said

const doneOf = (name: string | null): (typeof said)[Done] | undefined =>
  Object.entries(said).find(([one]) => one === name)?.[1]

/** Which kind of events is looked at. */
const kindIn = (from: URLSearchParams): string | undefined => {
  const kind = from.get("events") ?? ""
  return /^[a-z_]{1,40}$/.test(kind) ? kind : undefined
}

const back = (done: Done, kind: string | undefined): Response =>
  seeOther(`/?done=${done}${kind === undefined ? "" : `&events=${kind}`}#${said[done].section}`)

/** Does something, gives deliveries a moment, and goes back to where it was asked for. */
const action =
  (done: Done | ((visit: Visit) => Done), act: (visit: Visit) => Effect.Effect<unknown, Refusal>): Handler =>
  (visit) =>
    act(visit).pipe(
      Effect.zipRight(Effect.timeoutOption(visit.simulator.flush, "3 seconds")),
      Effect.as(back(typeof done === "string" ? done : done(visit), kindIn(visit.form)))
    )

const id = ({ params }: Visit): string => params["id"] ?? ""

const refuse = (field: string, problem: string, value: string | null) => Effect.fail(invalid(field, problem, value))

const advance = ({ form, simulator }: Visit): Effect.Effect<void, Refusal> => {
  const days = Number(form.get("days") ?? "")
  return Number.isInteger(days) && days >= 1 && days <= 366
    ? simulator.advance(`${days} days`)
    : refuse("days", "It must be a number of days from 1 to 366.", form.get("days"))
}

/** Moves the time to what is next in a subscription's life. */
const advanceTo = (subscriptionId: string, simulator: Simulator.Service): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const next = yield* simulator.run((step) =>
      Either.map(Subscriptions.find(step, subscriptionId), (subscription) => nextDue(step.world, subscription))
    )
    if (next === undefined) return yield* refuse("action", "Nothing falls due by itself any more.", null)
    yield* simulator.advanceTo(dateOf(next.at))
  })

const onSubscription = (name: string, id: string): Engine.Transition<unknown> | undefined => {
  switch (name) {
    case "cancel":
      return Subscriptions.cancel(id, {})
    case "uncancel":
      return Subscriptions.uncancel(id)
    case "pause":
      return Subscriptions.schedulePause(id, true, null)
    case "unpause":
      return Subscriptions.schedulePause(id, false, null)
    case "resume":
      return Subscriptions.resume(id)
    case "revoke":
      return Subscriptions.revoke(id)
    default:
      return undefined
  }
}

const changeSubscription = (visit: Visit): Effect.Effect<unknown, Refusal> => {
  const name = visit.form.get("action") ?? ""
  if (name === "advance") return advanceTo(id(visit), visit.simulator)
  const change = onSubscription(name, id(visit))
  return change === undefined ? refuse("action", "There is no such action.", name) : visit.simulator.run(change)
}

const payments = ({ form, simulator }: Visit): Effect.Effect<unknown, Refusal> => {
  switch (form.get("next")) {
    case "decline":
      return simulator.failNextPayment()
    case "decline-for-good":
      return simulator.failNextPayment({ forGood: true })
    default:
      return simulator.run((step) => {
        step.world = { ...step.world, declines: [] }
        return Either.void
      })
  }
}

const setChaos = ({ form, simulator }: Visit): Effect.Effect<void> =>
  simulator.setChaos({
    ...Chaos.none,
    longestDelay: 5000,
    ...Object.fromEntries(chaosSwitches.map(({ name, share }) => [name, form.get(name) === null ? 0 : share]))
  })

const setEndpoint = (visit: Visit): Effect.Effect<unknown, Refusal> =>
  visit.simulator.run(Webhooks.updateEndpoint(id(visit), { enabled: visit.form.get("enabled") === "yes" }))

const post = (path: string, handler: Handler): Route<Handler> => ({ method: "POST", path, handler })

const paymentsDone = ({ form }: Visit): Done => {
  const next = form.get("next")
  return next === "decline" || next === "decline-for-good" ? next : "payments"
}

const subscriptionDone = ({ form }: Visit): Done => (form.get("action") === "advance" ? "moved" : "subscription")

export const routes: ReadonlyArray<Route<Handler>> = [
  { method: "GET", path: "/", handler: show },
  post("/console/advance", action("advanced", advance)),
  post("/console/payments", action(paymentsDone, payments)),
  post("/console/subscriptions/{id}", action(subscriptionDone, changeSubscription)),
  post(
    "/console/orders/{id}/refund",
    action((visit) => (Refunds.isLater(visit) ? "refund-later" : "refund"), Refunds.refund)
  ),
  post("/console/refunds/{id}", action("settled", Refunds.settle)),
  post(
    "/console/checkouts/{id}/expire",
    action("expired", (visit) => visit.simulator.expireCheckout(id(visit)))
  ),
  post("/console/chaos", action("chaos", setChaos)),
  post(
    "/console/events/{id}/redeliver",
    action("redelivered", (visit) => visit.simulator.redeliver(id(visit)))
  ),
  post("/console/endpoints/{id}", action("endpoint", setEndpoint))
]
