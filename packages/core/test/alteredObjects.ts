/** Polar's example objects, altered in any way that JSON allows. */
import { FastCheck } from "effect"

/** Anything that can stand in a field, and what is nearly right more often than not. */
export const anyJson: FastCheck.Arbitrary<unknown> = FastCheck.oneof(
  FastCheck.constantFrom<unknown>(
    null,
    "",
    "a\0b",
    "\ud800",
    "x".repeat(64),
    "x".repeat(65),
    "ü",
    0,
    -1,
    12.5,
    1e21,
    [],
    {},
    { id: "cus", external_id: 7 },
    { id: "cus", external_id: "usr", organization_id: "" },
    { kavach_user_id: "usr" },
    JSON.parse('{"__proto__":{"kavach_user_id":"usr"},"constructor":1}'),
    "2026-10-05T14:22:08Z",
    "2026-10-05T14:22:08.412345Z",
    "2026-10-05 14:22:08.412+02:00",
    "9999-12-31T23:59:59-12:00",
    "0000-01-01T00:00:00+12:00",
    "1969-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "paid",
    "succeeded"
  ),
  FastCheck.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))
)

/** Some of the object's fields are anything, and some are not there. */
export const altered = (
  objects: ReadonlyArray<Readonly<Record<string, unknown>>>
): FastCheck.Arbitrary<Readonly<Record<string, unknown>>> =>
  FastCheck.constantFrom(...objects).chain((object) =>
    FastCheck.tuple(
      FastCheck.dictionary(FastCheck.constantFrom(...Object.keys(object)), anyJson, { maxKeys: 4 }),
      FastCheck.subarray(Object.keys(object), { maxLength: 3 })
    ).map(([changes, absent]) =>
      Object.fromEntries(Object.entries({ ...object, ...changes }).filter(([key]) => !absent.includes(key)))
    )
  )
