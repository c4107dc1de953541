/**
 * What is counted and measured, each described once. They are metrics of Effect's: whoever exports those has them, and `polar()`
 * passes them on to OpenTelemetry.
 *
 * Names hold their unit, so that they are the same in Prometheus whichever way they come there: some exporters add the unit to a
 * name that has none, and some do not. Labels have few values each, and none says who somebody is.
 */
import * as Instrument from "../runtime/instrument.ts"

/**
 * - `type`: one of Polar's types of events, or `other`
 * - `state`: what became of it, or `duplicate` where it had been dealt with before
 */
export const deliveries = Instrument.counter<"type" | "state">({
  name: "kavach_polar.deliveries",
  unit: "{delivery}",
  description: "Authentic deliveries, by what became of them",
  labels: ["type", "state"]
})

/** `reason`: `missing_header`, `malformed_header`, `too_old`, `too_new` or `signature_mismatch`. */
export const verificationFailures = Instrument.counter<"reason">({
  name: "kavach_polar.verification_failures",
  unit: "{request}",
  description: "Requests to the webhook's address that are not shown to be Polar's",
  labels: ["reason"]
})

export const deliveryLag = Instrument.histogram({
  name: "kavach_polar.delivery_lag_seconds",
  unit: "s",
  description: "From Polar's event until its delivery was stored, of deliveries that were new",
  boundaries: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 21_600, 86_400]
})

/** `handler`: `onSubscriptionChange`, ..., or the type of events that the app hears, or `*`. */
export const notificationLag = Instrument.histogram<"handler">({
  name: "kavach_polar.notification_lag_seconds",
  unit: "s",
  description: "From the commit of a change until the handler has taken it, failed calls and pauses included",
  labels: ["handler"],
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30, 60, 300, 1800, 3600, 21_600]
})

/** `outcome`: `told` or `failed`. */
export const notificationCalls = Instrument.counter<"handler" | "outcome">({
  name: "kavach_polar.notification_calls",
  unit: "{call}",
  description: "Calls of the app's handlers that have ended, by how",
  labels: ["handler", "outcome"]
})

export const notificationRetries = Instrument.counter<"handler">({
  name: "kavach_polar.notification_retries",
  unit: "{call}",
  description: "Calls of the app's handlers that have failed and are made again later",
  labels: ["handler"]
})

/** `state`: `superseded` by a newer state, or `dead`. */
export const notificationsGivenUp = Instrument.counter<"handler" | "state">({
  name: "kavach_polar.notifications_given_up",
  unit: "{notification}",
  description: "Notifications that a handler never took, by what became of them",
  labels: ["handler", "state"]
})

/** `operation`: the method and the path without ids. `outcome`: see `polar/apiOutcome.ts`. */
export const apiCalls = Instrument.counter<"operation" | "outcome">({
  name: "kavach_polar.api_calls",
  unit: "{call}",
  description: "Requests to Polar's API, each attempt by itself, by what came of it",
  labels: ["operation", "outcome"]
})

export const apiDuration = Instrument.histogram<"operation">({
  name: "kavach_polar.api_duration_seconds",
  unit: "s",
  description: "From sending a request to Polar's API until its answer was read, or was given up",
  labels: ["operation"],
  boundaries: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]
})

/** Polar's answers do not say what is left of its limit: this is of what the client allows itself (`requestsPerMinute`). */
export const apiRequestsLeft = Instrument.gauge({
  name: "kavach_polar.api_requests_left",
  unit: "{request}",
  description: "Requests that this process allowed itself for the rest of the minute, when it last sent one"
})

/** `row`: what kind of row. */
export const unreadableRows = Instrument.counter<"row">({
  name: "kavach_polar.unreadable_rows",
  unit: "{row}",
  description: "Rows of the store that could not be read and were passed over, by what they hold",
  labels: ["row"]
})

export const outboxLag = Instrument.gauge({
  name: "kavach_polar.outbox_lag_seconds",
  unit: "s",
  description: "Age of the oldest notification that the app has not taken and that was not given up; 0 without one"
})

export const notificationsWaiting = Instrument.gauge({
  name: "kavach_polar.notifications_waiting",
  unit: "{subject}",
  description: "Subjects of which the app is yet to take something, each call of a handler by itself"
})

export const notificationsDead = Instrument.gauge({
  name: "kavach_polar.notifications_dead",
  unit: "{notification}",
  description: "Notifications that were given up and that nobody has retried"
})

export const newestDeliveryAge = Instrument.gauge({
  name: "kavach_polar.newest_delivery_age_seconds",
  unit: "s",
  description: "Since the newest delivery arrived; absent before the first"
})

export const reconcileDrift = Instrument.gauge({
  name: "kavach_polar.reconcile_drift",
  unit: "{record}",
  description: "Records that were not as Polar has them, when everything was last compared; absent before"
})

export const reconcileAge = Instrument.gauge({
  name: "kavach_polar.reconcile_age_seconds",
  unit: "s",
  description: "Since everything was last compared with Polar; absent before"
})

/** Gauges that `Billing.observe` reads from the store. All others are set by what they tell of. */
export const observed: ReadonlyArray<Instrument.Description> = [
  outboxLag,
  notificationsWaiting,
  notificationsDead,
  newestDeliveryAge,
  reconcileDrift,
  reconcileAge
]

/** All of them. */
export const all: ReadonlyArray<Instrument.Description> = [
  deliveries,
  verificationFailures,
  deliveryLag,
  notificationLag,
  notificationCalls,
  notificationRetries,
  notificationsGivenUp,
  apiCalls,
  apiDuration,
  apiRequestsLeft,
  unreadableRows,
  ...observed
]
