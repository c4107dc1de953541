/** Which rows of the outbox a step ends, because newer ones take their place. */
import { tellsState } from "../rules/handlers.ts"
import { isOutdated, superseded } from "../rules/supersession.ts"

/** A queued notification, as far as it is needed here. */
export interface UntoldRow {
  readonly id: string
  readonly handler: string
  readonly subject: string
  readonly eventAt: number
  readonly precedence: number
  readonly leaseOwner: string | null
  readonly lastError: string | null
}

/** Of the pending ones of some subjects: ids of those that become `superseded`. */
export const supersededAmong = (pending: ReadonlyArray<UntoldRow>): ReadonlyArray<string> => {
  const bySubject = new Map<string, Array<UntoldRow>>()
  for (const row of pending) {
    if (!tellsState(row.handler)) continue
    const others = bySubject.get(row.subject)
    if (others === undefined) bySubject.set(row.subject, [row])
    else others.push(row)
  }
  return [...bySubject.values()].flatMap((rows) =>
    superseded(
      rows.map(({ eventAt, id, lastError, leaseOwner, precedence }) => ({
        id,
        eventAt,
        precedence,
        hasFailed: lastError !== null,
        isBeingTold: leaseOwner !== null
      }))
    )
  )
}

/** The same, when the call of one of them has failed. */
export const supersededAfter = (
  pending: ReadonlyArray<UntoldRow>,
  failed: { readonly id: string; readonly error: string }
): ReadonlyArray<string> =>
  supersededAmong(
    pending.map((row) => (row.id === failed.id ? { ...row, leaseOwner: null, lastError: failed.error } : row))
  )

/** Of dead ones those that are told no more, given what else was queued of their subjects. */
export const outdatedAmong = <Row extends Pick<UntoldRow, "handler" | "subject" | "eventAt" | "precedence">>(
  dead: ReadonlyArray<Row>,
  queued: ReadonlyArray<Pick<UntoldRow, "subject" | "eventAt" | "precedence">>
): ReadonlyArray<Row> =>
  dead.filter(
    (row) =>
      tellsState(row.handler) &&
      isOutdated(
        row,
        queued.filter(({ subject }) => subject === row.subject)
      )
  )
