/** Values as PostgreSQL reads them from text: every parameter goes as one, of which all drivers make the same. */
import { isoOf as isoOfAnyYear } from "@kavach-polar/core/adapter"

/**
 * Text of PostgreSQL's cannot hold NUL, nor halves of surrogate pairs. The core keeps both out of what it stores; they may
 * stand in an error's message.
 */
export const storable = (value: string): string => value.replaceAll(unstorable, "\ufffd")

const unstorable = /\0|\p{Surrogate}/gu

/** An array in PostgreSQL's own notation: one parameter, so that a statement stays the same however many there are. */
export const arrayOf = (values: ReadonlyArray<string>): string =>
  `{${values.map((value) => `"${storable(value).replaceAll(/["\\]/g, "\\$&")}"`).join()}}`

/** ISO 8601 in UTC reads the same whatever the session's time zone and style. There is no year 0. */
export const isoOf = (millis: number): string => isoOfAnyYear(Math.max(millis, first))

const first = Date.parse("0001-01-01T00:00:00.000Z")
