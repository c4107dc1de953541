/** Whether a text can be an organization access token. */
import { damageOf } from "../values/pastedText.ts"

/**
 * What is wrong with it, as the end of a sentence that begins with the token; `null` when nothing is seen.
 *
 * @example
 * if (PolarClient.accessTokenProblem(accessToken) !== null) process.exitCode = 2
 */
export const accessTokenProblem = (token: string): string | null => {
  if (token === "") return "is empty"
  if (/^bearer\s/i.test(token)) return 'begins with "Bearer": give the token alone'
  if (/^(whsec|polar_whs)_/.test(token)) {
    return "is a webhook secret. Make an organization access token (polar_oat_…) in your organization's settings at Polar"
  }
  const damage = damageOf(token)
  if (damage !== undefined) return `holds ${damage}. Copy it again`
  return /^[\x21-\x7e]+$/.test(token)
    ? null
    : "holds characters that no token has, such as a space or a typographic quotation mark. Copy it again"
}
