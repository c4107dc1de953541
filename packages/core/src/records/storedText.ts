/** JSON text as it is stored: what every database can keep, and what is taken out of it later. */

/** NUL, and halves of surrogate pairs, as `JSON.stringify` writes them, and others do. */
const unstorable = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i

/**
 * JSON text as every database can keep and read it: PostgreSQL has no NUL in a text, and none has halves of pairs. They
 * become what is shown for a character that is not there.
 */
export const toStorable = (json: string): string => {
  const plain = json.includes("\0") ? json.replaceAll("\0", "\uFFFD") : json
  if (!unstorable.test(plain)) return plain
  return plain.replace(/\\(?:u(?:d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|[0-9a-f]{4})|[^u])/gi, (written) =>
    written.length === 6 && unstorable.test(written) ? "\uFFFD" : written
  )
}

/**
 * The same JSON without what is at these paths. Of an object an empty one stays, with those of its keys that are kept. What
 * cannot be read is dropped whole.
 */
export const blanked = (
  data: string,
  paths: ReadonlyArray<string>,
  isKept: (key: string) => boolean = () => false
): string => {
  const json = parsed(data)
  if (typeof json !== "object" || json === null) return "{}"
  for (const path of paths) {
    const keys = path.split(".")
    const last = keys.pop() ?? ""
    const holder = keys.reduce<unknown>((at, key) => (isHolder(at) ? at[key] : undefined), json)
    if (isHolder(holder) && Object.hasOwn(holder, last)) holder[last] = emptied(holder[last], isKept)
  }
  return JSON.stringify(json)
}

const emptied = (value: unknown, isKept: (key: string) => boolean): unknown =>
  isHolder(value) ? Object.fromEntries(Object.entries(value).filter(([key]) => isKept(key))) : null

const isHolder = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
