/**
 * The port to the app beside `SubscriptionListener`: whom to tell of events, and of changes of access, benefits and orders.
 *
 * Each handler has a queue of its own. It is called after the commit, at least once for each notification, in order for each
 * record, user or benefit; after a failure or a defect it is called again later, and holds up no other handler meanwhile.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { PolarEventData } from "../records/eventData.ts"
import { type PolarEventType, polarEventTypes } from "../records/eventTypes.ts"
import type { Order } from "../records/Order.ts"
import type { AccessChange } from "../rules/accessChange.ts"
import type { GrantedBenefit } from "../rules/grantedBenefits.ts"
import { type ChangeHandler, everyEvent, type HandlerNames } from "../rules/handlers.ts"
import type { ClaimedNotification, OrderRefund, ToldEvent } from "../rules/told.ts"
import type { UserId } from "../values/ids.ts"
import * as Options from "../values/options.ts"
import { ListenerFailed } from "./SubscriptionListener.ts"
import { untilAborted } from "./untilAborted.ts"

/** What a handler knows of its call. */
export interface HandlerCall {
  /** The same on every attempt: for a handler that must act only once. */
  readonly id: string
  /** 1 for the first. */
  readonly attempt: number
  /** Aborted when its time is over. It is not called again before it ends. */
  readonly signal: AbortSignal
}

/** An event, as a handler in `on` is given it. */
export interface HandledEvent<Type extends string = string> extends HandlerCall {
  readonly event: Omit<ToldEvent, "data" | "type"> & { readonly type: Type; readonly data: PolarEventData<Type> }
  /** The user to whom it belonged when it came; `null` if to none, or to one who was not known yet. */
  readonly userId: UserId | null
  /** `webhook-id`: the same whenever Polar delivers the event again. */
  readonly deliveryId: string
}

/** By type of event; `*` is told of all, also of types that this version does not know. */
export type EventHandlers<Result> = {
  readonly [Type in PolarEventType]?: ((received: HandledEvent<Type>) => Result) | undefined
} & { readonly "*"?: ((received: HandledEvent) => Result) | undefined }

/** The app's handlers; each is optional. */
export interface AppHandlers<Result> {
  /**
   * What `access(userId)` answers became another: by an event, by the clock or by an operator. Once for each time.
   *
   * @example
   * polar({ accessToken, webhookSecret, onAccessChange: (userId, { after }) => console.log(userId, after.entitlement) })
   */
  readonly onAccessChange?: ((userId: UserId, change: AccessChange, call: HandlerCall) => Result) | undefined
  /**
   * A user has a benefit from now on: its first grant. One that still needs an action of the user's is none.
   *
   * @example
   * polar({ accessToken, webhookSecret, onBenefitGranted: (userId, { key }) => console.log(userId, "has", key) })
   */
  readonly onBenefitGranted?: ((userId: UserId, benefit: GrantedBenefit, call: HandlerCall) => Result) | undefined
  /**
   * A user has a benefit no longer: its last grant is gone.
   *
   * @example
   * polar({ accessToken, webhookSecret, onBenefitRevoked: (userId, { key }) => console.log(userId, "has no", key) })
   */
  readonly onBenefitRevoked?: ((userId: UserId, benefit: GrantedBenefit, call: HandlerCall) => Result) | undefined
  /**
   * An order was paid: a one-time purchase or a period of a subscription, as its `billingReason` says. Once for each.
   *
   * @example
   * polar({ accessToken, webhookSecret, onPurchase: (userId, { totalAmount }) => console.log(userId, totalAmount) })
   */
  readonly onPurchase?: ((userId: UserId, order: Order, call: HandlerCall) => Result) | undefined
  /**
   * Money was given back of an order, in part or in full. Once for each time.
   *
   * @example
   * polar({ accessToken, webhookSecret, onRefund: (userId, { order }) => console.log(userId, order?.id) })
   */
  readonly onRefund?: ((userId: UserId, refund: OrderRefund, call: HandlerCall) => Result) | undefined
  /**
   * Polar's events as they come, each once, also those about nobody's or an unknown user's records.
   *
   * @example
   * polar({ accessToken, webhookSecret, on: { "order.paid": ({ event }) => console.log(event.data.id) } })
   */
  readonly on?: EventHandlers<Result> | undefined
}

export interface HandlersService {
  /** For whom something is queued. For a handler that is not among them nothing is. */
  readonly names: HandlerNames
  readonly tell: (notification: ClaimedNotification, signal: AbortSignal) => Effect.Effect<void, ListenerFailed>
}

/** None, unless a layer provides them. */
export class Handlers extends Context.Reference<Handlers>()("@kavach-polar/core/Handlers", {
  defaultValue: (): HandlersService => ({ names: new Set(), tell: () => Effect.void })
}) {}

/**
 * Handlers in Effect, with requirements and errors of their own: whatever one fails with is a call that is tried again. A call is
 * interrupted when its time is over. Throws an `InvalidOption` for a handler that there is not.
 *
 * @example
 * import { Handlers } from "@kavach-polar/core"
 * import { Effect } from "effect"
 *
 * export const AppHandlers = Handlers.layer({
 *   onAccessChange: (userId, { after, before }) =>
 *     Effect.logInfo(`${userId}: ${before.entitlement} -> ${after.entitlement}`),
 *   on: { "order.paid": ({ event }) => Effect.logInfo(`${event.data.id} is paid`) }
 * })
 */
export const layer = <E, R>(handlers: AppHandlers<Effect.Effect<void, E, R>>): Layer.Layer<never, never, R> => {
  checkHandlers(handlers)
  return Layer.effectContext(
    Effect.map(Effect.context<R>(), (context) => {
      const tell = toldBy(handlers)
      return Context.make(Handlers, {
        names: namesOf(handlers),
        tell: (notification, signal) =>
          untilAborted(
            Effect.suspend(() => tell(notification, signal) ?? Effect.void).pipe(
              Effect.mapError((error) => (error instanceof ListenerFailed ? error : handlerFailed(error))),
              Effect.provide(context)
            ),
            signal
          )
      }) as Context.Context<never>
    })
  )
}

/**
 * Handlers in plain TypeScript: one fails by throwing or rejecting. It cannot be ended from here, so it is waited for; one that
 * should end in time passes the signal on, or looks at it. Throws an `InvalidOption` for a handler that there is not.
 *
 * @example
 * Handlers.layerCallbacks({ onAccessChange: (userId, { after }) => console.log(userId, after.entitlement) })
 */
export const layerCallbacks = (handlers: AppHandlers<Promise<void> | void>): Layer.Layer<never> => {
  checkHandlers(handlers)
  const tell = toldBy(handlers)
  return Layer.succeedContext(
    Context.make(Handlers, {
      names: namesOf(handlers),
      tell: (notification, signal) =>
        Effect.tryPromise({ try: async () => tell(notification, signal), catch: handlerFailed })
    }) as Context.Context<never>
  )
}

/** Handlers as options. */
export const optionsSchema = {
  onAccessChange: Options.optional(
    Options.callback<NonNullable<AppHandlers<void | Promise<void>>["onAccessChange"]>>()
  ),
  onBenefitGranted: Options.optional(
    Options.callback<NonNullable<AppHandlers<void | Promise<void>>["onBenefitGranted"]>>()
  ),
  onBenefitRevoked: Options.optional(
    Options.callback<NonNullable<AppHandlers<void | Promise<void>>["onBenefitRevoked"]>>()
  ),
  onPurchase: Options.optional(Options.callback<NonNullable<AppHandlers<void | Promise<void>>["onPurchase"]>>()),
  onRefund: Options.optional(Options.callback<NonNullable<AppHandlers<void | Promise<void>>["onRefund"]>>()),
  on: Options.optional(
    Schema.Struct(
      Object.fromEntries(
        [...polarEventTypes, everyEvent].map((type) => [
          type,
          Options.optional(Options.callback<(...args: never) => unknown>())
        ])
      )
    )
  )
}

const checkHandlers = Options.optionsCheck("Handlers.layer()", Schema.Struct(optionsSchema))

/** Of those that are given. */
const namesOf = ({ on = {}, ...handlers }: AppHandlers<unknown>): HandlerNames => {
  const changes: ReadonlyArray<readonly [ChangeHandler, unknown]> = [
    ["onAccessChange", handlers.onAccessChange],
    ["onBenefitChange", handlers.onBenefitGranted ?? handlers.onBenefitRevoked],
    ["onPurchase", handlers.onPurchase],
    ["onRefund", handlers.onRefund]
  ]
  return new Set(
    [...changes, ...Object.entries(on)].flatMap(([name, handler]) => (handler === undefined ? [] : [name]))
  )
}

/** Calls whoever is to be told; `undefined` where that is nobody. */
const toldBy =
  <Result>(handlers: AppHandlers<Result>) =>
  ({ attempt, handler, id, told, userId }: ClaimedNotification, signal: AbortSignal): Result | undefined => {
    const call: HandlerCall = { id, attempt, signal }
    if (told._tag === "Event") {
      // By the name under which it was queued: what that handler is given is an event of the type that it is for.
      const on = handlers.on as Readonly<Record<string, ((received: HandledEvent) => Result) | undefined>> | undefined
      const { deliveryId, event } = told
      return on?.[handler]?.({ ...call, event: event as HandledEvent["event"], userId, deliveryId })
    }
    if (userId === null) return undefined
    switch (told._tag) {
      case "SubscriptionChange":
        return undefined
      case "AccessChange":
        return handlers.onAccessChange?.(userId, told.change, call)
      case "BenefitChange":
        return told.isGranted
          ? handlers.onBenefitGranted?.(userId, told.benefit, call)
          : handlers.onBenefitRevoked?.(userId, told.benefit, call)
      case "Purchase":
        return handlers.onPurchase?.(userId, told.order, call)
      case "Refund":
        return handlers.onRefund?.(userId, told.refund, call)
    }
  }

const handlerFailed = (error: unknown): ListenerFailed =>
  new ListenerFailed({ detail: error instanceof Error ? error.message || error.name : String(error) })
