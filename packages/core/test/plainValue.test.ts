import { assert, describe, it } from "@effect/vitest"
import { Metadata, UserId } from "@kavach-polar/core/Subscription"
import { FastCheck, Schema } from "effect"
import { isMetadataValue, isUserId } from "../src/values/ids.ts"

const special = FastCheck.constantFrom<unknown>(
  "",
  " ",
  "user",
  "user\n",
  "\nuser",
  "us er",
  "ü",
  "a\0b",
  "\ud800",
  "x".repeat(255),
  "x".repeat(256),
  "ü".repeat(256),
  undefined,
  Number.NaN,
  1n
)

type Guard = (value: unknown) => boolean

const sameAs = (quick: Guard, bySchema: Guard) =>
  FastCheck.assert(
    FastCheck.property(FastCheck.oneof(special, FastCheck.anything(), FastCheck.fullUnicodeString()), (value) =>
      assert.strictEqual(quick(value), bySchema(value))
    ),
    { numRuns: 2000 }
  )

describe("without the schema's help", () => {
  it("a user's id is known as with it", () => sameAs(isUserId, Schema.is(UserId)))

  it("a value of metadata is known as with it", () => sameAs(isMetadataValue, Schema.is(Metadata.value)))
})
