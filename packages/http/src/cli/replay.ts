/** `replay`: applies recorded deliveries again. */
import { type DeliveryState, deliveryStates } from "@kavach-polar/core/Delivery"
import type { ReplayQuery } from "@kavach-polar/core/Replay"
import * as Effect from "effect/Effect"
import { dateOf } from "./dateOf.ts"
import type { Options } from "./options.ts"
import { CommandFailed, type Terminal } from "./Terminal.ts"
import { withBilling } from "./withBilling.ts"

export const replay = async (terminal: Terminal, options: Options): Promise<void> => {
  const query = queryOf(options)
  const report = await withBilling(terminal, options, (billing) =>
    billing.replay(query, ({ replayed }) => Effect.sync(() => terminal.progress(`${replayed} deliveries replayed`)))
  )
  if (options.json === true) {
    terminal.out(JSON.stringify(report))
    return
  }
  const now = Object.entries(report.states).filter(([, count]) => count > 0)
  terminal.out(`Replayed ${report.replayed} deliveries; ${report.changed} of them are in another state than before.`)
  if (now.length > 0) terminal.out(`They are now: ${now.map(([state, count]) => `${count} ${state}`).join(", ")}.`)
  if (report.notified > 0) terminal.out(`${report.notified} changes are queued for the app's callback.`)
  if (report.withoutBody > 0) {
    terminal.out(`${report.withoutBody} could not run: their bodies are older than the retention and were pruned.`)
  }
}

const queryOf = (options: Options): ReplayQuery => {
  const { all, id, since, state, type, until } = options
  if (all !== true && [id, since, state, type, until].every((option) => option === undefined)) {
    throw new CommandFailed(
      "replay needs to know which deliveries: --id, --type, --state, --since, --until or --all.",
      2
    )
  }
  return {
    ids: id,
    types: type,
    states: state?.map(stateOf),
    receivedAfter: since === undefined ? undefined : dateOf("--since", since),
    receivedBefore: until === undefined ? undefined : dateOf("--until", until)
  }
}

const stateOf = (text: string): DeliveryState => {
  const state = deliveryStates.find((one) => one === text)
  if (state === undefined) {
    throw new CommandFailed(`"${text}" is no state of a delivery: use ${deliveryStates.join(", ")}.`, 2)
  }
  return state
}
