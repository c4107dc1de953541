/** `show`: what is known of one person. First what to say and to do, then how it came to that. */
import type { BillingService, PersonFound, Timeline } from "@kavach-polar/core/Billing"
import { oneLine } from "@kavach-polar/core/logText"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withBilling } from "./withBilling.ts"

export interface ShowCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly polar: boolean
}

export const show = async (terminal: Terminal, query: string, options: ShowCommand): Promise<ExitCode> => {
  if (query.trim() === "") throw wrong("show needs an id or an e-mail address.")
  const history: Timeline = await withBilling(terminal, options, (billing: BillingService) =>
    billing.customers.timeline(query, { polar: options.polar })
  )
  if (options.json) terminal.out(JSON.stringify(history))
  else for (const line of linesOf(history)) terminal.out(oneLine(line))
  return exitCodeOf[history.found]
}

const exitCodeOf: Readonly<Record<Timeline["found"], ExitCode>> = {
  one: exitCodes.done,
  several: exitCodes.differs,
  nothing: exitCodes.nothingMatched
}

const foundBy: Readonly<Record<PersonFound["foundBy"], string>> = {
  user_id: "the id of a user",
  user_email: "the address in your table of users",
  customer_id: "the id of a customer at Polar",
  customer_email: "the address of a customer at Polar",
  record_id: "the id of one of Polar's objects",
  checkout_id: "the id of a checkout"
}

const linesOf = (history: Timeline): ReadonlyArray<string> => {
  switch (history.found) {
    case "nothing":
      return [
        `Nothing is known of ${history.query}. Ask for the address that the receipt went to, or the order's id, or compare with Polar: kavach-polar reconcile`
      ]
    case "several":
      return [
        `${history.query} may mean ${history.candidates.length}. Ask for one of them:`,
        ...history.candidates.map(({ customerId, foundBy: by, userId }) =>
          userId === null
            ? `  customer ${customerId}, whose user is not known; by ${foundBy[by]}`
            : `  user ${userId}; by ${foundBy[by]}`
        )
      ]
    case "one":
      return personLines(history)
  }
}

const personLines = (history: PersonFound): ReadonlyArray<string> => {
  const { answer, customers, leftOut, polar, timeline, user } = history
  return [
    answer.sentence,
    ...answer.helps.flatMap(({ command, what }) => [what, ...(command === null ? [] : [`  Do: ${command}`])]),
    "",
    `Found by ${foundBy[history.foundBy]}.${user?.email ? ` User ${user.id}: ${user.email}.` : ""}`,
    ...customers.map(
      ({ customerId, email, linkedBy }) =>
        `Customer ${customerId}${email === null ? "" : `, ${email}`}: ${linkedBy === null ? "not linked" : `linked by ${linkedBy}`}.`
    ),
    ...(polar === null ? [] : polarLines(polar)),
    "",
    ...timeline.map(
      ({ at, isTrouble, text, type }) =>
        `${at.toISOString().slice(0, 19).replace("T", " ")}  ${isTrouble ? "!" : " "} ${type.padEnd(12)}  ${text}`
    ),
    ...(leftOut.length === 0 ? [] : [`There is more than the newest 200 of: ${leftOut.join(", ")}.`])
  ]
}

const polarLines = ({ isSame, problems, records, unknownToPolar }: NonNullable<PersonFound["polar"]>) => [
  "",
  problems.length === 0
    ? `At Polar: ${isSame ? "the same as here" : "something else than here"}.`
    : `At Polar, as far as it answered: ${isSame ? "the same as here" : "something else than here"}.`,
  ...records.map(
    ({ id, kind, status, stored }) =>
      `  ${status === stored ? " " : "!"} ${kind} ${id}: ${status}${status === stored ? "" : stored === null ? ", not stored here" : `, stored here as ${stored}`}`
  ),
  ...unknownToPolar.map(({ id, kind }) => `  ! ${kind} ${id}: stored here as live, and not listed by Polar`),
  ...problems.map(({ kind, problem }) => `  ? ${kind}: ${problem}`)
]
