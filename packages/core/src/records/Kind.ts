/** A kind of Polar's objects that is kept: one module each, and the list of them in `kinds.ts`. */
import type * as Either from "effect/Either"
import type * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import type { EpochMicros } from "../values/Timestamp.ts"
import type { RecordColumns, RecordReport } from "./RecordReport.ts"
import type { RecordFact } from "./rows.ts"

export interface Kind<A> {
  /** As it stands in the column `kind`, and in Polar's event types before the dot. */
  readonly name: string
  /**
   * Whether one is something that a user has, and waits for its user while nobody is known. What the merchant has waits for
   * nobody; nor does what only tells of somebody: a customer, a team's member, a checkout that may be a visitor's.
   */
  readonly isOwned: boolean
  /** False: Polar's object does not say of which organization it is, and comes from whichever the endpoint is of. */
  readonly namesOrganization?: false
  /** Types of events whose `data` is one (Polar docs: webhooks/events). */
  readonly eventTypes: ReadonlyArray<string>
  /** Reads one as an event carries it, or the API (which has no `event`). */
  readonly read: (
    data: unknown,
    event?: { readonly type: string; readonly at: EpochMicros }
  ) => Either.Either<RecordReport, ParseResult.ParseError>
  /** Reads back what `RecordReport.data` holds; `None` for what no version has written. */
  readonly fromStored: (data: string) => Option.Option<A>
  /**
   * What in `RecordReport.data` names or describes a person, by its path: it goes when Polar deletes the customer or makes
   * them anonymous. Where there was an object, an empty one stays, else `null`. Of every kind `metadata` goes, too.
   */
  readonly personal: ReadonlyArray<string>
  /** Where in `RecordReport.data` the app's own id of its user may stand: it goes with the user. Default: nowhere. */
  readonly userIds?: ReadonlyArray<string>
  /**
   * How Polar's API lists them, by the customer of those that a user has; `undefined` for what is not compared with Polar's.
   */
  readonly list: RecordList | undefined
  /**
   * What the app is shown of one, as JSON: it is told when this becomes another text. Without it the app is told
   * nothing of this kind.
   */
  readonly shown?: (fact: RecordFact) => string
  /** The same for a user who has it no longer, because it is another's. Default: as it is. */
  readonly shownWhenLost?: (fact: RecordFact) => string
  /**
   * Of a kind that a customer's state lists: one as it was listed, and what is not listed as `details` say it of the same one.
   */
  readonly withDetails?: (listed: RecordColumns, details: RecordColumns) => RecordColumns
  /** The view's name, where `kavach_polar_<name>s` is a table's. */
  readonly viewName?: string
  /** The columns of the view that are read from `data`. */
  readonly view: ReadonlyArray<ViewColumn>
}

export interface RecordList {
  readonly path: string
  /** Oldest first, so that what is added meanwhile moves no page. */
  readonly sorting: string
  /** Whether it can be narrowed by metadata. */
  readonly byMetadata: boolean
  /** So many are read, where there may be any number of them. Default: all. */
  readonly mostPages?: number
}

/** A kind that can be compared with Polar's API. */
export interface ListedKind<A> extends Kind<A> {
  readonly list: RecordList
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
