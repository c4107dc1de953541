/** The simulator for those who use no Effect: promises, and a server. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { toMillis } from "@kavach-polar/core/Timestamp"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { BenefitChange } from "./Benefits.ts"
import type { Chaos } from "./Chaos.ts"
import type { CheckoutChange } from "./Checkouts.ts"
import type { LicenseKeyOptions } from "./LicenseKeys.ts"
import { listen } from "./NodeServer.ts"
import type { Payment } from "./Payments.ts"
import type { ProductChange } from "./ProductEdits.ts"
import { isLoopback } from "./pages/Form.ts"
import * as Pages from "./pages/Pages.ts"
import type { Benefit, Grant, LicenseKey, Product, Refund, WebhookEndpoint, WebhookEvent, World } from "./Records.ts"
import type { RefundOptions, Settled } from "./Refunds.ts"
import type { ProductInput } from "./Seed.ts"
import type { Receiver } from "./Sender.ts"
import * as Simulator from "./Simulator.ts"
import type { Emitted } from "./Step.ts"

/** What `Simulator.Service` says of each, as promises. A refusal rejects with a `Refusal`. */
export interface Simulation {
  /** The API, and the pages: checkout, portal, console. */
  readonly handle: (request: Request) => Promise<Response>
  readonly pay: (checkoutId: string, buyer?: CheckoutChange) => Promise<Payment>
  readonly decline: (checkoutId: string, buyer?: CheckoutChange) => Promise<Payment>
  readonly expireCheckout: (checkoutId: string) => Promise<void>
  readonly failNextPayment: (options?: { readonly forGood?: boolean }) => Promise<void>
  readonly lockSubscription: (id: string, requests?: number) => Promise<void>
  readonly assignSeats: (subscriptionId: string, count: number) => Promise<void>
  readonly refund: (orderId: string, options?: RefundOptions) => Promise<Refund>
  readonly holdNextRefund: () => Promise<void>
  readonly settleRefund: (refundId: string, status: Settled) => Promise<Refund>
  readonly updateBenefit: (id: string, change: BenefitChange) => Promise<Benefit>
  readonly deleteBenefit: (id: string) => Promise<Benefit>
  readonly createProduct: (product: ProductInput) => Promise<Product>
  readonly updateProduct: (id: string, change: ProductChange) => Promise<Product>
  readonly setProductBenefits: (id: string, benefitIds: ReadonlyArray<string>) => Promise<Product>
  readonly connectAccount: (grantId: string, accountId?: string) => Promise<Grant>
  readonly grantLicenseKey: (orderId: string, options?: LicenseKeyOptions) => Promise<LicenseKey>
  readonly revokeLicenseKey: (id: string) => Promise<LicenseKey>
  readonly advance: (duration: Duration.DurationInput) => Promise<void>
  readonly advanceTo: (date: Date) => Promise<void>
  /** Sends every webhook that is due, and resolves when all are answered; callbacks may still run: see `settled` of billing. */
  readonly flush: () => Promise<void>
  readonly addEndpoint: (options: Simulator.EndpointOptions) => Promise<WebhookEndpoint>
  /** A webhook endpoint in this process: a function from `Request` to `Response`, such as `polar().webhook`. */
  readonly connect: (
    receive: (request: Request) => Promise<Response>,
    options?: Omit<Simulator.EndpointOptions, "url">
  ) => Promise<WebhookEndpoint>
  readonly redeliver: (eventId: string) => Promise<WebhookEvent>
  readonly setChaos: (chaos: Partial<Chaos>) => Promise<void>
  /** The simulator's time. */
  readonly now: () => Promise<Date>
  readonly read: <A>(look: (world: World) => A) => Promise<A>
  readonly emitted: () => Promise<ReadonlyArray<Emitted>>
  /** Stops the clock and the webhooks, and closes the server if there is one. */
  readonly close: () => Promise<void>
}

export interface Served extends Simulation {
  /** Where the API is: `apiBaseUrl` of `polar()`, `baseUrl` of Polar's SDK. */
  readonly url: string
  readonly accessToken: string
}

/**
 * A simulator in this process, without a server: mount `handle` where you like.
 *
 * @example
 * const { handle } = await simulate({ taxRate: 0.2 })
 * await handle(new Request("http://127.0.0.1/v1/products/"))
 */
export const simulate = async (options: Simulator.Options = {}): Promise<Simulation> =>
  (await start(options, () => Effect.succeed(undefined))).simulation

export interface ServeOptions extends Simulator.Options {
  /** Any free one unless given. */
  readonly port?: number | undefined
}

/**
 * A simulator on a port of this machine. Rejects with `CannotListen` when the port is taken.
 *
 * @example
 * const simulator = await serve({ port: 4010 })
 * await simulator.advance("31 days")
 */
export const serve = async ({ port = 0, ...options }: ServeOptions = {}): Promise<Served> => {
  const { simulation, value: url } = await start({ ...options, lengthRequired: true }, (simulator) =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<never>()
      const handle = onlyByOwnName(simulator, Pages.withApi(simulator))
      const url = yield* listen(port, (request) => Runtime.runPromise(runtime)(handle(request)))
      if (options.origin === undefined) yield* simulator.setOrigin(url)
      return url
    })
  )
  const [token] = options.accessTokens ?? []
  return { ...simulation, url, accessToken: token === undefined ? Simulator.accessToken : Redacted.value(token.token) }
}

/**
 * Answers only who asks for this machine, or for the origin that the simulator was given. A page elsewhere whose name was
 * made to lead here (DNS rebinding) is of one origin with what answers it, and could read all of it: the token is no secret.
 */
const onlyByOwnName =
  (simulator: Simulator.Service, handle: (request: Request) => Effect.Effect<Response>) =>
  (request: Request): Effect.Effect<Response> =>
    Effect.flatMap(
      simulator.read(({ origin }) => origin),
      (origin) =>
        isLoopback(request) || new URL(request.url).host === hostOf(origin)
          ? handle(request)
          : Effect.sync(() =>
              Response.json(
                { error: "MisdirectedRequest", detail: "This is not the host that was asked for." },
                { status: 421 }
              )
            )
    )

const hostOf = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).host : undefined)

// A function that throws is an app that crashes.
const receiverOf =
  (receive: (request: Request) => Promise<Response>): Receiver =>
  ({ body, headers }) =>
    Effect.match(
      Effect.tryPromise(() =>
        receive(new Request("http://in-process.invalid/", { method: "POST", headers, body: new Uint8Array(body) }))
      ),
      { onFailure: () => 500, onSuccess: ({ status }) => status }
    )

const start = async <A, E>(
  options: Simulator.Options,
  then: (simulator: Simulator.Service) => Effect.Effect<A, E, Scope.Scope>
): Promise<{ readonly simulation: Simulation; readonly value: A }> => {
  const scope = Effect.runSync(Scope.make())
  const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const exit = await Effect.runPromiseExit(effect)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
  const close = () => run(Scope.close(scope, Exit.void))
  try {
    const simulator = await run(
      Simulator.make(options).pipe(Effect.provide(FetchHttpClient.layer), Scope.extend(scope))
    )
    const value = await run(Scope.extend(then(simulator), scope))
    const simulation: Simulation = {
      handle: (request) => run(Pages.withApi(simulator)(request)),
      pay: (id, buyer) => run(simulator.pay(id, buyer)),
      decline: (id, buyer) => run(simulator.decline(id, buyer)),
      expireCheckout: (id) => run(simulator.expireCheckout(id)),
      failNextPayment: (options) => run(simulator.failNextPayment(options)),
      lockSubscription: (id, requests) => run(simulator.lockSubscription(id, requests)),
      assignSeats: (id, count) => run(simulator.assignSeats(id, count)),
      refund: (id, options) => run(simulator.refund(id, options)),
      holdNextRefund: () => run(simulator.holdNextRefund),
      settleRefund: (id, status) => run(simulator.settleRefund(id, status)),
      updateBenefit: (id, change) => run(simulator.updateBenefit(id, change)),
      deleteBenefit: (id) => run(simulator.deleteBenefit(id)),
      createProduct: (product) => run(simulator.createProduct(product)),
      updateProduct: (id, change) => run(simulator.updateProduct(id, change)),
      setProductBenefits: (id, benefitIds) => run(simulator.setProductBenefits(id, benefitIds)),
      connectAccount: (grantId, accountId) => run(simulator.connectAccount(grantId, accountId)),
      grantLicenseKey: (orderId, options) => run(simulator.grantLicenseKey(orderId, options)),
      revokeLicenseKey: (id) => run(simulator.revokeLicenseKey(id)),
      advance: (duration) => run(simulator.advance(duration)),
      advanceTo: (date) => run(simulator.advanceTo(date)),
      flush: () => run(simulator.flush),
      addEndpoint: (options) => run(simulator.addEndpoint(options)),
      connect: (receive, options) => run(simulator.connect(receiverOf(receive), options)),
      redeliver: (id) => run(simulator.redeliver(id)),
      setChaos: (chaos) => run(simulator.setChaos(chaos)),
      now: async () => new Date(toMillis(await run(simulator.now))),
      read: (look) => run(simulator.read(look)),
      emitted: () => run(simulator.emitted),
      close
    }
    return { simulation, value }
  } catch (error) {
    await close()
    throw error
  }
}
