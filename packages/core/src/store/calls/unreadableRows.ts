/** Rows that cannot be read: one stands in nobody's way, and is not passed over in silence. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Kind } from "../../records/Kind.ts"
import type { StoredRecord } from "../../records/rows.ts"
import { unreadableRows } from "../../telemetry/Metrics.ts"
import { oneLine } from "../../values/logText.ts"
import { StoreError } from "../StoreError.ts"

/** Says that it is left out. */
export const setAside = (what: string, id: string): Effect.Effect<void> =>
  Effect.zipRight(
    unreadableRows.update(1, { row: what }),
    Effect.logError(
      `A stored ${what} is not as any version of this program writes it, and is left out. Everything else goes on.`
    ).pipe(Effect.annotateLogs({ row: oneLine(id) }))
  )

/** The rows that can be read. */
export const readableRows = <Row extends { readonly id: string }, A>(
  what: string,
  rows: ReadonlyArray<Row>,
  read: (row: Row) => Option.Option<A>
): Effect.Effect<ReadonlyArray<A>> => {
  const values: Array<A> = []
  const unreadable: Array<string> = []
  for (const row of rows) {
    const value = read(row)
    if (Option.isSome(value)) values.push(value.value)
    else unreadable.push(row.id)
  }
  const all = Effect.succeed(values)
  return unreadable.length === 0
    ? all
    : Effect.zipRight(
        Effect.forEach(unreadable, (id) => setAside(what, id), { discard: true }),
        all
      )
}

/** For a call that asks for this very record. */
export const decoded =
  <A>(operation: string, kind: Kind<A>) =>
  ({ data, id }: StoredRecord): Effect.Effect<A, StoreError> =>
    Option.match(kind.fromStored(data), {
      onNone: () => {
        const detail = `the stored ${kind.name} ${id} is not as this version writes it`
        return new StoreError({ operation, reason: "schema", detail })
      },
      onSome: Effect.succeed
    })
