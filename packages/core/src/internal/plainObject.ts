/**
 * Reading JSON objects whose fields are plainly what they should be, which is nearly every one. A schema reads any object,
 * and says what is wrong with it; that costs many times as much. So this reads what it can and otherwise gives up, and the
 * schema has the word.
 */

export interface PlainObject {
  /** Text of 1 to 64 characters that every database can keep. */
  readonly id: (key: string) => string
  readonly idOrNull: (key: string) => string | null
  readonly textOrNull: (key: string) => string | null
  readonly numberOrNull: (key: string) => number | null
  readonly flagOrNull: (key: string) => boolean | null
  readonly date: (key: string) => Date
  readonly dateOrNull: (key: string) => Date | null
  /** Epoch microseconds of a time. */
  readonly microsOrNull: (key: string) => number | null
  /** A copy of the object. */
  readonly recordOrNull: (key: string) => Record<string, unknown> | null
  readonly objectOrNull: <A>(key: string, read: (object: PlainObject) => A) => A | null
}

/** `undefined` where a field is not plainly what it should be. An absent field and `null` are the same. */
export const read = <A>(object: unknown, reader: (object: PlainObject) => A): A | undefined => {
  try {
    return reader(plain(object))
  } catch (error) {
    if (error === notPlain) return undefined
    throw error
  }
}

// Thrown and caught within this module; without a stack, because nobody reads it.
const notPlain: unique symbol = Symbol("not plain")

const giveUp = (): never => {
  throw notPlain
}

const plain = (value: unknown): PlainObject => {
  const object = recordOf(value)

  const orNull =
    <A>(read: (value: unknown) => A) =>
    (key: string): A | null => {
      const value = object[key]
      return value === undefined || value === null ? null : read(value)
    }

  return {
    id: (key) => idOf(object[key]),
    idOrNull: orNull(idOf),
    textOrNull: orNull(textOf),
    numberOrNull: orNull(numberOf),
    flagOrNull: orNull(flagOf),
    date: (key) => dateOf(object[key]),
    dateOrNull: orNull(dateOf),
    microsOrNull: orNull(microsOf),
    recordOrNull: orNull((value) => ({ ...recordOf(value) })),
    objectOrNull: (key, read) => orNull((value) => read(plain(value)))(key)
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Object.hasOwn(value, "__proto__")
    ? (value as Readonly<Record<string, unknown>>)
    : giveUp()

const textOf = (value: unknown): string => (typeof value === "string" ? value : giveUp())
const numberOf = (value: unknown): number => (typeof value === "number" ? value : giveUp())
const flagOf = (value: unknown): boolean => (typeof value === "boolean" ? value : giveUp())

/** What is in nearly every id: nothing that a database could refuse. */
const plainId = /^[\x21-\x7e]{1,64}$/

const idOf = (value: unknown): string => {
  const text = textOf(value)
  return plainId.test(text) ? text : giveUp()
}

/** As Polar writes times. */
const plainTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

/** Epoch milliseconds; JavaScript drops what is finer. */
const millisOf = (value: unknown): number => {
  const text = textOf(value)
  const millis = plainTime.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(millis) ? giveUp() : millis
}

const dateOf = (value: unknown): Date => new Date(millisOf(value))

const microsOf = (value: unknown): number => {
  const text = textOf(value)
  const millis = millisOf(text)
  // From the dot, which is at 19, the seventh digit on is dropped.
  const fraction = text.slice(20, -1).slice(0, 6).padEnd(6, "0")
  const micros = Math.floor(millis / 1000) * 1_000_000 + Number(fraction)
  return Number.isSafeInteger(micros) && micros >= 0 ? micros : giveUp()
}
