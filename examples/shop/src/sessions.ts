/** Who is signed in: a cookie that the shop signed, so that nobody can write one of their own. */
import { createHmac, timingSafeEqual } from "node:crypto"
import type { SessionUser } from "@kavach-polar/http/Session"

const cookieName = "shop_session"
const lifetimeSeconds = 12 * 3600

export interface Sessions {
  /** The user whose session the request carries, as long as it lasts. */
  readonly userOf: (request: Request) => SessionUser | null
  /** The `set-cookie` header that signs a user in. */
  readonly open: (user: SessionUser) => string
  /** The `set-cookie` header that signs out. */
  readonly close: () => string
}

export interface SessionOptions {
  readonly users: ReadonlyArray<SessionUser>
  /** At least 32 random bytes. */
  readonly key: Uint8Array
  /** Whether the shop is reached by https only. */
  readonly secure: boolean
  readonly now?: (() => number) | undefined
}

export const makeSessions = ({ key, now = Date.now, secure, users }: SessionOptions): Sessions => {
  const sign = (text: string): string => createHmac("sha256", key).update(text).digest("base64url")
  const cookie = (value: string, maxAge: number): string =>
    `${cookieName}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`

  return {
    userOf: (request) => {
      const [id = "", expires = "", signature = ""] = (cookieOf(request, cookieName) ?? "").split(".")
      const isGenuine = isEqual(signature, sign(`${id}.${expires}`))
      if (!isGenuine || Number(expires) <= now()) return null
      return users.find((user) => textOf(user.id) === id) ?? null
    },
    open: (user) => {
      const value = `${textOf(user.id)}.${now() + lifetimeSeconds * 1000}`
      return cookie(`${value}.${sign(value)}`, lifetimeSeconds)
    },
    close: () => cookie("", 0)
  }
}

/** The id in letters that no cookie minds, and without the dots that separate the parts. */
const textOf = (id: string): string => Buffer.from(id).toString("base64url")

const isEqual = (one: string, other: string): boolean => {
  const [left, right] = [Buffer.from(one), Buffer.from(other)]
  return left.length === right.length && timingSafeEqual(left, right)
}

const cookieOf = (request: Request, name: string): string | undefined => {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, value] = pair.trim().split("=")
    if (key === name) return value
  }
  return undefined
}
