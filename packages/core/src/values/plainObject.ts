/**
 * Reading JSON objects whose fields are plainly what they should be, which is nearly every one. A schema reads any object,
 * and says what is wrong with it; that costs many times as much. So this reads what it can and otherwise gives up, and the
 * schema has the word.
 */

/** What an absent field means: the same as `null`, or that the object is not plain. */
export type Absent = "null" | "refused"

/** `undefined` where a field is not plainly what it should be. */
export const read = <A>(object: unknown, absent: Absent, reader: (object: PlainObject) => A): A | undefined => {
  try {
    return reader(new PlainObject(object, absent))
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

/** A class, and its methods written out, because closures that are made for each object would be most of the work. */
export class PlainObject {
  private readonly fields: Readonly<Record<string, unknown>>
  private readonly absent: Absent

  constructor(value: unknown, absent: Absent) {
    this.fields = recordOf(value)
    this.absent = absent
  }

  private fieldOrNull(key: string): unknown {
    const value = this.fields[key]
    return value !== undefined ? value : this.absent === "null" ? null : giveUp()
  }

  /** Text of 1 to 64 characters that every database can keep. */
  id(key: string): string {
    return idOf(this.fields[key])
  }

  idOrNull(key: string): string | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : idOf(value)
  }

  text(key: string): string {
    return textOf(this.fields[key])
  }

  textOrNull(key: string): string | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : textOf(value)
  }

  numberOrNull(key: string): number | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : typeof value === "number" ? value : giveUp()
  }

  flag(key: string): boolean {
    return flagOf(this.fields[key])
  }

  flagOrNull(key: string): boolean | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : flagOf(value)
  }

  date(key: string): Date {
    return new Date(millisOf(this.fields[key]))
  }

  dateOrNull(key: string): Date | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : new Date(millisOf(value))
  }

  /** Epoch microseconds of a time. */
  micros(key: string): number {
    return microsOf(this.fields[key])
  }

  microsOrNull(key: string): number | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : microsOf(value)
  }

  /** An object all of whose values are as they should be. */
  recordOf(key: string, isValue: (value: unknown) => boolean = () => true): Readonly<Record<string, unknown>> {
    const record = recordOf(this.fields[key])
    return Object.values(record).every(isValue) ? record : giveUp()
  }

  /** A copy of the object. */
  recordOrNull(key: string): Record<string, unknown> | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : { ...recordOf(value) }
  }

  object<A>(key: string, read: (object: PlainObject) => A): A {
    return read(new PlainObject(this.fields[key], this.absent))
  }

  objectOrNull<A>(key: string, read: (object: PlainObject) => A): A | null {
    const value = this.fieldOrNull(key)
    return value === null ? null : read(new PlainObject(value, this.absent))
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Object.hasOwn(value, "__proto__")
    ? (value as Readonly<Record<string, unknown>>)
    : giveUp()

const textOf = (value: unknown): string => (typeof value === "string" ? value : giveUp())
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

const microsOf = (value: unknown): number => {
  const text = textOf(value)
  const millis = millisOf(text)
  // From the dot, which is at 19, the seventh digit on is dropped.
  const fraction = text.slice(20, -1).slice(0, 6).padEnd(6, "0")
  const micros = Math.floor(millis / 1000) * 1_000_000 + Number(fraction)
  return Number.isSafeInteger(micros) && micros >= 0 ? micros : giveUp()
}
