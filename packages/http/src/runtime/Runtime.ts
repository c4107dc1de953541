/**
 * The bridge from promises to Effect: one runtime behind `polar()`, started on first use, drained on disposal. Effects are
 * run here, where `polar()` starts, and where our own host opens its database; nowhere else.
 */
import { AsyncResource } from "node:async_hooks"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Billing from "@kavach-polar/core/Billing"
import type { BillingStore } from "@kavach-polar/core/BillingStore"
import { causeLine } from "@kavach-polar/core/logText"
import { PolarNotConfigured } from "@kavach-polar/core/PolarError"
import { StoreError } from "@kavach-polar/core/StoreError"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { PolarConfigError } from "../config/PolarConfig.ts"
import type { PolarSettings } from "../config/settings.ts"
import { sendResponse } from "../node/answer.ts"
import * as Endpoints from "../routes/Endpoints.ts"
import { orErrorResponse, respondWith } from "../routes/errorResponse.ts"
import type { BrowserRoute } from "../routes/routeTable.ts"
import * as Session from "../routes/Session.ts"
import { makeTelemetry } from "../telemetry/Telemetry.ts"
import { type App, appLayer } from "./appLayer.ts"
import { Disposed } from "./lifecycleErrors.ts"
import { loggingLayer } from "./logging.ts"
import { routeSpan } from "./routeSpan.ts"

export interface Runtime {
  /** Creates or upgrades the tables, once. After a failure the next call tries again. */
  readonly start: () => Promise<void>
  /** Tries again by itself, after a start that has failed, until one has not. */
  readonly keepStarting: () => void
  readonly run: <A, E>(use: (billing: Billing.BillingService) => Effect.Effect<A, E>) => Promise<A>
  /** Answers a request; never rejects. */
  readonly answer: (
    route: BrowserRoute | "webhook" | "health",
    request: Request,
    host?: Context.Tag.Service<typeof Session.HostRequest>
  ) => Promise<Response>
  /** Answers a delivery that came to a Node server; never rejects. */
  readonly listen: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>
  /** Lets calls under way finish, and closes everything; ends within ten seconds. */
  readonly dispose: () => Promise<void>
}

/** What calls under way get of the time of `dispose`. The rest is for callbacks, and for a database that does not answer. */
const drainMillis = 8000
const disposeMillis = 9900

/**
 * How long a call waits for the tables, which may take longer: a large one is rewritten, another process is at it, or the
 * database does not answer. It is refused then, and the start goes on.
 */
const startMillis = 4000

/** Between attempts to start, in milliseconds; it doubles. */
const firstStartPause = 2500
const longestStartPause = 60_000

export const makeRuntime = (settings: PolarSettings, store: Layer.Layer<BillingStore, unknown>): Runtime => {
  const telemetry = makeTelemetry(settings.telemetry)
  const app = appLayer(settings, store, telemetry)
  let managed = ManagedRuntime.make(app)
  let starting: Promise<void> | undefined
  let disposing: Promise<void> | undefined
  /** Once the tables are there. */
  let started: Billing.BillingService | undefined
  let closed = false
  const underWay = new Set<Promise<unknown>>()
  const fibers = new Set<Fiber.RuntimeFiber<unknown, unknown>>()

  const track = <A>(call: Promise<A>): Promise<A> => {
    const settled = call.then(
      () => {},
      () => {}
    )
    underWay.add(settled)
    void settled.then(() => underWay.delete(settled))
    return call
  }

  /** Of what ends at once, at once. */
  const runExit = <A, E>(effect: Effect.Effect<A, E, App>): Exit.Exit<A, unknown> | Promise<Exit.Exit<A, unknown>> => {
    if (closed) return Exit.interrupt(FiberId.none)
    const caller = telemetry.callersSpan()
    const fiber = managed.runFork(caller === undefined ? effect : Effect.withParentSpan(effect, caller))
    const ended = fiber.unsafePoll()
    if (ended !== null) return ended
    fibers.add(fiber)
    return track(
      new Promise((resolve) => {
        fiber.addObserver((exit) => {
          fibers.delete(fiber)
          resolve(exit)
        })
      })
    )
  }

  const start = (): Promise<void> => {
    if (disposing !== undefined) return Promise.reject(new Disposed())
    if (settings.missing !== undefined) return Promise.reject(settings.missing)
    starting ??= track(
      begin().catch((error) => {
        starting = undefined
        throw error
      })
    )
    return starting
  }

  let retryPause = firstStartPause
  let isTrying = false
  const keepStarting = (): void => {
    if (isTrying || started !== undefined || disposing !== undefined) return
    isTrying = true
    // It is no reason to keep a process that has nothing else to do.
    setTimeout(() => {
      isTrying = false
      if (started !== undefined || disposing !== undefined) return
      retryPause = Math.min(retryPause * 2, longestStartPause)
      start().catch((error: unknown) => {
        void Effect.runPromiseExit(Effect.provide(logFailedStart(error), loggingLayer(settings)))
        keepStarting()
      })
    }, retryPause).unref()
  }

  const begin = async (): Promise<void> => {
    const exit = await runExit(Effect.flatMap(Billing.Billing, (billing) => Effect.as(billing.start, billing)))
    if (Exit.isSuccess(exit)) {
      started = exit.value
      return
    }
    // A runtime remembers for ever that its layers could not be built, such as a store that could not be opened.
    const failed = managed
    managed = ManagedRuntime.make(app)
    await failed.dispose()
    throw errorOf(exit.cause)
  }

  /** What is interrupted here is so because its time to finish was over. */
  const errorOf = (cause: Cause.Cause<unknown>): unknown =>
    closed && Cause.isInterruptedOnly(cause) ? new Disposed() : Cause.squash(cause)

  const valueFrom = <A>(exit: Exit.Exit<A, unknown>): A => {
    if (Exit.isSuccess(exit)) return exit.value
    throw errorOf(exit.cause)
  }

  const run: Runtime["run"] = async (use) => {
    if (disposing !== undefined) throw new Disposed()
    if (started !== undefined) {
      const exit = runExit(use(started))
      return valueFrom(exit instanceof Promise ? await exit : exit)
    }
    return track(startInTime().then(async () => valueFrom(await runExit(Effect.flatMap(Billing.Billing, use)))))
  }

  telemetry.refreshWith(async () => {
    if (started === undefined || disposing !== undefined) return false
    return Exit.isSuccess(await runExit(started.observe))
  })

  const startInTime = (): Promise<void> => inTime(start(), startMillis, () => new StoreError(notReady))

  /** Runs a route, once the tables are there. */
  const respond = (
    route: Effect.Effect<HttpServerResponse.HttpServerResponse, never, App>
  ): Promise<HttpServerResponse.HttpServerResponse> => {
    if (disposing !== undefined) return Promise.resolve(outOfService)
    const answered =
      started !== undefined
        ? Promise.resolve(runExit(route))
        : startInTime().then(
            () => runExit(route),
            // The route is not reached, so the edge answers without it.
            (error: unknown) =>
              Effect.runPromiseExit(Effect.provide(responseToFailedStart(error), loggingLayer(settings)))
          )
    return track(answered.then((exit) => (Exit.isSuccess(exit) ? exit.value : outOfService)))
  }

  const answer: Runtime["answer"] = async (name, request, given = nobodySignedIn) => {
    const { waitUntil } = given
    // Such as Next's `after`, which finds its request by the asynchronous context: a fiber that has waited for others goes on
    // in theirs.
    const host = waitUntil === undefined ? given : { ...given, waitUntil: AsyncResource.bind(waitUntil) }
    const route = Effect.flatMap(Endpoints.Endpoints, (endpoints) =>
      endpoints[name](HttpServerRequest.fromWeb(request))
    ).pipe(orErrorResponse, Effect.provideService(Session.HostRequest, host), routeSpan(name, request))
    return HttpServerResponse.toWeb(await respond(route))
  }

  const listen: Runtime["listen"] = async (incoming, outgoing) => {
    const route = Effect.flatMap(Endpoints.Endpoints, (endpoints) => endpoints.nodeWebhook(incoming)).pipe(
      orErrorResponse,
      routeSpan("webhook", incoming)
    )
    const response = await respond(route)
    // Polar hears what the other said, whatever became of the delivery; and there is no answering twice.
    if (outgoing.headersSent) return void runExit(Effect.logWarning(answeredElsewhere))
    try {
      await sendResponse(incoming, outgoing, response)
    } catch (error) {
      runExit(Effect.logError("The answer to a webhook could not be sent.", causeLine(Cause.die(error))))
      outgoing.destroy()
    }
  }

  const close = async (): Promise<void> => {
    const finished = Promise.allSettled([...underWay])
    await atMost(finished, drainMillis)
    closed = true
    await Effect.runPromise(Fiber.interruptAll(fibers))
    await finished
    await managed.dispose()
  }

  const dispose = (): Promise<void> => {
    disposing ??= atMost(close(), disposeMillis)
    return disposing
  }

  return { start, keepStarting, run, answer, listen, dispose }
}

const nobodySignedIn: Context.Tag.Service<typeof Session.HostRequest> = { getUser: async () => null }

const notReady = { operation: "migrate", reason: "unavailable", detail: "the tables were not ready in time" } as const

/** What the promise becomes, or a failure when that takes longer. */
const inTime = <A>(promise: Promise<A>, millis: number, late: () => Error): Promise<A> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), millis)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })

/** Waits for the promise, and no longer than so long. */
const atMost = (promise: Promise<unknown>, millis: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, millis)
    promise.then(() => resolve(), reject).finally(() => clearTimeout(timer))
  })

const responseToFailedStart = (error: unknown): Effect.Effect<HttpServerResponse.HttpServerResponse, Disposed> =>
  error instanceof Disposed
    ? Effect.fail(error)
    : orErrorResponse(
        error instanceof PolarConfigError
          ? Effect.fail(new PolarNotConfigured({ operation: "start", reason: `${error.message}.` }))
          : error instanceof StoreError
            ? Effect.fail(error)
            : Effect.die(error)
      )

const answeredElsewhere =
  "Something else has answered a webhook request that billing received: mount `webhookListener` alone on its path, and let nothing answer beside it, such as a timeout."

const logFailedStart = (error: unknown): Effect.Effect<void> =>
  Effect.logError(`Billing has not started yet and will try again: ${error instanceof Error ? error.message : error}`)

const outOfService = respondWith({ status: 503, error: "The server is shutting down", retryAfter: 5 })
