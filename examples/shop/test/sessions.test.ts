/** Sessions: only the shop can write the cookie, and only for so long. */
import { randomBytes } from "node:crypto"
import { assert, describe, test } from "vitest"
import { makeSessions } from "../src/sessions.ts"

const users = [
  { id: "usr_1", name: "Ada" },
  { id: "usr.2 é", name: "Lin" }
]
const key = randomBytes(32)
let now = 1_000_000
const options = { users, key, secure: false, now: () => now }
const sessions = makeSessions(options)

const withCookie = (value: string) => new Request("http://shop.invalid/", { headers: { cookie: value } })
const pairOf = (header: string): string => header.split(";")[0] ?? ""

describe("sessions", () => {
  test("know whom they were opened for, among other cookies", () => {
    for (const user of users) {
      const pair = pairOf(sessions.open(user))
      assert.strictEqual(sessions.userOf(withCookie(`a=b; ${pair}; c=d`)), user)
    }
    assert.isNull(sessions.userOf(new Request("http://shop.invalid/")))
  })

  test("end by themselves", () => {
    const request = withCookie(pairOf(sessions.open({ id: "usr_1" })))
    now += 12 * 3600 * 1000 - 1
    assert.isNotNull(sessions.userOf(request))
    now += 1
    assert.isNull(sessions.userOf(request))
  })

  test("cannot be made or changed by anybody else", () => {
    const pair = pairOf(sessions.open({ id: "usr_1" }))
    const [, expires = "", signature = ""] = pair.split(".")
    const [id, other] = users.map((user) => Buffer.from(user.id).toString("base64url"))
    assert.isNotNull(sessions.userOf(withCookie(`shop_session=${id}.${expires}.${signature}`)))
    for (const value of [
      "",
      "usr_1",
      `${id}.${expires}`,
      `${id}.${expires}.`,
      `${id}.${Number(expires) + 1}.${signature}`,
      `${other}.${expires}.${signature}`,
      `${id}.${expires}.${signature.slice(0, -1)}`
    ]) {
      assert.isNull(sessions.userOf(withCookie(`shop_session=${value}`)), value)
    }
    const elsewhere = makeSessions({ ...options, key: randomBytes(32) })
    assert.isNull(elsewhere.userOf(withCookie(pair)))
  })

  test("are out of reach of scripts and other sites, and go over https where the shop does", () => {
    assert.match(sessions.open({ id: "usr_1" }), /; Path=\/; Max-Age=43200; HttpOnly; SameSite=Lax$/)
    assert.match(makeSessions({ ...options, secure: true }).open({ id: "usr_1" }), /; Secure$/)
    assert.match(sessions.close(), /^shop_session=; .*Max-Age=0/)
  })
})
