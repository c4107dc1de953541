/** Rows as the driver yields them: values in the order of a statement's columns, times as text. */

export type Row = ReadonlyArray<unknown>
export type Rows = ReadonlyArray<Row>

/** Text comes as bytes where a column has a binary collation. */
export const textOrNull = (value: unknown): string | null =>
  typeof value === "string"
    ? value
    : value == null
      ? null
      : value instanceof Uint8Array
        ? Buffer.from(value).toString()
        : String(value)

export const text = (value: unknown): string => textOrNull(value) ?? ""
