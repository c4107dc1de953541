/** The proof that no request does harm: none is taken for Polar's that is not, none breaks the handler or the store. */
import { readdirSync, readFileSync } from "node:fs"
import type { BillingStoreService } from "@kavach-polar/core/BillingStore"
import { subscriptionDelivery, subscriptionIn } from "@kavach-polar/core/testing/polarDeliveries"
import * as WebhookVerifier from "@kavach-polar/core/WebhookVerifier"
import type { Polar } from "@kavach-polar/http"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { storedBody } from "../../packages/core/src/records/storedBody.ts"
import { absurdBody } from "./absurdities.ts"
import { openCluster, versionOf, withServer } from "./Cluster.ts"
import { watchHeap } from "./heap.ts"
import { hostileText } from "./hostileText.ts"
import { type LentStore, lentStore } from "./lateSettings.ts"
import { isAsSigned, mutations, type Sent } from "./mutations.ts"
import { headersFor, signedRequest, startNode, webhookSecret, webhookUrl } from "./node.ts"
import { type Proof, type ProofOptions, storeNames } from "./Proof.ts"
import { type Random, randomOf } from "./seeded.ts"
import { chunked, flood, slow } from "./strangers.ts"

export const fuzz: Proof = {
  name: "fuzz",
  promise:
    "No request harms: nothing forged verifies, nothing is answered 5xx, large bodies are not read, memory stays.",
  stores: storeNames,
  defaultCount: 1_000_000,
  run: (options) => withServer(options.store, (server) => prove(options, server))
}

const limit = 1024 * 1024
/** What memory may grow by between the second and the last quarter of a run. */
const heapAllowance = 16 * 1024 * 1024
/** One request of so many goes through the whole handler, the others through the verifier alone. */
const handlerShare = 20
/** Requests to a node until a new one takes its place: a store in memory keeps all it gets. */
const nodeLife = 500

const folder = new URL("../fixtures/polar-webhooks/", import.meta.url)
const bodies = readdirSync(folder)
  .sort()
  .map((name) => readFileSync(new URL(name, folder), { encoding: "utf8" }))

interface Tally {
  readonly statuses: Map<number, number>
  verified: number
  refused: number
  absurd: number
  oversized: number
  hostile: number
  mostPulled: number
}

const prove = async ({ count, onlyIndex, progress, seed, store }: ProofOptions, server: string | undefined) => {
  const violations: Array<string> = []
  const broken = (index: number, what: string) =>
    violations.push(
      `request ${index}: ${what}. Again: npm run prove -- fuzz --store ${store} --seed ${seed} --only-index ${index}`
    )
  const unhandled = (reason: unknown) => violations.push(`a rejection that nobody handles: ${String(reason)}`)
  process.on("unhandledRejection", unhandled)
  const tally: Tally = {
    statuses: new Map(),
    verified: 0,
    refused: 0,
    absurd: 0,
    oversized: 0,
    hostile: 0,
    mostPulled: 0
  }
  const heap = watchHeap()
  const verifier = await Effect.runPromise(WebhookVerifier.make({ secrets: [Redacted.make(webhookSecret)] }))
  const prototype = Object.getOwnPropertyNames(Object.prototype).sort().join()
  let version = ""
  const first = onlyIndex ?? 0
  const end = onlyIndex === undefined ? count : onlyIndex + 1
  try {
    for (let from = first; from < end; from += nodeLife * handlerShare) {
      const to = Math.min(from + nodeLife * handlerShare, end)
      const life = Effect.gen(function* () {
        const cluster = yield* openCluster({ store, server, users: [], nodes: 1 })
        version ||= yield* versionOf(store, cluster)
        const lent = yield* lentStore(store, cluster)
        const node = startNode(lent.store)
        const place = { node, lent, inbox: cluster.stores[0] }
        yield* Effect.promise(async () => {
          for (let index = from; index < to; index++) {
            const random = randomOf(seed, index)
            const wrong =
              index % handlerShare === 0
                ? await throughHandler(place, random, tally)
                : throughVerifier(verifier, random, tally)
            if (wrong !== undefined) broken(index, wrong)
            if (index % 1000 === 0) {
              progress(`${index - first} of ${end - first} requests, ${violations.length} violations`)
              // The verifier never waits: let the rest of the process have its turn.
              await new Promise((resolve) => setImmediate(resolve))
            }
          }
          const random = randomOf(seed, to)
          const judge = (asked: Polar, request: Request) => answer(asked, request, tally)
          const body = Buffer.from(bodies.find((text) => text.includes("subscription.active")) ?? "{}")
          const drowned = await flood(node, random, body, judge)
          if (drowned !== undefined) broken(to - 1, drowned)
          // Once is enough: it takes as long as a body may.
          const held = from === first ? await slow(node, random, judge) : undefined
          if (held !== undefined) broken(to - 1, held)
          const unusable = await usable(node)
          if (unusable !== undefined) broken(to - 1, unusable)
          await node.dispose()
        })
      })
      await Effect.runPromise(Effect.scoped(life))
      if (Object.getOwnPropertyNames(Object.prototype).sort().join() !== prototype) {
        broken(to - 1, "Object.prototype has other properties than before")
        break
      }
      heap.sample()
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  } finally {
    process.off("unhandledRejection", unhandled)
  }
  const growth = heap.growth()
  if (onlyIndex === undefined && growth > heapAllowance) {
    violations.push(
      `the heap grew by ${growth} bytes, and may by ${heapAllowance}. Again: seed ${seed}, count ${count}`
    )
  }
  const { absurd, hostile, mostPulled, oversized, refused, statuses, verified } = tally
  return {
    violations,
    figures: {
      requests: end - first,
      throughHandler: [...statuses.values()].reduce((sum, times) => sum + times, 0),
      verified,
      refused,
      absurd,
      oversized,
      hostile,
      mostPulledOfOversized: mostPulled,
      statuses: [...statuses]
        .sort(([a], [b]) => a - b)
        .map(([status, times]) => `${status}: ${times}`)
        .join(", "),
      heapGrowthBytes: growth,
      heapBytes: heap.last(),
      version
    }
  }
}

/**
 * What was signed: a real body, under either scheme. For the verifier some bodies begin as a time and a dot, and what
 * is signed could then be cut into id, time and body at another place.
 */
const sentBy = (random: Random, ambiguous: boolean): Sent => {
  const real = bodies[random.int(bodies.length)] ?? "{}"
  const body = Buffer.from(ambiguous && random.chance(0.1) ? `${Math.floor(Date.now() / 1000)}.${real}` : real)
  const key = random.chance(0.5) ? "utf8" : "standard"
  // Some were signed long ago, or will be: far enough off that no slow machine makes them timely.
  const off = random.chance(0.08) ? (random.chance(0.5) ? -1 : 1) * (320 + random.int(100_000)) : 0
  return { headers: headersFor(random.uuid(), body, Math.floor(Date.now() / 1000) + off, key), body }
}

const isTimely = (sent: Sent): boolean => Math.abs(Date.now() / 1000 - Number(sent.headers["webhook-timestamp"])) < 305

interface Mutated {
  readonly sent: Sent
  /** All that was signed, and not long ago: a mutation may turn one delivery into the other. */
  readonly signed: ReadonlyArray<Sent>
  readonly came: Sent
  readonly how: string
}

/** One to three mutations, of which "nothing" is one. */
const mutated = (random: Random, ambiguous: boolean): Mutated => {
  const [sent, other] = [sentBy(random, ambiguous), sentBy(random, ambiguous)]
  let came = sent
  const how: Array<string> = []
  for (let times = 1 + random.int(3) * random.int(2); times > 0; times--) {
    const mutation = mutations[random.int(mutations.length)]
    if (mutation === undefined || came.body.length === 0) continue
    try {
      came = mutation.apply(came, other, random)
      how.push(mutation.name)
    } catch (error) {
      // A body that an earlier mutation broke cannot be parsed and written again.
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return { signed: [sent, other].filter(isTimely), sent, came, how: how.join(", then ") || "nothing" }
}

const throughVerifier = (
  verifier: (typeof WebhookVerifier.WebhookVerifier)["Service"],
  random: Random,
  tally: Tally
): string | undefined => {
  const { came, how, sent, signed } = mutated(random, true)
  const exit = Effect.runSyncExit(Effect.either(verifier.verify({ headers: came.headers, body: came.body })))
  if (Exit.isFailure(exit)) return `the verifier died after: ${how}`
  const verified = exit.value._tag === "Right"
  if (verified) tally.verified++
  else tally.refused++
  if (verified && !signed.some((sent) => isAsSigned(sent, came)))
    return `a delivery that nobody signed verifies after: ${how}`
  if (!verified && how === "nothing" && signed.includes(sent)) return "a delivery as Polar sends it does not verify"
  return undefined
}

interface Place {
  readonly node: Polar
  /** What the node's store is on. */
  readonly lent: LentStore
  /** The same database, past connections that are lent. */
  readonly inbox: BillingStoreService
}

const throughHandler = async (place: Place, random: Random, tally: Tally): Promise<string | undefined> => {
  const { node } = place
  const kind = random.int(20)
  if (kind === 0) return oversized(node, random, tally)
  if (kind === 1) return inPieces(node, random, tally)
  if (kind === 2) return hostile(place, random, tally)
  if (kind < 12) return absurd(node, random, tally)
  const { came, how, sent, signed } = mutated(random, false)
  let request: Request
  try {
    request = new Request(webhookUrl, { method: "POST", headers: { ...came.headers }, body: came.body })
  } catch {
    // Such a header cannot be sent at all.
    return throughHandler(place, random, tally)
  }
  const arrived: Sent = { headers: Object.fromEntries(request.headers), body: came.body }
  const asSigned = signed.some((sent) => isAsSigned(sent, arrived))
  const status = await answer(node, request, tally)
  if (typeof status === "string") return `${status} after: ${how}`
  // Authentic deliveries are taken, and those that are no event refused as such.
  if (status === 200 && !asSigned) return `a delivery that nobody signed is answered 200 after: ${how}`
  if (status !== 200 && how === "nothing" && signed.includes(sent))
    return `a delivery as Polar sends it is answered ${status}`
  return undefined
}

const inPieces = (node: Polar, random: Random, tally: Tally): Promise<string | undefined> => {
  const body = Buffer.from(bodies[random.int(bodies.length)] ?? "{}")
  return chunked(node, random, body, (asked, request) => answer(asked, request, tally))
}

const absurd = async (node: Polar, random: Random, tally: Tally): Promise<string | undefined> => {
  tally.absurd++
  const body = absurdBody(bodies[random.int(bodies.length)] ?? "{}", random)
  const status = await answer(node, signedRequest(random.uuid(), body), tally)
  if (typeof status === "string") return `${status} to an absurd body`
  const allowed = body.length > limit ? [413] : [200, 400]
  return allowed.includes(status) ? undefined : `an absurd body is answered ${status}`
}

/** What a buyer types, and a merchant names, stands in the inbox as it came: none of it was a part of a statement. */
const hostile = async ({ inbox, lent, node }: Place, random: Random, tally: Tally): Promise<string | undefined> => {
  tally.hostile++
  const settings = await lent.change(random)
  const text = () => hostileText(random)
  const scene = { customerId: random.uuid(), subscriptionId: random.uuid(), productId: random.uuid() }
  const says = { [text()]: text(), note: text() }
  const { body } = subscriptionDelivery(scene, "created", {
    // As long as an id of a user may be, in characters that take up to two units each.
    externalId: `${random.uuid()} ${[...text()].slice(0, 100).join("")}.`,
    patch: { customer_cancellation_comment: text(), metadata: says, custom_field_data: says }
  })
  const id = random.uuid()
  const status = await answer(node, signedRequest(id, body), tally)
  if (status !== 200) return `a hostile text is answered ${status}, with ${settings}`
  const [recorded, ...others] = await Effect.runPromise(inbox.deliveries({ ids: [id, "injected"] }))
  if (others.length > 0) return `a text has run as a statement, with ${settings}`
  if (recorded === undefined) return `a delivery that was answered 200 is not in the inbox, with ${settings}`
  const kept = storedBody(body, JSON.parse(body))
  return recorded.state === "applied" && recorded.body === kept
    ? undefined
    : `a hostile text is not kept as it came (${recorded.state}), with ${settings}`
}

/** Far more than is allowed, and an end all the same: who reads it whole is told, and not hung. */
const oversizedEnd = 32 * limit

/** In how many pieces a body may come. */
const mostPieces = 8192

/** Sends much more than is allowed, and sees how much of it is taken. */
const oversized = async (node: Polar, random: Random, tally: Tally): Promise<string | undefined> => {
  tally.oversized++
  const chunk = new Uint8Array(1 + random.int(256 * 1024)).fill(0x20)
  let pulled = 0
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled += chunk.length
      controller.enqueue(chunk)
      if (pulled > oversizedEnd) controller.close()
    }
  })
  const announced: { readonly "content-length"?: string } = random.chance(0.3)
    ? { "content-length": String(limit + 1 + random.int(limit)) }
    : {}
  const init: RequestInit & { readonly duplex: "half" } = {
    method: "POST",
    headers: { ...headersFor(random.uuid(), chunk), ...announced },
    body: stream,
    duplex: "half"
  }
  const status = await answer(node, new Request(webhookUrl, init), tally)
  tally.mostPulled = Math.max(tally.mostPulled, pulled)
  // In very small pieces there are too many before it is too large.
  const isCut = announced["content-length"] === undefined && Math.ceil((limit + 1) / chunk.length) > mostPieces
  if (status !== (isCut ? 400 : 413)) return `a body that is too large is answered ${status}`
  // What is read, the chunk that is one too many, and what the streams on the way hold ready.
  const allowed = limit + 4 * chunk.length
  return pulled <= allowed ? undefined : `${pulled} bytes of a body are read where ${limit} are allowed`
}

/** The status, or a sentence when the handler did not do what it always has to. */
const answer = async (node: Polar, request: Request, tally: Tally): Promise<number | string> => {
  try {
    const response = await node.webhook(request)
    const said: unknown = await response.json()
    tally.statuses.set(response.status, (tally.statuses.get(response.status) ?? 0) + 1)
    if (response.status >= 500) return `the answer is ${response.status} ${JSON.stringify(said)}`
    return response.status
  } catch (error) {
    return `the handler rejects with ${String(error)}`
  }
}

/** Whether a delivery still arrives, and can be read. */
const usable = async (node: Polar): Promise<string | undefined> => {
  const scene = { customerId: crypto.randomUUID(), subscriptionId: crypto.randomUUID(), productId: crypto.randomUUID() }
  const userId = `usr_${scene.customerId}`
  const delivery = subscriptionDelivery(scene, "created", { externalId: userId })
  const response = await node.webhook(signedRequest(delivery.id, delivery.body))
  const subscription = await node.getSubscription(userId)
  return response.status === 200 && subscription?.id === subscriptionIn(delivery).id
    ? undefined
    : `afterwards the store is not usable: ${response.status}`
}
