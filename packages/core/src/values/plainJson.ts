/** JSON of others, as far as it can be written, kept by every database, and read again. */
import { storable } from "./ids.ts"

/** MariaDB reads 32 levels, MySQL 100, and SQLite 1000; Polar nests its own objects a few levels deep, and these none. */
const deepest = 8

/** Whether it is written as it was read: no deeper than that, and without numbers beyond all that JavaScript counts to. */
const isPlain = (value: unknown, depth: number): boolean => {
  if (typeof value === "string") return storable(value) === value
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value !== "object" || value === null) return true
  if (depth >= deepest) return false
  for (const [key, inner] of Object.entries(value)) {
    if (storable(key) !== key || !isPlain(inner, depth + 1)) return false
  }
  return true
}

/** What can be kept of it; `undefined` where nothing can. */
const plainOf = (value: unknown, depth: number): unknown => {
  if (typeof value === "string") return storable(value)
  if (isPlain(value, depth)) return value
  if (typeof value !== "object" || value === null || depth >= deepest) return undefined
  return Array.isArray(value) ? value.map((inner) => plainOf(inner, depth + 1) ?? null) : entriesOf(value, depth)
}

// By entries, which also keeps a key such as "__proto__" a key.
const entriesOf = (values: object, depth: number): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const plain = plainOf(value, depth + 1)
      return plain === undefined ? [] : [[storable(key), plain]]
    })
  )

/** The same with what can be kept; the rest counts as absent. */
export const plainEntries = (values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  isPlain(values, 0) ? values : entriesOf(values, 0)
