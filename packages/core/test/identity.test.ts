/** Whose is a record? Every strength of evidence against every weaker one. */
import { assert, describe, it } from "@effect/vitest"
import { UserId } from "@kavach-polar/core/Subscription"
import { FastCheck } from "effect"
import {
  asUserId,
  type Evidence,
  identify as identifyWith,
  isOfThisApp,
  isWeak,
  type NamedUser
} from "../src/rules/identity.ts"

const identify = (...given: Parameters<typeof identifyWith>): UserId | null => identifyWith(...given)?.userId ?? null

const nothing: Evidence = {
  owner: null,
  ownedBy: null,
  checkoutUser: null,
  parentOwner: null,
  linkedUser: null,
  externalUser: null,
  metadataUser: null
}

/** The strongest first; each names a user of its own. */
const strengths: ReadonlyArray<Partial<Evidence>> = [
  { owner: "owner", ownedBy: "operator" },
  { checkoutUser: "checkout" },
  { parentOwner: "parent" },
  { linkedUser: "link" },
  { externalUser: UserId.make("external") },
  { metadataUser: UserId.make("metadata") }
]

const userIn = (evidence: Partial<Evidence>): string | undefined =>
  Object.values(evidence).find((user) => typeof user === "string")

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

  it("says what said so, and nothing new of what belonged to the user before", () => {
    const by = ["checkout", "parent", "link", "external_id", "metadata"] as const
    const [owner, ...others] = strengths
    assert.isNull(identifyWith({ ...nothing, ...owner }, everybody)?.by)
    assert.deepStrictEqual(
      others.map((evidence) => identifyWith({ ...nothing, ...evidence }, everybody)?.by),
      [...by]
    )
  })

  it("lets nothing weak give anybody what hangs on something that was sold elsewhere, or keep it", () => {
    const [operator, checkout, parent, ...weak] = strengths
    for (const strong of [operator, checkout, parent]) {
      const evidence = Object.assign({}, nothing, ...weak, strong)
      assert.strictEqual(identify({ ...evidence, isParentElsewhere: true }, everybody), userIn(strong ?? {}))
    }
    for (const ownedBy of ["parent", "link", "external_id", "metadata"]) {
      const evidence = Object.assign({}, nothing, ...weak, { owner: "owner", ownedBy })
      assert.strictEqual(identify(evidence, everybody), "owner")
      assert.isNull(identify({ ...evidence, isParentElsewhere: true }, everybody))
      assert.strictEqual(identify({ ...evidence, checkoutUser: "c", isParentElsewhere: true }, everybody), "c")
    }
  })

  it("knows nobody where nothing speaks", () => {
    assert.isNull(identify(nothing, everybody))
  })

  it("believes external ids and metadata only of a user whom the app has, and asks that of nothing stronger", () => {
    const table: ReadonlyArray<readonly [Partial<Evidence>, (user: string) => boolean, string | null]> = [
      [{ metadataUser: UserId.make("a") }, nobody, null],
      [{ metadataUser: UserId.make("a") }, (user) => user === "a", "a"],
      [{ metadataUser: UserId.make("a") }, (user) => user === "b", null],
      [{ externalUser: UserId.make("b"), metadataUser: UserId.make("a") }, nobody, null],
      [{ externalUser: UserId.make("b"), metadataUser: UserId.make("a") }, everybody, "b"],
      [{ externalUser: UserId.make("b"), metadataUser: UserId.make("a") }, (user) => user === "a", "a"],
      [{ owner: "gone" }, nobody, "gone"],
      [{ checkoutUser: "c", metadataUser: UserId.make("a") }, nobody, "c"],
      [{ parentOwner: "p" }, nobody, "p"],
      [{ linkedUser: "l" }, nobody, "l"]
    ]
    for (const [evidence, exists, expected] of table) {
      assert.strictEqual(identify({ ...nothing, ...evidence }, exists), expected, JSON.stringify(evidence))
    }
  })

  it("is the owner's, unless the checkout or what it hangs on says otherwise; and no user is made up", () => {
    const user = FastCheck.option(FastCheck.constantFrom("a", "b", "c").map((id) => UserId.make(id)))
    FastCheck.assert(
      FastCheck.property(
        FastCheck.record({
          owner: user,
          ownedBy: FastCheck.constantFrom(null, "operator", "checkout", "parent", "link", "external_id", "metadata"),
          checkoutUser: user,
          parentOwner: user,
          isParentElsewhere: FastCheck.boolean(),
          linkedUser: user,
          externalUser: user,
          metadataUser: user
        }),
        FastCheck.boolean(),
        (evidence, exists) => {
          const found = identifyWith(evidence, () => exists)
          if (found !== null) assert.include(Object.values(evidence), found.userId)
          const isHeldBack = evidence.isParentElsewhere && (evidence.ownedBy === "parent" || isWeak(evidence.ownedBy))
          if (evidence.owner !== null && !isHeldBack) {
            const expected =
              evidence.checkoutUser !== null && !["operator", "checkout"].includes(evidence.ownedBy ?? "")
                ? evidence.checkoutUser
                : evidence.parentOwner !== null &&
                    ["parent", "link", "external_id", "metadata"].includes(evidence.ownedBy ?? "")
                  ? evidence.parentOwner
                  : evidence.owner
            assert.strictEqual(found?.userId, expected)
          }
          // Once it is theirs it stays theirs, whatever else is said then of the same.
          if (found !== null && found.by !== null)
            assert.strictEqual(
              identify({ ...evidence, owner: found.userId, ownedBy: found.by }, () => exists),
              found.userId
            )
        }
      )
    )
  })
})

describe("isOfThisApp", () => {
  it("is a user whom the app has, and does not know under another address than the customer's", () => {
    const table: ReadonlyArray<readonly [NamedUser, boolean]> = [
      [{ email: undefined, isKnown: false, customerEmail: "ada@acme.dev" }, false],
      [{ email: undefined, isKnown: true, customerEmail: "ada@acme.dev" }, true],
      [{ email: "ada@acme.dev", isKnown: false, customerEmail: " Ada@ACME.dev" }, true],
      [{ email: "seven@here.dev", isKnown: false, customerEmail: "other@elsewhere.dev" }, false],
      [{ email: "seven@here.dev", isKnown: true, customerEmail: "other@elsewhere.dev" }, false],
      [{ email: "seven@here.dev", isKnown: false, customerEmail: null }, true],
      [{ email: null, isKnown: false, customerEmail: "other@elsewhere.dev" }, true]
    ]
    for (const [user, expected] of table) {
      assert.strictEqual(isOfThisApp(user, false), expected, JSON.stringify(user))
      assert.isTrue(isOfThisApp(user, true), JSON.stringify(user))
    }
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
