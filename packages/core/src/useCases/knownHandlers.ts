/**
 * Which handlers the app has, for processes that change what is stored and are not the app, such as a command: what they change
 * is queued for the app's handlers all the same. The app writes their names down when it starts.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type HandlerNames, onlySubscriptions } from "../rules/handlers.ts"
import { randomId } from "../runtime/randomId.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import type { StoreError } from "../store/StoreError.ts"
import { jsonDecoderOf } from "../values/decoderOf.ts"
import { causeLine } from "../values/logText.ts"

/** Kept as the report of a job that is done at once: the newest start is what counts. */
export const handlersJob = "handlers"

const decode = jsonDecoderOf(Schema.Struct({ names: Schema.Array(Schema.String) }))

const reported = (store: BillingStoreService): Effect.Effect<Option.Option<HandlerNames>, StoreError> =>
  Effect.map(store.job(handlersJob), (known) =>
    known.pipe(
      Option.flatMapNullable(({ report }) => report),
      Option.flatMap(decode),
      Option.map(({ names }) => new Set(names))
    )
  )

/** Writes the names down where others are. That it could not is for the log: the app tells its handlers without it. */
export const rememberHandlers = (store: BillingStoreService, handlers: HandlerNames): Effect.Effect<void> =>
  Effect.gen(function* () {
    const known = yield* reported(store)
    if (
      Option.exists(known, (names) => names.size === handlers.size && [...names].every((name) => handlers.has(name)))
    ) {
      return
    }
    const owner = yield* randomId
    const claimed = yield* store.claimJob({ name: handlersJob, owner, lease: Duration.seconds(10) })
    // Another process that starts at the same time writes its own, which are the same but for a deployment.
    if (Option.isSome(claimed))
      yield* store.finishJob(handlersJob, owner, JSON.stringify({ names: [...handlers].sort() }))
  }).pipe(
    // Whatever it is, it is no reason not to start.
    Effect.catchAllCause((cause) =>
      Effect.logWarning("The names of the handlers could not be written down for other processes.", causeLine(cause))
    )
  )

/** As the app wrote them down; before it has, or where there are no tables yet, who hears of subscriptions. */
export const rememberedHandlers = (store: BillingStoreService): Effect.Effect<HandlerNames> =>
  reported(store).pipe(
    Effect.map(Option.getOrElse(() => onlySubscriptions)),
    // Whoever goes on with this store meets the same error, and tells it.
    Effect.catchAll(() => Effect.succeed(onlySubscriptions))
  )
