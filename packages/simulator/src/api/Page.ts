/** Lists: filtered, sorted, a page at a time. */
import type { EpochMicros } from "@kavach-polar/core/Timestamp"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Stamped } from "../Records.ts"
import { type Issue, malformed, type Refusal } from "../Refusal.ts"
import { Time } from "./Input.ts"
import { type Answer, ok } from "./Route.ts"

const mostPerPage = 100

const queryIssue = (name: string, msg: string, input: string): Issue => ({
  type: "value_error",
  loc: ["query", name],
  msg,
  input
})

const natural = (query: URLSearchParams, name: string, fallback: number): Either.Either<number, Refusal> => {
  const text = query.get(name)
  if (text === null) return Either.right(fallback)
  const number = Number(text)
  return Number.isInteger(number) && number >= 1
    ? Either.right(number)
    : Either.left(malformed([queryIssue(name, "Input should be an integer greater than or equal to 1", text)]))
}

/** The values of a repeatable filter; `undefined` when it is not given. */
export const filter = (query: URLSearchParams, name: string): ReadonlySet<string> | undefined => {
  const values = query.getAll(name)
  return values.length === 0 ? undefined : new Set(values)
}

/** Whether a row is as the repeatable filters ask: any of a filter's values, all of the filters. */
export const filters = <Row>(
  query: URLSearchParams,
  fields: Readonly<Record<string, (row: Row) => string | null>>
): ((row: Row) => boolean) => {
  const asked = Object.entries(fields).flatMap(([name, of]) => {
    const values = filter(query, name)
    return values === undefined ? [] : [(row: Row) => values.has(of(row) ?? "")]
  })
  return (row) => asked.every((matches) => matches(row))
}

/** A point in time; what is none is not asked. */
export const time = (query: URLSearchParams, name: string): EpochMicros | undefined =>
  Either.getOrUndefined(Schema.decodeUnknownEither(Time)(query.get(name)))

export const flag = (query: URLSearchParams, name: string): boolean | undefined => {
  const text = query.get(name)
  return text === null ? undefined : text === "true" || text === "1"
}

/** Whether the metadata is as `metadata[key]=value` asks: any of a key's values, all of the keys. */
export const hasMetadata = (query: URLSearchParams, metadata: Readonly<Record<string, unknown>>): boolean =>
  [...new Set(query.keys())].every((name) => {
    const key = /^metadata\[(.+)\]$/.exec(name)?.[1]
    return key === undefined || query.getAll(name).includes(String(metadata[key]))
  })

export interface List<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly query: URLSearchParams
  /** What rows can be sorted by. */
  readonly sorts: Readonly<Record<string, (row: Row) => string | number | null>>
  /** Such as `-created_at`. */
  readonly sorting: string
  readonly render: (row: Row) => unknown
}

/** One page; pages count from 1, and there is none of an empty list. */
export const page = <Row extends Stamped>(list: List<Row>): Either.Either<Answer, Refusal> =>
  Either.gen(function* () {
    const number = yield* natural(list.query, "page", 1)
    const limit = Math.min(yield* natural(list.query, "limit", 10), mostPerPage)
    const order = yield* orderOf(list)
    const rows = [...list.rows].sort(order)
    return ok({
      items: rows.slice((number - 1) * limit, number * limit).map(list.render),
      pagination: { total_count: rows.length, max_page: Math.ceil(rows.length / limit) }
    })
  })

const orderOf = <Row extends Stamped>({ query, sorting, sorts }: List<Row>) =>
  Either.gen(function* () {
    const asked = query.getAll("sorting")
    const orders: Array<(one: Row, other: Row) => number> = []
    for (const name of asked.length === 0 ? [sorting] : asked) {
      const by = sorts[name.replace(/^-/, "")]
      if (by === undefined) {
        return yield* Either.left(
          malformed([queryIssue("sorting", `Input should be one of ${Object.keys(sorts)}`, name)])
        )
      }
      const direction = name.startsWith("-") ? -1 : 1
      orders.push((one, other) => direction * compare(by(one), by(other)))
    }
    return (one: Row, other: Row) => {
      for (const order of orders) {
        const result = order(one, other)
        if (result !== 0) return result
      }
      return compare(one.id, other.id)
    }
  })

const compare = (one: string | number | null, other: string | number | null): number => {
  if (one === other) return 0
  if (one === null) return 1
  if (other === null) return -1
  return one < other ? -1 : 1
}
