/** `customers`: whose customers and records are. What nothing is known of is refused; only a link can be of something new. */
import { type BillingService, type LinkChange, NothingKnown, type WaitingRecord } from "@kavach-polar/core/Billing"
import { CustomerId, UserId } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isPolarId } from "../routes/polarId.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withBilling } from "./withBilling.ts"

export interface WaitingCommand {
  readonly database: string | undefined
  readonly json: boolean
}

export interface UnlinkCommand extends WaitingCommand {
  readonly by: string | undefined
  readonly dryRun: boolean
  readonly id: string
}

export interface LinkCommand extends UnlinkCommand {
  readonly user: string
}

export const waiting = async (terminal: Terminal, options: WaitingCommand): Promise<ExitCode> => {
  const found = await withBilling(terminal, options, (billing) =>
    billing.customers.waiting({ limit: Number.MAX_SAFE_INTEGER })
  )
  if (options.json) for (const one of found) terminal.out(JSON.stringify(one))
  else tellWaiting(terminal, found)
  return exitCodes.done
}

export const link = async (terminal: Terminal, options: LinkCommand): Promise<ExitCode> => {
  const [customer, user] = [customerOf(options.id), userOf(options.user)]
  return changed(terminal, options, "linked", (billing) =>
    billing.customers.link(user, customer, { by: options.by, dryRun: options.dryRun })
  )
}

export const move = async (terminal: Terminal, options: LinkCommand): Promise<ExitCode> => {
  const [id, to] = [options.id, userOf(options.user)]
  return changed(terminal, options, "moved", (billing) =>
    billing.customers.move(id, { to, by: options.by, dryRun: options.dryRun })
  )
}

export const unlink = async (terminal: Terminal, options: UnlinkCommand): Promise<ExitCode> => {
  const id = CustomerId.make(options.id)
  return changed(terminal, options, "unlinked", (billing) =>
    billing.customers.unlink(id, { by: options.by, dryRun: options.dryRun })
  )
}

const changed = async (
  terminal: Terminal,
  options: UnlinkCommand,
  what: string,
  change: (billing: BillingService) => Effect.Effect<LinkChange, unknown>
): Promise<ExitCode> => {
  const outcome = await withBilling(terminal, options, (billing) =>
    change(billing).pipe(
      Effect.catchIf(
        (error) => error instanceof NothingKnown,
        (error) => Effect.sync(() => terminal.err(error.message))
      )
    )
  )
  if (outcome === undefined) return exitCodes.nothingMatched
  const { changed: isChanged, from, notified, records } = outcome
  if (options.json) terminal.out(JSON.stringify(outcome))
  else if (!isChanged) terminal.out(`${options.id} is so already: nothing was changed.`)
  else {
    const whose = from === null ? "nobody's so far" : `user ${from}'s so far`
    terminal.out(`${options.id}, ${whose}, ${options.dryRun ? "would be" : "is"} ${what}.`)
    for (const { id, kind } of records) terminal.out(`  ${kind} ${id} ${options.dryRun ? "would go" : "goes"} along`)
    if (notified > 0) {
      terminal.out(`${notified} changes ${options.dryRun ? "would be" : "are"} queued for the app's handlers.`)
    }
  }
  return options.dryRun && isChanged ? exitCodes.differs : exitCodes.done
}

const tellWaiting = (terminal: Terminal, found: ReadonlyArray<WaitingRecord>): void => {
  terminal.out(found.length === 0 ? "Nothing waits for its user." : `${found.length} wait for their users:`)
  for (const { customerId, evidence, id, kind, status } of found) {
    const { checkoutId, isMadeElsewhere, metadataUserId } = evidence
    const offers = [
      ...(metadataUserId === null ? [] : [`its metadata names user ${metadataUserId}`]),
      ...(checkoutId === null
        ? []
        : [`from checkout ${checkoutId}${isMadeElsewhere ? ", of another deployment" : ""}`]),
      ...(checkoutId === null && isMadeElsewhere ? ["it hangs on what another deployment sold"] : [])
    ]
    terminal.out(
      `  ${kind} ${id}  ${status}, customer ${customerId ?? "unknown"}; ${offers.length === 0 ? "no evidence" : offers.join(", ")}`
    )
  }
}

const userOf = (text: string): UserId => {
  if (!Schema.is(UserId)(text)) throw wrong("--user: a user's id is a text that is not empty.")
  return text
}

const customerOf = (text: string): CustomerId => {
  if (!isPolarId(text)) {
    throw wrong(`${text} is no id of Polar's: those are UUIDs, as its dashboard shows them.`)
  }
  return CustomerId.make(text.toLowerCase())
}
