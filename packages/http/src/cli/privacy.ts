/** `export` and `erase`: what is stored of a person, given to them and taken away. */
import type { EraseOptions, Erasure } from "@kavach-polar/core/Billing"
import { UserId } from "@kavach-polar/core/Subscription"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { agreed } from "./agreed.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withBilling } from "./withBilling.ts"

interface OnDatabase {
  readonly database: string | undefined
  readonly json: boolean
}

/** Prints JSON, whether asked for it or not: that is what it is for. */
export const exportUser = async (terminal: Terminal, user: string, options: OnDatabase): Promise<ExitCode> => {
  const userId = userNamed(user)
  const data = await withBilling(terminal, options, (billing) => billing.privacy.export(userId))
  terminal.out(options.json ? JSON.stringify(data) : JSON.stringify(data, null, 2))
  const { checkouts, customers, deliveries, notifications, records } = data
  const found = customers.length + records.length + checkouts.length + deliveries.length + notifications.length
  if (found > 0) return exitCodes.done
  terminal.err(`Nothing is stored of the user ${userId}.`)
  return exitCodes.nothingMatched
}

export interface EraseCommand extends OnDatabase {
  readonly polar: string
  readonly subscriptions: string | undefined
  readonly yes: boolean
}

export const erase = async (terminal: Terminal, user: string, options: EraseCommand): Promise<ExitCode> => {
  const userId = userNamed(user)
  const how = optionsOf(options)
  const tell = (line: string) => (options.json ? terminal.err(line) : terminal.out(line))
  for (const line of consequences(userId, how)) tell(line)
  if (!(await agreed(terminal, options.yes, "Erase them? It cannot be undone."))) {
    terminal.err("Nothing was changed.")
    return exitCodes.failed
  }
  const erasure = await withBilling(terminal, options, (billing) => billing.privacy.erase(userId, how))
  if (options.json) terminal.out(JSON.stringify(erasure))
  else for (const line of linesOf(erasure)) terminal.out(line)
  if (erasure.state === "waiting") return exitCodes.differs
  const { checkouts, deliveries, notifications, records } = erasure.erased
  const found = records + deliveries + checkouts + notifications + erasure.customerIds.length
  return found === 0 ? exitCodes.nothingMatched : exitCodes.done
}

/** Lists erasures, or goes on with those that wait. */
export const erasures = async (
  terminal: Terminal,
  { resume, ...options }: OnDatabase & { readonly resume: boolean }
): Promise<ExitCode> => {
  const all = await withBilling(terminal, options, (billing) =>
    resume ? Effect.zipRight(billing.privacy.resume, billing.privacy.erasures) : billing.privacy.erasures
  )
  for (const erasure of all) {
    if (options.json) terminal.out(JSON.stringify(erasure))
    else terminal.out(`${erasure.requestedAt.toISOString()}  ${erasure.id}  ${erasure.state}${because(erasure)}`)
  }
  if (all.length === 0 && !options.json) terminal.out("Nobody was erased.")
  return all.some(({ state }) => state === "waiting") ? exitCodes.differs : exitCodes.done
}

const because = ({ attempts, lastError }: Erasure): string =>
  lastError === null ? "" : `, tried ${attempts} times: ${lastError}`

const isUserId = Schema.is(UserId)

const userNamed = (user: string): UserId => {
  if (isUserId(user)) return user
  throw wrong(`"${user}" is no id of a user: it is the id that your app gives them.`)
}

const optionsOf = ({ polar, subscriptions }: EraseCommand): EraseOptions => {
  switch (polar) {
    case "anonymize":
    case "delete":
      if (subscriptions !== undefined && subscriptions !== "revoke") {
        throw wrong("Polar ends all subscriptions of a customer that it deletes: leave out --subscriptions.")
      }
      return { polar }
    case "keep":
      if (subscriptions === "keep" || subscriptions === "cancel" || subscriptions === "revoke") {
        return { polar, subscriptions }
      }
      throw wrong("With --polar keep say what becomes of their subscriptions: --subscriptions keep, cancel or revoke.")
    default:
      throw wrong(`--polar is "${polar}": use keep, anonymize or delete.`)
  }
}

const atPolar: Readonly<Record<EraseOptions["polar"], string>> = {
  keep: "At Polar the customer stays as it is.",
  anonymize: "At Polar the customer is deleted and made anonymous. All of its subscriptions and benefits end now.",
  delete: "At Polar the customer is deleted. All of its subscriptions and benefits end now."
}

const ofSubscriptions = {
  keep: "Their subscriptions go on, and are charged.",
  cancel: "Their subscriptions end with the period that is paid for.",
  revoke: "Their subscriptions end now."
} as const

const consequences = (userId: string, { polar, subscriptions }: EraseOptions): ReadonlyArray<string> => [
  `All that is stored of the user ${userId} is erased. Orders and the like stay under a pseudonym, without the person.`,
  atPolar[polar],
  ...(polar === "keep" && subscriptions !== undefined ? [ofSubscriptions[subscriptions]] : []),
  "Their row in your own table of users is yours to delete."
]

const linesOf = (erasure: Erasure): ReadonlyArray<string> => {
  const { checkouts, deliveries, notifications, records } = erasure.erased
  return [
    `Erased ${records} records, ${deliveries} deliveries, ${checkouts} checkouts and ${notifications} notifications. What stays is under ${erasure.pseudonym}.`,
    ...(erasure.endedSubscriptionIds.length === 0
      ? []
      : [`Ended subscriptions: ${erasure.endedSubscriptionIds.join(", ")}.`]),
    ...(erasure.sharedCustomerIds.length === 0
      ? []
      : [
          `Left alone at Polar, because another user has something of them, or may have: ${erasure.sharedCustomerIds.join(", ")}. Look there yourself.`
        ]),
    erasure.state === "done"
      ? "Done."
      : `The rest waits for Polar, and your app goes on with it by itself: ${erasure.lastError}`
  ]
}
