/** A token that only this console has made for this viewer: a form of another site's cannot have one. */
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto"
import * as Redacted from "effect/Redacted"

const lifeMillis = 60 * 60 * 1000

/**
 * All processes of an app have these secrets in common, so a form that one has made can be sent to another. The key says nothing
 * of them.
 */
export const csrfKeyOf = (secrets: ReadonlyArray<Redacted.Redacted>): Redacted.Redacted<Buffer> =>
  Redacted.make(
    Buffer.from(hkdfSync("sha256", secrets.map(Redacted.value).join("\n"), "", "kavach-polar console, forms", 32))
  )

const macOf = (key: Redacted.Redacted<Buffer>, who: string, expiresAt: string): Buffer =>
  createHmac("sha256", Redacted.value(key))
    .update(JSON.stringify([who, expiresAt]))
    .digest()

/** Good for an hour. */
export const csrfToken = (key: Redacted.Redacted<Buffer>, who: string, now: number): string => {
  const expiresAt = String(now + lifeMillis)
  return `${expiresAt}.${macOf(key, who, expiresAt).toString("base64url")}`
}

export const isCsrfToken = (key: Redacted.Redacted<Buffer>, who: string, token: string, now: number): boolean => {
  const [expiresAt = "", mac = ""] = token.split(".", 2)
  const given = Buffer.from(mac, "base64url")
  const expected = macOf(key, who, expiresAt)
  return given.length === expected.length && timingSafeEqual(given, expected) && Number(expiresAt) > now
}
