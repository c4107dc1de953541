/** A kind of Polar's objects that is kept: one module each, and the list of them in `kinds.ts`. */
import type * as Either from "effect/Either"
import type * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import type { EpochMicros } from "../values/Timestamp.ts"
import type { RecordReport } from "./RecordReport.ts"
import type { RecordFact } from "./rows.ts"

export interface Kind<A> {
  /** As it stands in the column `kind`, and in Polar's event types before the dot. */
  readonly name: string
  /** Types of events whose `data` is one (Polar docs: webhooks/events). */
  readonly eventTypes: ReadonlyArray<string>
  /** Reads one as an event carries it, or the API (which has no `event`). */
  readonly read: (
    data: unknown,
    event?: { readonly type: string; readonly at: EpochMicros }
  ) => Either.Either<RecordReport, ParseResult.ParseError>
  /** Reads back what `RecordReport.data` holds; `None` for what no version has written. */
  readonly fromStored: (data: string) => Option.Option<A>
  /** How Polar's API lists them, oldest first, and whether it can narrow the list by metadata. */
  readonly list: { readonly path: string; readonly sorting: string; readonly byMetadata: boolean }
  /**
   * What the app is shown of one, as JSON: it is told when this becomes another text. Without it the app is told
   * nothing of this kind.
   */
  readonly shown?: (fact: RecordFact) => string
  /** The columns of the view `kavach_polar_<name>s`, after those of `viewColumns`. */
  readonly view: ReadonlyArray<ViewColumn>
}

/** A column of a view that is read from a record's `data`. */
export interface ViewColumn {
  readonly name: string
  /** The key in `data`. */
  readonly key: string
  readonly type: "text" | "integer" | "flag" | "time"
}

const time = 2 ** 42

/**
 * Packs a written rule for ties into one integer of at most 48 bits, so that a database compares it as a number: first
 * `over`, then the time of the last change in milliseconds, then `rank` (0 to 31).
 */
export const packPrecedence = (over: boolean, changedAtMillis: number | null, rank: number): number =>
  (over ? 2 ** 47 : 0) + Math.min(Math.max(changedAtMillis ?? 0, 0), time - 1) * 32 + rank
