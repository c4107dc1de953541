/** `notifications`: what the app's handlers never took. */
import type { BillingService } from "@kavach-polar/core/Billing"
import type { DeadNotification, DeadNotificationQuery } from "@kavach-polar/core/Notification"
import * as Effect from "effect/Effect"
import { agreed } from "./agreed.ts"
import { dateOf } from "./dateOf.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withBilling } from "./withBilling.ts"

export interface NotificationsCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly ids: ReadonlyArray<string>
  readonly handler: string | undefined
  readonly since: string | undefined
  readonly subscription: string | undefined
  readonly until: string | undefined
  readonly user: string | undefined
}

export interface RetryCommand extends NotificationsCommand {
  readonly all: boolean
  readonly dryRun: boolean
}

export const list = async (terminal: Terminal, options: NotificationsCommand): Promise<ExitCode> => {
  const query = queryOf(options)
  const dead = await withBilling(terminal, options, (billing) => allDead(billing, query))
  if (options.json) for (const one of dead) terminal.out(JSON.stringify(one))
  else tell(terminal, dead)
  return exitCodes.done
}

export const retry = async (terminal: Terminal, options: RetryCommand): Promise<ExitCode> => {
  const query = queryOf(options)
  const isNarrowed = Object.values(query).some((condition) => condition !== undefined)
  if (!options.all && !isNarrowed) {
    throw wrong(
      "notifications retry needs to know which: --id, --user, --handler, --subscription, --since, --until or --all."
    )
  }
  if (options.all && isNarrowed) {
    throw wrong("--all means every one that was given up: leave it out, or leave out the other conditions.")
  }
  if (options.dryRun) {
    const dead = await withBilling(terminal, options, (billing) => allDead(billing, query))
    terminal.out(
      options.json ? JSON.stringify({ matched: dead.length }) : `${dead.length} would be told to your app again.`
    )
    return dead.length === 0 ? exitCodes.nothingMatched : exitCodes.differs
  }
  const retried = await withBilling(terminal, options, (billing) => billing.notifications.retry(query))
  terminal.out(
    options.json
      ? JSON.stringify({ retried })
      : retried === 0
        ? "Nothing that was given up is as the options say."
        : `${retried} are queued: your app's processes call its handlers.`
  )
  return retried === 0 ? exitCodes.nothingMatched : exitCodes.done
}

export interface BuryCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly ids: ReadonlyArray<string>
  readonly by: string | undefined
  readonly yes: boolean
}

export const bury = async (terminal: Terminal, { by = "command line", ids, yes, ...options }: BuryCommand) => {
  const some = ids.length === 1 ? `the notification ${ids[0]}` : `these ${ids.length} notifications`
  const isAgreed = await agreed(
    terminal,
    yes,
    `Your app's handlers would never be told of ${some}. Put ${ids.length === 1 ? "it" : "them"} aside? It cannot be undone.`
  )
  if (!isAgreed) {
    terminal.err("Nothing was changed.")
    return exitCodes.failed
  }
  const buried = await withBilling(terminal, options, (billing) => billing.notifications.bury({ ids, by }))
  terminal.out(
    options.json
      ? JSON.stringify({ buried })
      : buried === 0
        ? "None of them was given up, or waits because its last call failed. One that is being told just now is left."
        : `${buried} ${buried === 1 ? "is" : "are"} put aside: nobody is told of ${buried === 1 ? "it" : "them"}.`
  )
  return buried === 0 ? exitCodes.nothingMatched : exitCodes.done
}

const queryOf = (options: NotificationsCommand): DeadNotificationQuery => ({
  ids: options.ids.length === 0 ? undefined : options.ids,
  userId: options.user,
  handler: options.handler,
  subscriptionId: options.subscription,
  after: options.since === undefined ? undefined : dateOf("--since", options.since),
  before: options.until === undefined ? undefined : dateOf("--until", options.until)
})

const pageSize = 100

/** Page by page. */
const allDead = (billing: BillingService, query: DeadNotificationQuery) =>
  Effect.gen(function* () {
    const found: Array<DeadNotification> = []
    for (;;) {
      const page: ReadonlyArray<DeadNotification> = yield* billing.notifications.dead({
        ...query,
        following: found.at(-1),
        limit: pageSize
      })
      found.push(...page)
      if (page.length < pageSize) return found
    }
  })

const tell = (terminal: Terminal, dead: ReadonlyArray<DeadNotification>): void => {
  terminal.out(dead.length === 0 ? "Nothing was given up." : `${dead.length} were given up:`)
  for (const { attempts, diedAt, error, handler, id, subscription, userId } of dead) {
    const who = userId === null ? "nobody's" : `user ${userId}`
    const what = subscription === null ? "" : `, subscription ${subscription.id} is ${subscription.status}`
    terminal.out(
      `  ${id}  ${diedAt.toISOString()}  ${handler}, ${who}${what}; ${attempts} calls, the last: ${error ?? "unknown"}`
    )
  }
}
