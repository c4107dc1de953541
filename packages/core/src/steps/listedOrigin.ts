/** How a stored record says that a customer's state has listed it. */
import type { RecordFact } from "../records/rows.ts"
import type { Version } from "../rules/order.ts"
import type { EpochMicros } from "../values/Timestamp.ts"

export interface ListedOrigin {
  /** The state's time, in epoch microseconds. */
  readonly stateAt: number
  /** Which of the record's own states says what is not listed; `null` where none is known. */
  readonly details: Version | null
}

const written = /^state (\d+)(?: over (\d+):(\d+))?$/

/** As it stands in `RecordRow.deliveryId`. */
export const encodeOrigin = ({ details, stateAt }: ListedOrigin): string =>
  details === null ? `state ${stateAt}` : `state ${stateAt} over ${details.at}:${details.precedence}`

/** `undefined` of a record that its own event or the API has brought. */
export const originOf = ({ deliveryId }: Pick<RecordFact, "deliveryId">): ListedOrigin | undefined => {
  const [isListed, stateAt, at, precedence] = written.exec(deliveryId) ?? []
  if (isListed === undefined) return undefined
  return {
    stateAt: Number(stateAt),
    details: at === undefined ? null : { at: Number(at) as EpochMicros, precedence: Number(precedence) }
  }
}

export const isListed = (fact: Pick<RecordFact, "deliveryId">): boolean => originOf(fact) !== undefined
