/**
 * Which of the app's functions are called, and does each change count, or only the newest state?
 *
 * A handler has a queue of its own: one that fails holds up no other. It is known by its name, which is the name of the option
 * that sets it; a handler of events is known by their type, or by `*` for those of all.
 */

/** What of changes of state is told: of two that wait only the newest matters. */
const ofStates = ["onSubscriptionChange", "onAccessChange", "onBenefitChange"] as const

/** What is told of orders: each counts. */
const ofOrders = ["onPurchase", "onRefund"] as const

/** `onBenefitChange` is one queue for `onBenefitGranted` and `onBenefitRevoked`: what was given back is told in order. */
export type ChangeHandler = (typeof ofStates)[number] | (typeof ofOrders)[number]

/** Names of handlers that there are. */
export type HandlerNames = ReadonlySet<string>

/** What is heard unless it is said otherwise. */
export const onlySubscriptions: HandlerNames = new Set<ChangeHandler>(["onSubscriptionChange"])

/** Whether a newer one takes the place of one that was not taken. */
export const tellsState = (handler: string): boolean => (ofStates as ReadonlyArray<string>).includes(handler)

/** Whether any of them is told of what no event says: its place in the order is made from what is queued. */
export const isSequenced = (names: HandlerNames): boolean => names.has("onAccessChange") || names.has("onBenefitChange")

/** The handler of every event. */
export const everyEvent = "*"

/** Those that an event of this type is told to. */
export const handlersOfEvent = (names: HandlerNames, type: string): ReadonlyArray<string> =>
  [type, everyEvent].filter((name) => names.has(name))
