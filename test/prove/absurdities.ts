/** Bodies that are JSON, or nearly so, and that nobody in their right mind sends. They are correctly signed. */
import { Buffer } from "node:buffer"
import type { Random } from "./seeded.ts"

/** JSON texts, since no value in JavaScript holds most of these. */
const values: readonly [(random: Random) => string, ...ReadonlyArray<(random: Random) => string>] = [
  () => "null",
  () => "true",
  () => "[]",
  () => "{}",
  () => '""',
  () => "1e400",
  () => "-1e400",
  () => "-0",
  () => "1e-400",
  () => "123456789012345678901234567890",
  () => "0.1e-7",
  () => '"\\ud800"',
  () => '"\\udc00\\ud800"',
  () => '"\\u0000"',
  () => '"a\\u0000b"',
  () => '"\\ufeff"',
  () => '"\ud83d\ude00"',
  () => '"+275760-09-13T00:00:00.001Z"',
  () => '"0000-00-00T00:00:00Z"',
  () => '"9999-12-31T23:59:59.999999Z"',
  () => '"0001-01-01T00:00:00Z"',
  () => '"2026-02-30T25:61:61Z"',
  () => '{"__proto__":{"polluted":true}}',
  () => '{"constructor":{"prototype":{"polluted":true}}}',
  () => '{"toString":null,"valueOf":null,"hasOwnProperty":1}',
  (random) => `"${"x".repeat(random.int(200_000))}"`,
  (random) => "[".repeat(random.int(5000)) + "]".repeat(random.int(5000)),
  (random) => {
    const depth = random.int(20_000)
    return "[".repeat(depth) + "]".repeat(depth)
  },
  (random) => {
    const depth = random.int(20_000)
    return `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`
  },
  (random) => `[${Array.from({ length: random.int(5000) }, () => "0").join(",")}]`,
  (random) => `{${Array.from({ length: random.int(2000) }, (_, key) => `"k${key}":${key}`).join(",")}}`
]

/** A real body in which a value, or several, became absurd; or no such body at all. */
export const absurdBody = (real: string, random: Random): Uint8Array => {
  const value = () => random.pick(values)(random)
  switch (random.int(8)) {
    case 0:
      return Buffer.from(value())
    case 1:
      return Buffer.from(`{"type":${value()},"timestamp":${value()},"data":${value()}}`)
    case 2:
      // The same key twice: the last one counts.
      return Buffer.from(
        real.replace('"data":{', `"data":{"id":${value()},"status":${value()},"__proto__":${value()},`)
      )
    case 3: {
      const bytes = Uint8Array.from(Buffer.from(real))
      bytes[random.int(bytes.length)] = 0x80 + random.int(0x80)
      return bytes
    }
    case 4:
      return Buffer.from(`\ufeff${real}`)
    default: {
      let text = real
      for (let times = 1 + random.int(3); times > 0; times--) text = replaceOne(text, value(), random)
      return Buffer.from(text)
    }
  }
}

const scalar = /"(?:[^"\\]|\\.)*"(?=[,}\]])|null(?=[,}])|(?:true|false)(?=[,}])|-?\d+(?:\.\d+)?(?=[,}])/g

const replaceOne = (text: string, value: string, random: Random): string => {
  const places = [...text.matchAll(scalar)]
  const place = places[random.int(places.length)]
  if (place === undefined) return text
  return text.slice(0, place.index) + value + text.slice(place.index + place[0].length)
}
