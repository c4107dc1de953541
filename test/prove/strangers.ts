/** Requests of strangers who mind how a body comes rather than what is in it: in pieces, slowly, many at once. */
import type { Polar } from "@kavach-polar/http"
import { headersFor, signedRequest, webhookUrl } from "./node.ts"
import type { Random } from "./seeded.ts"

type Init = RequestInit & { readonly duplex: "half" }

const requestOf = (headers: Readonly<Record<string, string>>, body: ReadableStream<Uint8Array>): Request => {
  const init: Init = { method: "POST", headers: { ...headers }, body, duplex: "half" }
  return new Request(webhookUrl, init)
}

/** A body cut into pieces of this size, and how many of them were taken. */
const inPieces = (body: Uint8Array, size: number) => {
  let offset = 0
  let taken = 0
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (offset >= body.length) return controller.close()
        taken += 1
        controller.enqueue(body.slice(offset, offset + size))
        offset += size
      }
    },
    { highWaterMark: 0 }
  )
  return { stream, taken: () => taken }
}

/** A sentence when the answer is not what it has to be. */
export type Judge = (node: Polar, request: Request) => Promise<number | string>

/** However a delivery is cut, it is taken; and of what cannot be one, not a piece is. */
export const chunked = async (
  node: Polar,
  random: Random,
  body: Uint8Array,
  answer: Judge
): Promise<string | undefined> => {
  const size = 1 + random.int(random.chance(0.5) ? 4 : 4000)
  const signed = inPieces(body, size)
  const headers = headersFor(random.uuid(), body, Math.floor(Date.now() / 1000), "utf8")
  const status = await answer(node, requestOf(headers, signed.stream))
  const expected = Math.ceil(body.length / size) > 8192 ? 400 : 200
  if (status !== expected) return `a delivery in pieces of ${size} bytes is answered ${status}`

  const endless = inPieces(new Uint8Array(3_000_000), 1)
  const likely = { ...headers, "webhook-id": random.uuid() }
  const cut = await answer(node, requestOf(likely, endless.stream))
  if (cut !== 400) return `an endless body in pieces of one byte is answered ${cut}`
  if (endless.taken() > 8200) return `${endless.taken()} pieces of one byte are taken`

  const unsigned = inPieces(body, size)
  const refused = await answer(node, requestOf({}, unsigned.stream))
  if (refused !== 400 || unsigned.taken() > 0) {
    return `a request without headers is answered ${refused} after ${unsigned.taken()} pieces`
  }
  return undefined
}

/** Bodies that never end are given up, and nobody waits for them. */
export const slow = async (node: Polar, random: Random, answer: Judge): Promise<string | undefined> => {
  const began = performance.now()
  const statuses = await Promise.all(
    Array.from({ length: 50 }, () => {
      const never = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(1000)) })
      const headers = headersFor(random.uuid(), new Uint8Array(0), Math.floor(Date.now() / 1000), "utf8")
      return answer(node, requestOf(headers, never))
    })
  )
  const other = statuses.find((status) => status !== 408)
  if (other !== undefined) return `a body that never ends is answered ${other}`
  const seconds = (performance.now() - began) / 1000
  return seconds < 60 ? undefined : `bodies that never end were held for ${seconds.toFixed(0)} seconds`
}

/** Among many forged ones at once, those that are signed are taken. */
export const flood = async (
  node: Polar,
  random: Random,
  body: Uint8Array,
  answer: Judge
): Promise<string | undefined> => {
  const large = new Uint8Array(200_000).fill(0x20)
  const forged = Array.from({ length: 60 }, () => {
    const headers = headersFor(random.uuid(), new Uint8Array(1), Math.floor(Date.now() / 1000), "utf8")
    return answer(node, new Request(webhookUrl, { method: "POST", headers: { ...headers }, body: large }))
  })
  const signed = Array.from({ length: 5 }, () => answer(node, signedRequest(random.uuid(), body)))
  const wrong = (await Promise.all(signed)).find((status) => status !== 200)
  if (wrong !== undefined) return `in a flood a delivery is answered ${wrong}`
  const other = (await Promise.all(forged)).find((status) => status !== 403)
  return other === undefined ? undefined : `in a flood a forged delivery is answered ${other}`
}
