/** Whether what the inbox has of a body is what it should have. */

/** Nothing is changed in it, although something may be left out: keys of objects, never places of lists. */
const isPartOf = (part: unknown, whole: unknown): boolean => {
  if (typeof part !== "object" || part === null || typeof whole !== "object" || whole === null) return part === whole
  if (Array.isArray(part) !== Array.isArray(whole)) return false
  if (Array.isArray(part) && Array.isArray(whole) && part.length !== whole.length) return false
  return Object.entries(part).every(([key, value]) => isPartOf(value, Reflect.get(whole, key)))
}

/** Secrets and addresses; what a form asks for of an address is none. */
const withheld = /client_secret|ip_address|line1":"(?!(?:disabled|optional|required)")/

/** As it was sent, but for secrets and where somebody lives; nothing of an event of which nothing is kept. */
export const isKeptAs = (kept: unknown, sent: string, isIgnored: boolean): boolean => {
  if (isIgnored) return kept === null
  if (typeof kept !== "string") return false
  const [part, whole]: ReadonlyArray<{ data?: { id?: unknown } }> = [JSON.parse(kept), JSON.parse(sent)]
  return isPartOf(part, whole) && part?.data?.id === whole?.data?.id && !withheld.test(kept)
}
