/** Deliveries that were signed, and what becomes of them on the way: nothing, or something. */
import { Buffer } from "node:buffer"
import type { Random } from "./seeded.ts"

export interface Sent {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface Mutation {
  readonly name: string
  readonly apply: (sent: Sent, other: Sent, random: Random) => Sent
}

const names = ["webhook-id", "webhook-timestamp", "webhook-signature"] as const

const header = (sent: Sent, name: string): string => sent.headers[name] ?? ""

const withHeader = (sent: Sent, name: string, value: string): Sent => ({
  ...sent,
  headers: { ...sent.headers, [name]: value }
})

const without = (sent: Sent, name: string): Sent => ({
  ...sent,
  headers: Object.fromEntries(Object.entries(sent.headers).filter(([key]) => key !== name))
})

const withBody = (sent: Sent, body: Uint8Array): Sent => ({ ...sent, body })

const spliced = (text: string, at: number, remove: number, insert: string): string =>
  text.slice(0, at) + insert + text.slice(at + remove)

const junk = [
  "",
  " ",
  "\t",
  "0",
  "-1",
  "1e400",
  "NaN",
  "Infinity",
  "null",
  ".",
  ",",
  "v1,",
  "v2,",
  "v1a,",
  "\u00e9",
  "\u00a0",
  "\u00ff",
  "%00",
  "'",
  '"',
  "{}",
  "[]",
  "__proto__",
  "constructor"
] as const

const invisible = ["\ufeff", "\u200b", "\u2028", "e\u0301", "\ud83d\ude00", "\u0000", "\ud800"] as const

/** Every one leaves a valid request, and most of them one that nobody signed. */
export const mutations: ReadonlyArray<Mutation> = [
  { name: "nothing", apply: (sent) => sent },
  {
    name: "a bit of the body",
    apply: (sent, _, random) => {
      const body = Uint8Array.from(sent.body)
      const at = random.int(body.length)
      body[at] = (body[at] ?? 0) ^ (1 << random.int(8))
      return withBody(sent, body)
    }
  },
  {
    name: "a shorter body",
    apply: (sent, _, random) => withBody(sent, sent.body.subarray(0, random.int(sent.body.length)))
  },
  {
    name: "a longer body",
    apply: (sent, _, random) =>
      withBody(sent, Buffer.concat([sent.body, Buffer.from(random.pick([" ", "\n", "\0", "}", "\ufeff"]))]))
  },
  { name: "another's body", apply: (sent, other) => withBody(sent, other.body) },
  {
    name: "the body, parsed and written again",
    apply: (sent) =>
      withBody(sent, Buffer.from(JSON.stringify(JSON.parse(Buffer.from(sent.body).toString("utf8")), null, 1)))
  },
  {
    name: "characters in the body that nobody sees",
    apply: (sent, _, random) => {
      const at = random.int(sent.body.length)
      const inserted = Buffer.from(random.pick(invisible))
      return withBody(sent, Buffer.concat([sent.body.subarray(0, at), inserted, sent.body.subarray(at)]))
    }
  },
  { name: "a header is missing", apply: (sent, _, random) => without(sent, random.pick(names)) },
  {
    name: "two headers changed places",
    apply: (sent, _, random) => {
      const [a, b] = random.shuffle(names)
      if (a === undefined || b === undefined) return sent
      return withHeader(withHeader(sent, a, header(sent, b)), b, header(sent, a))
    }
  },
  {
    name: "another's header",
    apply: (sent, other, random) => {
      const name = random.pick(names)
      return withHeader(sent, name, header(other, name))
    }
  },
  {
    name: "another's headers, this body",
    apply: (sent, other) => ({ ...sent, headers: other.headers })
  },
  {
    name: "junk in a header",
    apply: (sent, _, random) => {
      const name = random.pick(names)
      const value = header(sent, name)
      return withHeader(sent, name, spliced(value, random.int(value.length + 1), random.int(3), random.pick(junk)))
    }
  },
  {
    name: "a character of a header",
    apply: (sent, _, random) => {
      const name = random.pick(names)
      const value = header(sent, name)
      return withHeader(
        sent,
        name,
        spliced(value, random.int(value.length), 1, String.fromCharCode(33 + random.int(94)))
      )
    }
  },
  {
    name: "what is signed, cut elsewhere",
    apply: (sent) => {
      const [id, time] = [header(sent, "webhook-id"), header(sent, "webhook-timestamp")]
      const next = /^\d+(?=\.)/.exec(Buffer.from(sent.body.subarray(0, 20)).toString("latin1"))?.[0]
      if (next === undefined) {
        return withHeader(
          withHeader(sent, "webhook-id", `${id}.${time.slice(0, 5)}`),
          "webhook-timestamp",
          time.slice(5)
        )
      }
      const cut = withHeader(withHeader(sent, "webhook-id", `${id}.${time}`), "webhook-timestamp", next)
      return withBody(cut, sent.body.subarray(next.length + 1))
    }
  },
  {
    name: "another time",
    apply: (sent, _, random) => {
      const time = Number(header(sent, "webhook-timestamp"))
      const other = [time + 1 + random.int(200), time - 301 - random.int(1000), time * 1000, -time, time + 0.5]
      const [first = 0, ...rest] = other
      return withHeader(sent, "webhook-timestamp", String(random.pick([first, ...rest])))
    }
  },
  {
    name: "the time, spelled otherwise",
    apply: (sent, _, random) => {
      const time = header(sent, "webhook-timestamp")
      return withHeader(
        sent,
        "webhook-timestamp",
        random.pick([`0${time}`, `+${time}`, `${time}.0`, `${time}e0`, ` ${time} `, `0x${Number(time).toString(16)}`])
      )
    }
  },
  {
    name: "a repeated header",
    apply: (sent, other, random) => {
      const name = random.pick(names)
      const glue = random.pick([", ", ",", " "])
      return withHeader(sent, name, [header(other, name), header(sent, name)].join(glue))
    }
  },
  {
    name: "several signatures",
    apply: (sent, other, random) => {
      const several = random.shuffle([header(sent, "webhook-signature"), header(other, "webhook-signature"), "v2,abc"])
      return withHeader(sent, "webhook-signature", several.join(" "))
    }
  },
  {
    name: "a very long header",
    apply: (sent, _, random) => {
      const name = random.pick(names)
      return withHeader(sent, name, header(sent, name).repeat(2 + random.int(200)))
    }
  },
  {
    name: "header names in capitals",
    apply: (sent) => ({
      ...sent,
      headers: Object.fromEntries(Object.entries(sent.headers).map(([name, value]) => [name.toUpperCase(), value]))
    })
  },
  { name: "no body", apply: (sent) => withBody(sent, new Uint8Array(0)) }
]

/** Whether what was signed is what came, with the signature among those that came. */
export const isAsSigned = (sent: Sent, came: Sent): boolean => {
  const lower = Object.fromEntries(Object.entries(came.headers).map(([name, value]) => [name.toLowerCase(), value]))
  return (
    lower["webhook-id"] === header(sent, "webhook-id") &&
    lower["webhook-timestamp"] === header(sent, "webhook-timestamp") &&
    (lower["webhook-signature"] ?? "").split(" ").includes(header(sent, "webhook-signature")) &&
    Buffer.compare(sent.body, came.body) === 0
  )
}
