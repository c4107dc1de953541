/** Whose is a record? Every strength of evidence against every weaker one. */
import { assert, describe, it } from "@effect/vitest"
import { UserId } from "@kavach-polar/core/Subscription"
import { FastCheck } from "effect"
import { asUserId, type Evidence, identify } from "../src/rules/identity.ts"

const nothing: Evidence = {
  owner: null,
  checkoutUser: null,
  parentOwner: null,
  linkedUser: null,
  externalUser: null,
  metadataUser: null
}

/** The strongest first; each names a user of its own. */
const strengths: ReadonlyArray<Partial<Evidence>> = [
  { owner: "owner" },
  { checkoutUser: "checkout" },
  { parentOwner: "parent" },
  { linkedUser: "link" },
  { externalUser: UserId.make("external") },
  { metadataUser: UserId.make("metadata") }
]

const userIn = (evidence: Partial<Evidence>): string | undefined =>
  Object.values(evidence).find((user) => user !== null && user !== undefined)

const everybody = () => true
const nobody = () => false

describe("identify", () => {
  it("takes the first that speaks, whatever all weaker ones say", () => {
    strengths.forEach((strongest, place) => {
      const alone = { ...nothing, ...strongest }
      const withWeaker = Object.assign({}, nothing, ...strengths.slice(place))
      assert.strictEqual(identify(alone, everybody), userIn(strongest))
      assert.strictEqual(identify(withWeaker, everybody), userIn(strongest))
    })
  })

  it("knows nobody where nothing speaks", () => {
    assert.isNull(identify(nothing, everybody))
  })

  it("believes metadata only of a user whom the app has, and asks that of nothing stronger", () => {
    const table: ReadonlyArray<readonly [Partial<Evidence>, (user: string) => boolean, string | null]> = [
      [{ metadataUser: UserId.make("a") }, nobody, null],
      [{ metadataUser: UserId.make("a") }, (user) => user === "a", "a"],
      [{ metadataUser: UserId.make("a") }, (user) => user === "b", null],
      [{ externalUser: UserId.make("b"), metadataUser: UserId.make("a") }, nobody, "b"],
      [{ owner: "gone" }, nobody, "gone"],
      [{ checkoutUser: "c", metadataUser: UserId.make("a") }, nobody, "c"],
      [{ parentOwner: "p" }, nobody, "p"],
      [{ linkedUser: "l" }, nobody, "l"]
    ]
    for (const [evidence, exists, expected] of table) {
      assert.strictEqual(identify({ ...nothing, ...evidence }, exists), expected, JSON.stringify(evidence))
    }
  })

  it("is the owner's for good, and otherwise no user is made up", () => {
    const user = FastCheck.option(FastCheck.constantFrom("a", "b", "c").map((id) => UserId.make(id)))
    FastCheck.assert(
      FastCheck.property(
        FastCheck.record({
          owner: user,
          checkoutUser: user,
          parentOwner: user,
          linkedUser: user,
          externalUser: user,
          metadataUser: user
        }),
        FastCheck.boolean(),
        (evidence, exists) => {
          const found = identify(evidence, () => exists)
          if (evidence.owner !== null) assert.strictEqual(found, evidence.owner)
          if (found !== null) assert.include(Object.values(evidence), found)
          // Once it is theirs it stays theirs, whatever is said then.
          if (found !== null)
            assert.strictEqual(
              identify({ ...evidence, owner: found }, () => exists),
              found
            )
        }
      )
    )
  })
})

describe("asUserId", () => {
  it("is an external id that a user's id can be", () => {
    const table: ReadonlyArray<readonly [string | null, string | null]> = [
      [null, null],
      ["usr_1042", "usr_1042"],
      ["", null],
      [" padded", null],
      ["padded\n", null],
      ["a\0b", null],
      ["x".repeat(255), "x".repeat(255)],
      ["x".repeat(256), null]
    ]
    for (const [externalId, expected] of table) assert.strictEqual(asUserId(externalId), expected)
  })
})
