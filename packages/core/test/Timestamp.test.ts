import { assert, describe, it } from "@effect/vitest"
import { DateFromTimestamp, EpochMicrosFromString, parseMicros } from "@kavach-polar/core/Timestamp"
import { FastCheck, Option, Schema } from "effect"

describe("Timestamp", () => {
  it("keeps microseconds that a Date would lose", () => {
    assert.strictEqual(parseMicros("2026-10-12T09:15:00.020904Z"), 1791796500020904)
    assert.strictEqual(parseMicros("2026-10-12T09:15:00.020905Z"), 1791796500020905)
  })

  it("reads what Polar leaves out: the fraction when it is zero, trailing digits, the zone", () => {
    assert.strictEqual(parseMicros("2026-10-12T09:15:00Z"), 1791796500000000)
    assert.strictEqual(parseMicros("2026-10-12T09:15:00.5Z"), 1791796500500000)
    assert.strictEqual(parseMicros("2026-10-12T09:15:00.123456789Z"), 1791796500123456)
    assert.strictEqual(parseMicros("2026-10-12T09:15:00"), 1791796500000000)
    assert.strictEqual(parseMicros("2026-10-12T11:15:00.000001+02:00"), 1791796500000001)
  })

  it("refuses what is no timestamp", () => {
    for (const text of [
      "",
      "now",
      "2026-10-12",
      "1791796500",
      "2026-13-40T00:00:00Z",
      "2026-10-12T25:00:00Z",
      "1960-01-01T00:00:00Z"
    ]) {
      assert.isUndefined(parseMicros(text), text)
    }
  })

  it("reads dates that decide no order in any year", () => {
    const decode = Schema.decodeSync(DateFromTimestamp)
    assert.deepStrictEqual(decode("9999-12-31T23:59:59.999999Z"), new Date("9999-12-31T23:59:59.999Z"))
    assert.deepStrictEqual(decode("1969-12-31T23:59:59.5Z"), new Date(-500))
    assert.isUndefined(parseMicros("9999-12-31T23:59:59.999999Z"))
  })

  it("refuses what an offset moves to a year that is not written with four digits", () => {
    const decode = Schema.decodeOption(DateFromTimestamp)
    assert.isTrue(Option.isNone(decode("9999-12-31T23:59:59-01:00")))
    assert.isTrue(Option.isNone(decode("0000-01-01T00:00:00+01:00")))
    for (const year0 of ["0000-01-01T00:00:00Z", "0000-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+01:00"]) {
      assert.isTrue(Option.isNone(decode(year0)), year0)
    }
    assert.isTrue(Option.isSome(decode("0001-01-01T00:00:00Z")))
    assert.isTrue(Option.isSome(decode("9999-12-31T23:59:59+01:00")))
  })

  it("round-trips every microsecond until 2255", () => {
    const encode = Schema.encodeSync(EpochMicrosFromString)
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 0, max: 9_000_000_000_000_000 }), (micros) => {
        assert.strictEqual(
          parseMicros(encode(Schema.decodeSync(Schema.typeSchema(EpochMicrosFromString))(micros as never))),
          micros
        )
      })
    )
  })
})
