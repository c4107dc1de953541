/**
 * SQL with a place, `$1`, for each of its values. A statement is written as a template with its values where they belong,
 * and its text is put together once: JavaScript hands a template the same strings whenever it comes to it again, so a
 * statement is recognised by them and by its parts, and a call does no more than collect its values.
 */
import { createHash } from "node:crypto"

export type Value = string | null

export interface Statement {
  readonly wording: Wording
  readonly values: ReadonlyArray<Value>
}

/** A statement without its values. */
class Wording {
  /** What stands before, between and after the values. */
  readonly pieces: ReadonlyArray<string>
  /** Whether the same text comes again and again, and is worth preparing. */
  readonly recurs: boolean
  #text: string | undefined
  #name: string | undefined

  constructor(pieces: ReadonlyArray<string>, recurs = true) {
    this.pieces = pieces
    this.recurs = recurs
  }

  get text(): string {
    this.#text ??= this.pieces.reduce((text, piece, place) => `${text}$${place}${piece}`)
    return this.#text
  }

  /** The same text has the same name in every process, whoever prepared it on a connection that they share. */
  get name(): string {
    this.#name ??= `kavach_polar_${createHash("sha256").update(this.text).digest("hex").slice(0, 32)}`
    return this.#name
  }
}

/** Other statements become part of the text, all else goes in as a value. Nobody's values are ever part of a text. */
export const sql = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Statement | Value>): Statement =>
  composed(pointAt(templates, strings), strings, parts)

/** One after the other, with the separator between them. */
export const join = (parts: ReadonlyArray<Statement>, separator: string): Statement =>
  composed(pointAt(lists, separator), separators(parts.length, separator), parts)

/** Text for statements to be made of, which is kept for good: of one kind there must be few. */
export const raw = (text: string): Statement => {
  const known = raws.get(text)
  if (known !== undefined) return known
  const made = { wording: new Wording([text]), values: [] }
  raws.set(text, made)
  return made
}

/** A statement of which nothing is kept, here or on the server. */
export const once = (text: string): Statement => ({ wording: new Wording([text], false), values: [] })

/** As far as a statement has been read: where it leads, and what it is if it ends here. */
interface Point {
  readonly next: Map<Wording, Point>
  wording: Wording | undefined
}

const templates = new WeakMap<TemplateStringsArray, Point>()
const lists = new Map<string, Point>()
const raws = new Map<string, Statement>()

const value = new Wording(["", ""])

const newPoint = (): Point => ({ next: new Map(), wording: undefined })

const pointAt = <Key>(
  points: { readonly get: (key: Key) => Point | undefined; readonly set: (key: Key, point: Point) => unknown },
  key: Key
): Point => {
  const known = points.get(key)
  if (known !== undefined) return known
  const point = newPoint()
  points.set(key, point)
  return point
}

const composed = (start: Point, strings: ReadonlyArray<string>, parts: ReadonlyArray<Statement | Value>): Statement => {
  let point = start
  const values: Array<Value> = []
  for (const part of parts) {
    if (isValue(part)) {
      values.push(part)
      point = pointAt(point.next, value)
    } else {
      for (const each of part.values) values.push(each)
      point = pointAt(point.next, part.wording)
    }
  }
  point.wording ??= wordingOf(strings, parts)
  return { wording: point.wording, values }
}

const isValue = (part: Statement | Value): part is Value => typeof part !== "object" || part === null

const wordingOf = (strings: ReadonlyArray<string>, parts: ReadonlyArray<Statement | Value>): Wording => {
  const pieces = [strings[0] ?? ""]
  for (const [index, part] of parts.entries()) {
    const [first = "", ...others] = isValue(part) ? value.pieces : part.wording.pieces
    pieces.push(`${pieces.pop() ?? ""}${first}`, ...others)
    pieces.push(`${pieces.pop() ?? ""}${strings[index + 1] ?? ""}`)
  }
  return new Wording(pieces)
}

const separators = (parts: number, separator: string): ReadonlyArray<string> => [
  "",
  ...Array.from({ length: parts - 1 }, () => separator),
  ""
]

/** Whatever the server's default is: each statement has to see what was committed before it began. */
export const isolationLevel = "read committed"

// Not prepared: the server hardly has less to do then, and a connection in whatever state must take them.
export const begin = once(`BEGIN ISOLATION LEVEL ${isolationLevel}`)
export const commit = once("COMMIT")
export const rollback = once("ROLLBACK")
