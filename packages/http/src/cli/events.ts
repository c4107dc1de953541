/** `events`: what Polar has delivered, and what became of it. It only looks. */
import type { RecordedDelivery } from "@kavach-polar/core/Delivery"
import { oneLine } from "@kavach-polar/core/logText"
import { dateOf } from "./dateOf.ts"
import { newestDeliveries, notificationsOf, type Told } from "./deliveriesRead.ts"
import { foldedBody } from "./foldedBody.ts"
import { stateOf } from "./replay.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withStoreInUse } from "./withBilling.ts"

export interface ListCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly limit: string | undefined
  readonly since: string | undefined
  readonly states: ReadonlyArray<string>
  readonly types: ReadonlyArray<string>
  readonly until: string | undefined
  readonly user: string | undefined
}

export interface ShowCommand {
  readonly body: boolean
  readonly database: string | undefined
  readonly json: boolean
}

export const list = async (terminal: Terminal, options: ListCommand): Promise<ExitCode> => {
  const query = {
    states: options.states.length === 0 ? undefined : options.states.map(stateOf),
    types: options.types.length === 0 ? undefined : options.types,
    userId: options.user,
    receivedAfter: options.since === undefined ? undefined : dateOf("--since", options.since),
    receivedBefore: options.until === undefined ? undefined : dateOf("--until", options.until),
    limit: limitOf(options.limit)
  }
  const found = await withStoreInUse(terminal, options, (store) => newestDeliveries(store, query))
  if (options.json) for (const { body: _, ...one } of found) terminal.out(JSON.stringify(one))
  else tellList(terminal, found)
  return found.length === 0 ? exitCodes.nothingMatched : exitCodes.done
}

export const show = async (terminal: Terminal, id: string, options: ShowCommand): Promise<ExitCode> => {
  const found = await withStoreInUse(terminal, options, (store) => notificationsOf(store, id))
  if (found === undefined) {
    terminal.err(`The inbox has no delivery ${oneLine(id)}.`)
    return exitCodes.nothingMatched
  }
  const { delivery, told } = found
  const { body, ...facts } = delivery
  const shown = body === null ? null : options.body ? body : foldedBody(body)
  const why = reasonOf(delivery)
  if (options.json) {
    terminal.out(JSON.stringify({ ...facts, why, told, body: shown }))
    return exitCodes.done
  }
  const lines: ReadonlyArray<readonly [string, string | null]> = [
    ["id", delivery.id],
    ["type", delivery.type],
    ["state", delivery.state],
    ["why", why],
    ["received", timeOf(delivery.receivedAt)],
    ["event of", delivery.eventAt === null ? null : timeOf(new Date(delivery.eventAt / 1000))],
    ["record", delivery.recordId === null ? null : `${delivery.recordKind} ${delivery.recordId}`],
    ["customer", delivery.customerId],
    ["user", delivery.userId],
    ["attempts", `${delivery.attempts}`],
    ["error", delivery.lastError]
  ]
  for (const [name, value] of lines) terminal.out(oneLine(`${name.padEnd(10)} ${value ?? "-"}`))
  terminal.out("")
  terminal.out(told.length === 0 ? "The app was told nothing because of it." : "The app, because of it:")
  for (const { attempts, error, handler, state } of told) {
    terminal.out(
      oneLine(`  ${handler}: ${toldAs[state]}, ${attempts} calls${error === null ? "" : `; the last: ${error}`}`)
    )
  }
  terminal.out("")
  terminal.out(shown ?? (delivery.isEncrypted ? encryptedBody : "Its body was pruned, or is not kept."))
  if (shown !== null && !options.body) terminal.out("What may be about a person is left out: --body shows all.")
  return exitCodes.done
}

const encryptedBody =
  "Its body is encrypted, and this command has no key. The app's own console shows it: billing.console()."

const toldAs: Readonly<Record<Told["state"], string>> = {
  pending: "to be told yet",
  done: "told",
  superseded: "not told, because something newer took its place",
  dead: "given up",
  buried: "put aside by an operator"
}

/** Why a delivery is in its state, and what can be done. */
const reasonOf = ({ customerId, lastError, recordKind, state, type, userId }: RecordedDelivery): string => {
  switch (state) {
    case "applied":
      return userId === null
        ? `What it says of ${recordKind ?? "it"} is stored; it belongs to no user.`
        : `What it says is stored, for user ${userId}.`
    case "stale":
      return "Something newer was stored already, so that it changed nothing. Polar delivers out of order after a failure."
    case "ignored":
      return `Nothing of it is kept: this version does not know ${type}, or it is of another organization. After an upgrade: kavach-polar events replay --type ${type}`
    case "unlinked":
      return `What it says is stored, and nobody knows whose customer ${customerId ?? "it"} is. See kavach-polar customers waiting, then customers link.`
    case "failed":
      return `It could not be read${lastError === null ? "" : ` (${lastError})`}. Once the reason is gone, or this package is upgraded: kavach-polar events replay --state failed`
  }
}

const timeOf = (date: Date): string => date.toISOString().replace("T", " ").slice(0, 19)

const colors: Readonly<Record<RecordedDelivery["state"], number | undefined>> = {
  applied: 32,
  stale: undefined,
  ignored: undefined,
  unlinked: 33,
  failed: 31
}

const tellList = (terminal: Terminal, found: ReadonlyArray<RecordedDelivery>): void => {
  if (found.length === 0) {
    terminal.out("No delivery is as the options say.")
    return
  }
  const rows = found.map((one) => [
    timeOf(one.receivedAt),
    one.type,
    one.state,
    one.id,
    one.userId ?? (one.customerId === null ? "-" : `customer ${one.customerId}`)
  ])
  const heads = ["RECEIVED", "TYPE", "STATE", "ID", "WHOSE"]
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const lineOf = (cells: ReadonlyArray<string>, color: number | undefined) =>
    cells
      .map((cell, column) => {
        const text = column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)
        return column === 2 && color !== undefined && terminal.colors === true ? `\x1b[${color}m${text}\x1b[0m` : text
      })
      .join("  ")
  terminal.out(lineOf(heads, undefined))
  for (const [index, row] of rows.entries()) {
    const state = found[index]?.state
    terminal.out(
      lineOf(
        row.map((cell) => oneLine(cell)),
        state === undefined ? undefined : colors[state]
      )
    )
  }
}

const limitOf = (text: string | undefined): number => {
  if (text === undefined) return 50
  const limit = Number(text)
  if (/^\d+$/.test(text) && limit > 0 && limit <= 10_000) return limit
  throw wrong(`--limit "${text}" is no number from 1 to 10000.`)
}
