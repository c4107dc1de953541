/** A local Polar: its rules, its webhooks, its API and its clock, in this process's memory. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as PolarClient from "@kavach-polar/core/PolarClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Api from "./api/Api.ts"
import * as Benefits from "./Benefits.ts"
import type { Chaos } from "./Chaos.ts"
import * as Checkouts from "./Checkouts.ts"
import * as Engine from "./Engine.ts"
import * as Grants from "./Grants.ts"
import * as LicenseKeys from "./LicenseKeys.ts"
import * as Locks from "./Locks.ts"
import * as Payments from "./Payments.ts"
import * as PlanChange from "./PlanChange.ts"
import * as ProductEdits from "./ProductEdits.ts"
import type { Benefit, Grant, LicenseKey, Product, Refund, WebhookEndpoint, WebhookEvent, World } from "./Records.ts"
import * as Refunds from "./Refunds.ts"
import type { Refusal } from "./Refusal.ts"
import type * as Seed from "./Seed.ts"
import * as Sender from "./Sender.ts"
import type { Emitted } from "./Step.ts"
import * as Webhooks from "./Webhooks.ts"

/** The token that is accepted unless others are given. It is public. */
export const accessToken = "polar_oat_simulator"

export interface Options extends Seed.WorldOptions, Partial<Api.Options> {}

/** An endpoint to send webhooks to; all event types unless given. */
export interface EndpointOptions extends Omit<Webhooks.EndpointInput, "events"> {
  readonly events?: ReadonlyArray<string> | undefined
}

export interface Service {
  /** Polar's API. The host of the request does not matter. */
  readonly handle: (request: Request) => Effect.Effect<Response>

  /** The buyer fills in the checkout page, and pays; a decline is asked for with `failNextPayment`. */
  readonly pay: (checkoutId: string, buyer?: Checkouts.CheckoutChange) => Effect.Effect<Payments.Payment, Refusal>
  /** The buyer tries to pay with a card that is declined. */
  readonly decline: (checkoutId: string, buyer?: Checkouts.CheckoutChange) => Effect.Effect<Payments.Payment, Refusal>
  /** Ends an open checkout before its time. */
  readonly expireCheckout: (checkoutId: string) => Effect.Effect<void, Refusal>
  /** Declines the next charge; called several times, as many. `forGood`: trying again cannot help. */
  readonly failNextPayment: (options?: { readonly forGood?: boolean | undefined }) => Effect.Effect<void>

  /** Refuses the next changes of a subscription, as Polar does while it renews it: 409 `SubscriptionLocked`. */
  readonly lockSubscription: (id: string, requests?: number) => Effect.Effect<void, Refusal>
  /** Says that somebody has so many of a subscription's seats. */
  readonly assignSeats: (subscriptionId: string, count: number) => Effect.Effect<void, Refusal>

  /** Sends a customer's money back; all that is left of it unless an amount is given, which is without the tax. */
  readonly refund: (orderId: string, options?: Refunds.RefundOptions) => Effect.Effect<Refund, Refusal>
  /** Lets the next refund stay pending, whoever asks for it, until it is settled; called several times, as many. */
  readonly holdNextRefund: Effect.Effect<void>
  /** What the bank says of a refund: of a pending one anything, of one that had succeeded that it failed after all. */
  readonly settleRefund: (refundId: string, status: Refunds.Settled) => Effect.Effect<Refund, Refusal>

  /** What the merchant edits of a benefit, such as the metadata of a feature flag; who has it has it so from then on. */
  readonly updateBenefit: (id: string, change: Benefits.BenefitChange) => Effect.Effect<Benefit, Refusal>
  /** Takes it back from everybody. */
  readonly deleteBenefit: (id: string) => Effect.Effect<Benefit, Refusal>
  readonly createProduct: (product: Seed.ProductInput) => Effect.Effect<Product, Refusal>
  readonly updateProduct: (id: string, change: ProductEdits.ProductChange) => Effect.Effect<Product, Refusal>
  /** What a product gives from now on, to those who have it too. */
  readonly setProductBenefits: (id: string, benefitIds: ReadonlyArray<string>) => Effect.Effect<Product, Refusal>
  /** The customer does what a grant waits for, and has the benefit. */
  readonly connectAccount: (grantId: string, accountId?: string) => Effect.Effect<Grant, Refusal>

  /** Gives the buyer of an order a license key, beside what they bought. */
  readonly grantLicenseKey: (
    orderId: string,
    options?: LicenseKeys.LicenseKeyOptions
  ) => Effect.Effect<LicenseKey, Refusal>
  readonly revokeLicenseKey: (id: string) => Effect.Effect<LicenseKey, Refusal>

  /** Moves the simulator's time on, and does what falls due, each at its own time; then sends what came of it. */
  readonly advance: (duration: Duration.DurationInput) => Effect.Effect<void>
  /** The same until this moment, its millisecond included, such as the end of a period; one that is past is no wait. */
  readonly advanceTo: (date: Date) => Effect.Effect<void>
  /**
   * Sends every webhook that is due, and returns when all of them are answered: what they say is stored by then. That the app's
   * callback was told, the billing's `settled` waits for.
   */
  readonly flush: Effect.Effect<void>

  /** A webhook endpoint at a URL. */
  readonly addEndpoint: (options: EndpointOptions) => Effect.Effect<WebhookEndpoint, Refusal>
  /** A webhook endpoint in this process. */
  readonly connect: (
    receiver: Sender.Receiver,
    options?: Omit<EndpointOptions, "url">
  ) => Effect.Effect<WebhookEndpoint, Refusal>
  readonly redeliver: (eventId: string) => Effect.Effect<WebhookEvent, Refusal>
  readonly setChaos: (chaos: Partial<Chaos>) => Effect.Effect<void>
  readonly chaos: Effect.Effect<Chaos>

  /** Looks at everything there is. */
  readonly read: Engine.Engine["read"]
  /** Does anything that the rules can do: `simulator.run(Subscriptions.cancel(id, {}))`. */
  readonly run: Engine.Engine["run"]
  readonly now: Engine.Engine["now"]
  /** What happened, the oldest first. */
  readonly emitted: Effect.Effect<ReadonlyArray<Emitted>>
  /** Where buyers find checkouts and the portal. */
  readonly setOrigin: (origin: string) => Effect.Effect<void>
}

export class Simulator extends Context.Tag("@kavach-polar/simulator/Simulator")<Simulator, Service>() {}

// A timer of JavaScript takes no more.
const longestSleepMillis = 2 ** 31 - 1

/**
 * @example
 * Simulator.make({ taxRate: 0.2 }).pipe(Effect.provide(Simulator.layerNoNetwork))
 */
export const make = (options: Options = {}): Effect.Effect<Service, never, HttpClient.HttpClient | Scope.Scope> =>
  Effect.gen(function* () {
    const engine = yield* Engine.make(options)
    const sender = yield* Sender.make(engine)
    const handle = yield* Api.make(engine, {
      ...options,
      accessTokens: options.accessTokens ?? [{ token: Redacted.make(accessToken) }]
    })

    const certain = <A>(transition: (step: Parameters<Engine.Transition<A>>[0]) => A) =>
      Effect.orDie(engine.run((step) => Either.right(transition(step))))

    const edit = (change: (world: World) => World) =>
      certain((step) => {
        step.world = change(step.world)
      })

    const addEndpoint = (options: EndpointOptions) =>
      engine.run(Webhooks.createEndpoint({ ...options, events: options.events ?? Webhooks.allEventTypes }))

    // From one thing that is due to the next, so that ten attempts at a webhook are ten, also when months pass at once.
    const advance = (duration: Duration.DurationInput): Effect.Effect<void> =>
      Effect.gen(function* () {
        let left = Duration.toMillis(duration)
        while (left > 0) {
          yield* sender.flush
          const waits = [yield* engine.untilDue, yield* sender.untilDue].map((wait) => wait ?? left)
          const next = Math.max(1, Math.min(left, ...waits))
          yield* engine.advance(next)
          left -= next
        }
        yield* sender.flush
      })

    yield* background(engine, sender)

    return {
      handle,
      pay: (id, buyer = {}) => engine.run(Payments.confirm(id, buyer)),
      decline: (id, buyer = {}) =>
        engine.run((step) => {
          step.world = { ...step.world, declines: [false, ...step.world.declines] }
          return Payments.confirm(id, buyer)(step)
        }),
      expireCheckout: (id) => Effect.asVoid(engine.run(Checkouts.expire(id))),
      failNextPayment: ({ forGood = false } = {}) =>
        edit((world) => ({ ...world, declines: [...world.declines, forGood] })),
      lockSubscription: (id, requests = 1) => engine.run(Locks.lock(id, requests)),
      assignSeats: (id, count) => Effect.asVoid(engine.run(PlanChange.assignSeats(id, count))),
      refund: (id, options) => engine.run(Refunds.refund(id, options)),
      holdNextRefund: edit((world) => ({ ...world, heldRefunds: world.heldRefunds + 1 })),
      settleRefund: (id, status) => engine.run(Refunds.settle(id, status)),
      updateBenefit: (id, change) => engine.run(Benefits.update(id, change)),
      deleteBenefit: (id) => engine.run(Benefits.remove(id)),
      createProduct: (product) => engine.run(ProductEdits.create(product)),
      updateProduct: (id, change) => engine.run(ProductEdits.update(id, change)),
      setProductBenefits: (id, benefitIds) => engine.run(ProductEdits.setBenefits(id, benefitIds)),
      connectAccount: (grantId, accountId) => engine.run(Grants.connectAccount(grantId, accountId)),
      grantLicenseKey: (orderId, options) => engine.run(LicenseKeys.grant(orderId, options)),
      revokeLicenseKey: (id) => engine.run(LicenseKeys.revoke(id)),
      advance,
      advanceTo: (date) =>
        Effect.flatMap(engine.now, (now) => advance(Math.max(0, date.getTime() + 1 - Math.floor(now / 1000)))),
      flush: sender.flush,
      addEndpoint,
      connect: (receiver, options = {}) =>
        Effect.tap(addEndpoint({ ...options, url: "http://in-process.invalid/" }), ({ id }) =>
          sender.connect(id, receiver)
        ),
      redeliver: (id) => engine.run(Webhooks.redeliver(id)),
      setChaos: sender.setChaos,
      chaos: sender.chaos,
      read: engine.read,
      run: engine.run,
      now: engine.now,
      emitted: engine.emitted,
      setOrigin: (origin) => edit((world) => ({ ...world, origin }))
    }
  })

/** Does what falls due, and sends what is due, as time goes by. */
const background = (engine: Engine.Engine, sender: Sender.Sender): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const changes = yield* PubSub.subscribe(engine.changes)
    yield* Effect.forever(
      Effect.gen(function* () {
        yield* sender.flush
        const waits = [yield* engine.untilDue, yield* sender.untilDue].map((wait) => wait ?? longestSleepMillis)
        yield* Effect.race(Effect.sleep(Math.min(longestSleepMillis, ...waits)), Queue.take(changes))
        yield* engine.read(() => undefined)
      })
    ).pipe(Effect.forkScoped)
  })

/**
 * The simulator; it sends webhooks with the `HttpClient`.
 *
 * @example
 * Simulator.layer({ taxRate: 0.2 }).pipe(Layer.provide(Simulator.layerNoNetwork))
 */
export const layer = (options: Options = {}): Layer.Layer<Simulator, never, HttpClient.HttpClient> =>
  Layer.scoped(Simulator, make(options))

const inProcessOrigin = "http://simulator.invalid"

/**
 * HTTP requests to the simulator that never leave the process.
 *
 * @example
 * Effect.map(Simulator.Simulator, Simulator.httpClient)
 */
export const httpClient = (simulator: Service): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.gen(function* () {
      const body = request.body
      const response = yield* simulator.handle(
        new Request(url, {
          method: request.method,
          headers: { ...request.headers },
          ...(body._tag === "Uint8Array" ? { body: new Uint8Array(body.body) } : {})
        })
      )
      return HttpClientResponse.fromWeb(request, response)
    })
  )

/**
 * Core's client of Polar, real but for the wire: what it sends is what Polar would get, and what it reads is what Polar
 * would answer.
 */
export const layerClient: Layer.Layer<PolarClient.PolarClient, never, Simulator> = Layer.unwrapEffect(
  Effect.map(Simulator, (simulator) =>
    PolarClient.layer({
      accessToken: Redacted.make(accessToken),
      apiBaseUrl: inProcessOrigin,
      requestsPerMinute: Number.POSITIVE_INFINITY
    }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, httpClient(simulator))))
  )
)

/** For a simulator whose endpoints are all in this process: a request to any other fails. */
export const layerNoNetwork: Layer.Layer<HttpClient.HttpClient> = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) =>
    Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", description: "there is no network" }))
  )
)
