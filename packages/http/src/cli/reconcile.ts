/** `reconcile`: makes the store equal to what Polar's API says. */
import type { BillingService } from "@kavach-polar/core/Billing"
import type { Discrepancy, EndpointReport, ReconcileCounts, WebhookReport } from "@kavach-polar/core/ReconcileReport"
import { UserId } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { dateOf } from "./dateOf.ts"
import { requireAccessToken } from "./environment.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { makeTimeLeft } from "./timeLeft.ts"
import { withBilling } from "./withBilling.ts"

export interface ReconcileCommand {
  readonly database: string | undefined
  readonly dryRun: boolean
  readonly json: boolean
  readonly since: string | undefined
  readonly user: string | undefined
}

export const reconcile = async (terminal: Terminal, options: ReconcileCommand): Promise<ExitCode> => {
  const { dryRun } = options
  requireAccessToken(terminal.env)
  if (options.user !== undefined) {
    if (options.since !== undefined) throw wrong("--since is for all users, and not for --user.")
    const userId = userIdOf(options.user)
    const counts = await withBilling(terminal, options, (billing) => billing.reconcile(userId, { dryRun }))
    if (options.json) terminal.out(JSON.stringify(counts))
    else tell(terminal, counts, dryRun)
    return exitCodeOf(counts, [], dryRun)
  }
  const since = options.since === undefined ? undefined : dateOf("--since", options.since)
  const report = await withBilling(terminal, options, (billing) =>
    Effect.flatMap(since === undefined ? comparedLastTime(billing) : Effect.succeed(undefined), (expected) => {
      const timeLeft = makeTimeLeft()
      return billing.reconcileAll({
        since,
        dryRun,
        onProgress: ({ compared, discrepancyCount }) =>
          Effect.sync(() =>
            terminal.progress(`${compared} records compared, ${discrepancyCount} differ${timeLeft(compared, expected)}`)
          )
      })
    })
  )
  const { endpoints } = report.webhooks
  if (options.json) {
    terminal.out(JSON.stringify(report))
    return exitCodeOf(report, endpoints, dryRun)
  }
  if (report.resumed) terminal.out("Went on with a comparison that was left undone.")
  tell(terminal, report, dryRun)
  tellWebhooks(terminal, report.webhooks)
  return exitCodeOf(report, endpoints, dryRun)
}

/** Polar says of no list beforehand how long it is; by the last comparison there is about so much. */
const comparedLastTime = ({ operations }: BillingService): Effect.Effect<number | undefined> =>
  Effect.match(operations.lastComparison, {
    onFailure: () => undefined,
    onSuccess: (last) => Option.getOrUndefined(last)?.report?.compared
  })

/** Somebody has to look at what only a real run would set right, and at what no run can. */
const exitCodeOf = (counts: ReconcileCounts, endpoints: ReadonlyArray<EndpointReport>, dryRun: boolean): ExitCode => {
  const own = endpoints.filter(({ isOwn }) => isOwn)
  const differs = dryRun && (counts.discrepancyCount > 0 || own.some(({ undelivered }) => undelivered > 0))
  const remains = counts.unreadable.length > 0 || counts.unknownToPolar.length > 0 || own.some(isMisconfigured)
  return differs || remains ? exitCodes.differs : exitCodes.done
}

const isMisconfigured = ({ enabled, format, missingTypes }: EndpointReport): boolean =>
  !enabled || format !== "raw" || missingTypes.length > 0

const userIdOf = (text: string): UserId => {
  if (!Schema.is(UserId)(text)) throw wrong(`"${text}" is no user id.`)
  return text
}

const tell = (terminal: Terminal, counts: ReconcileCounts, dryRun: boolean): void => {
  const done = dryRun ? "differ" : "differed and were set right"
  terminal.out(`Compared ${counts.compared} records with Polar; ${counts.discrepancyCount} ${done}.`)
  for (const discrepancy of counts.discrepancies) terminal.out(`  ${lineOf(discrepancy)}`)
  const unlisted = counts.discrepancyCount - counts.discrepancies.length
  if (unlisted > 0) terminal.out(`  and ${unlisted} more`)
  if (counts.notified > 0 && !dryRun) terminal.out(`${counts.notified} changes are queued for the app's handlers.`)
  for (const { kind, reason } of counts.notCompared) terminal.out(`Not compared: ${kind}s. ${reason}`)
  for (const record of counts.unreadable) {
    terminal.out(
      `Not compared: ${record}. What is stored of it, or what Polar says of it, cannot be read; the log has why.`
    )
  }
  for (const id of counts.unknownToPolar) {
    terminal.out(`Stored as live, and not known to Polar under this token: subscription ${id}. It was left as it is.`)
  }
}

const lineOf = ({ fields, finding, id, kind, userId }: Discrepancy): string =>
  [
    `${kind} ${id} (${userId === null ? "no user" : `user ${userId}`}): ${findings[finding]}`,
    ...(fields.length > 0 ? [fields.join(", ")] : [])
  ].join("; ")

const findings: Readonly<Record<Discrepancy["finding"], string>> = {
  missing: "it was not stored",
  outdated: "Polar had changed it since",
  different: "what was stored is not what Polar says",
  unlinked: "its user was not known"
}

const tellWebhooks = (terminal: Terminal, { endpoints, notChecked }: WebhookReport): void => {
  if (notChecked !== null) terminal.out(`The webhook endpoints were not looked at: ${notChecked}`)
  for (const endpoint of endpoints.filter(({ isOwn }) => isOwn)) {
    for (const sentence of sentencesOf(endpoint)) terminal.out(`Webhook endpoint ${endpoint.url}: ${sentence}`)
  }
}

const sentencesOf = (endpoint: EndpointReport): ReadonlyArray<string> => [
  ...(endpoint.enabled
    ? []
    : ["Polar has DISABLED it after too many failures, and sends nothing. Run: kavach-polar setup"]),
  ...(endpoint.format === "raw"
    ? []
    : [`its format is "${endpoint.format}", and must be "raw". Run: kavach-polar setup`]),
  ...(endpoint.missingTypes.length > 0
    ? [`it does not get ${endpoint.missingTypes.join(", ")}. Run: kavach-polar setup`]
    : []),
  ...(endpoint.undelivered > 0
    ? [`${endpoint.undelivered} events did not arrive; Polar was asked to deliver ${endpoint.redelivered} again.`]
    : [])
]
