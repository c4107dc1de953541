/** `replay`: applies recorded deliveries again. */
import { type DeliveryState, deliveryStates } from "@kavach-polar/core/Delivery"
import type { ReplayProgress, ReplayQuery, ReplayReport } from "@kavach-polar/core/Replay"
import * as Effect from "effect/Effect"
import { dateOf } from "./dateOf.ts"
import { type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { makeTimeLeft } from "./timeLeft.ts"
import { withBilling } from "./withBilling.ts"

export interface ReplayCommand {
  readonly database: string | undefined
  readonly dryRun: boolean
  readonly json: boolean
  readonly all: boolean
  readonly tellAgain: boolean
  readonly ids: ReadonlyArray<string>
  readonly types: ReadonlyArray<string>
  readonly states: ReadonlyArray<string>
  readonly since: string | undefined
  readonly until: string | undefined
}

export const replay = async (terminal: Terminal, options: ReplayCommand): Promise<ExitCode> => {
  const query = queryOf(options)
  const { dryRun, tellAgain } = options
  const timeLeft = makeTimeLeft()
  const onProgress = ({ encrypted, replayed, total, withoutBody }: ReplayProgress) =>
    Effect.sync(() => {
      const rest = timeLeft(replayed + withoutBody + encrypted, total)
      terminal.progress(`${replayed} of ${total} deliveries ${dryRun ? "looked at" : "replayed"}${rest}`)
    })
  const report = await withBilling(terminal, options, (billing) =>
    billing.replay(query, { dryRun, tellAgain, onProgress })
  )
  if (options.json) terminal.out(JSON.stringify(report))
  else tell(terminal, report, dryRun)
  if (report.replayed + report.withoutBody + report.encrypted === 0) return exitCodes.nothingMatched
  return dryRun && (report.changed > 0 || report.notified > 0) ? exitCodes.differs : exitCodes.done
}

const tell = (terminal: Terminal, report: ReplayReport, dryRun: boolean): void => {
  const { changed, encrypted, notified, replayed, withoutBody } = report
  if (replayed + withoutBody + encrypted === 0) {
    terminal.out("No delivery is as the options say: nothing was replayed.")
    return
  }
  terminal.out(
    dryRun
      ? `${replayed} deliveries would be replayed; ${changed} of them would be in another state than now.`
      : `Replayed ${replayed} deliveries; ${changed} of them are in another state than before.`
  )
  const states = Object.entries(report.states).filter(([, count]) => count > 0)
  if (states.length > 0) {
    terminal.out(
      `They ${dryRun ? "would be" : "are now"}: ${states.map(([state, count]) => `${count} ${state}`).join(", ")}.`
    )
  }
  if (notified > 0) {
    terminal.out(`${notified} changes ${dryRun ? "would be" : "are"} queued for the app's handlers.`)
  }
  if (withoutBody > 0) {
    terminal.out(
      `${withoutBody} ${dryRun ? "cannot" : "could not"} run: their bodies are older than the retention and were pruned, or are not kept.`
    )
  }
  if (encrypted > 0) {
    terminal.out(
      `${encrypted} ${dryRun ? "cannot" : "could not"} run: their bodies are encrypted, and this command has no key. Replay them in the app: await billing.replay(…).`
    )
  }
}

const queryOf = ({ all, ids, since, states, types, until }: ReplayCommand): ReplayQuery => {
  const isNarrowed = ids.length + types.length + states.length > 0 || since !== undefined || until !== undefined
  if (!all && !isNarrowed) {
    throw wrong("replay needs to know which deliveries: --id, --type, --state, --since, --until or --all.")
  }
  if (all && isNarrowed) throw wrong("--all means every delivery: leave it out, or leave out the other conditions.")
  return {
    ids: ids.length === 0 ? undefined : ids,
    types: types.length === 0 ? undefined : types,
    states: states.length === 0 ? undefined : states.map(stateOf),
    receivedAfter: since === undefined ? undefined : dateOf("--since", since),
    receivedBefore: until === undefined ? undefined : dateOf("--until", until)
  }
}

export const stateOf = (text: string): DeliveryState => {
  const state = deliveryStates.find((one) => one === text)
  if (state === undefined) {
    throw wrong(`"${text}" is no state of a delivery: use ${deliveryStates.join(", ")}.`)
  }
  return state
}
