/**
 * Keeps secrets that Polar's API gives to whoever has the access token, so that only whoever has the access token can read
 * them again: a database or its backup gives away no more than it would without them. After the token was changed they are
 * asked for anew.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { pastedText } from "../values/pastedText.ts"

export interface SecretBox {
  /** `name`: whose secret it is. It is opened only for the same. */
  readonly seal: (name: string, secret: Redacted.Redacted) => string
  /** `None` for what was sealed with another access token, for another name, or not so. */
  readonly open: (name: string, sealed: string) => Option.Option<Redacted.Redacted>
}

const cipher = "aes-256-gcm"
const ivLength = 12
const tagLength = 16

export const makeSecretBox = (accessToken: Redacted.Redacted): SecretBox => {
  const key = Redacted.make(
    Buffer.from(hkdfSync("sha256", pastedText(Redacted.value(accessToken)), "", "kavach-polar secret box", 32))
  )
  return {
    seal: (name, secret) => {
      const iv = randomBytes(ivLength)
      const sealing = createCipheriv(cipher, Redacted.value(key), iv).setAAD(Buffer.from(name))
      const sealed = Buffer.concat([sealing.update(Redacted.value(secret), "utf8"), sealing.final()])
      return Buffer.concat([iv, sealed, sealing.getAuthTag()]).toString("base64url")
    },
    open: (name, sealed) => {
      const bytes = Buffer.from(sealed, "base64url")
      if (bytes.length < ivLength + tagLength) return Option.none()
      const opening = createDecipheriv(cipher, Redacted.value(key), bytes.subarray(0, ivLength), {
        authTagLength: tagLength
      })
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(-tagLength))
      return Option.liftThrowable(() =>
        Redacted.make(
          Buffer.concat([opening.update(bytes.subarray(ivLength, -tagLength)), opening.final()]).toString("utf8")
        )
      )()
    }
  }
}
