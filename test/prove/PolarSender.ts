/**
 * Polar, as an endpoint sees it: ten attempts with growing pauses, shorter here by a factor; the same id and body each
 * time, with a new timestamp and signature; first attempts in order, later ones whenever they are due; now and then what
 * was acknowledged comes once more (Polar docs: webhooks, delivery).
 */
import { signer } from "../e2e/serverProcess.ts"
import type { StoryEvent } from "./Story.ts"
import type { Random } from "./seeded.ts"

export interface SentDelivery {
  readonly event: StoryEvent
  /** Milliseconds since 1970, as all times here: just before the first attempt. */
  readonly firstSentAt: number
  /** When the whole answer 2xx was there. */
  acknowledgedAt?: number
  attempts: number
}

export interface Answer {
  readonly event: StoryEvent
  readonly status: number
  readonly retryAfter: string | null
  readonly body: string
  readonly startedAt: number
  readonly millis: number
}

export interface SenderOptions {
  /** Where the next attempt goes, if anything listens. */
  readonly target: () => string | undefined
  readonly secret: string
  readonly random: Random
  /** Every answer that came, whatever it says. */
  readonly onAnswer?: (answer: Answer) => void
  /** How long it waits for an answer; as long as Polar unless given. */
  readonly timeoutMillis?: number
  /** An attempt that had no answer in that time. */
  readonly onTimeout?: () => void
  /** An attempt whose connection broke before the answer, and when it began. */
  readonly onBroken?: (startedAt: number) => void
}

export interface PolarSender {
  readonly sent: ReadonlyMap<string, SentDelivery>
  /** Delivers for the first time; resolves after the first attempt, and the others follow by themselves. */
  readonly deliver: (event: StoryEvent) => Promise<void>
  /** How many deliveries are not acknowledged yet. */
  readonly backlog: () => number
  /** Delivers at once, by workers of its own, what may have been acknowledged already. */
  readonly again: (event: StoryEvent) => Promise<void>
  /** Resolves once nothing is under way: all acknowledged, or given up after ten attempts. */
  readonly quiet: () => Promise<void>
  /** Delivers what was given up, as a person does in Polar's dashboard. */
  readonly redeliverByHand: () => number
  readonly counts: () => {
    readonly attempts: number
    readonly failed: number
    readonly redelivered: number
    readonly repeated: number
  }
}

const mostAttempts = 10
const workers = 16
/** Polar's own limit. */
const polarTimeoutMillis = 10_000
const firstPauseMillis = 100
const longestPauseMillis = 3000

export const makeSender = ({
  onAnswer,
  onBroken,
  onTimeout,
  random,
  secret,
  target,
  timeoutMillis = polarTimeoutMillis
}: SenderOptions): PolarSender => {
  const webhook = signer(secret, "standard")
  const sent = new Map<string, SentDelivery>()
  const underWay = new Set<Promise<void>>()
  const counts = { attempts: 0, failed: 0, redelivered: 0, repeated: 0 }

  // Polar has so many workers, and what is due waits for one of them.
  let free = workers
  const waiting: Array<() => void> = []
  const byWorker = async <A>(work: () => Promise<A>): Promise<A> => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }

  /** Whether it was acknowledged. */
  const attempt = async (event: StoryEvent): Promise<boolean> => {
    const { body, id } = event
    counts.attempts += 1
    const url = target()
    if (url === undefined) return false
    const now = new Date()
    try {
      const response = await fetch(`${url}/auth/polar/webhook`, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMillis),
        headers: {
          "user-agent": "polar.sh webhooks",
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
          "webhook-signature": webhook.sign(id, now, body)
        },
        body
      })
      const text = await response.text()
      onAnswer?.({
        event,
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        body: text,
        startedAt: now.getTime(),
        millis: Date.now() - now.getTime()
      })
      return response.ok
    } catch (error) {
      // No server, a connection that broke, or no answer in time: to Polar all of these are a failed attempt.
      if (error instanceof Error && error.name === "TimeoutError") onTimeout?.()
      else onBroken?.(now.getTime())
      return false
    }
  }

  const follow = (work: Promise<void>) => {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }

  const tryOnce = async (delivery: SentDelivery): Promise<boolean> => {
    delivery.attempts += 1
    if (await byWorker(() => attempt(delivery.event))) delivery.acknowledgedAt ??= Date.now()
    else counts.failed += 1
    return delivery.acknowledgedAt !== undefined
  }

  const persist = async (delivery: SentDelivery): Promise<void> => {
    for (let failed = 1; failed < mostAttempts; failed++) {
      const longest = Math.min(firstPauseMillis * 2 ** failed, longestPauseMillis)
      await pause(longest / 2 + random.int(longest / 2))
      counts.redelivered += 1
      if (await tryOnce(delivery)) return
    }
  }

  /** The worker died between our answer and its own commit. */
  const repeat = async (delivery: SentDelivery): Promise<void> => {
    await pause(random.int(2000))
    counts.repeated += 1
    await byWorker(() => attempt(delivery.event))
  }

  return {
    sent,
    deliver: async (event) => {
      const delivery: SentDelivery = { event, firstSentAt: Date.now(), attempts: 0 }
      sent.set(event.id, delivery)
      const first = tryOnce(delivery)
      follow(first.then((acknowledged) => (acknowledged ? undefined : persist(delivery))))
      if ((await first) && random.chance(0.03)) follow(repeat(delivery))
    },
    again: async (event) => {
      await attempt(event)
    },
    backlog: () => underWay.size,
    quiet: async () => {
      while (underWay.size > 0) await Promise.all(underWay)
    },
    redeliverByHand: () => {
      const dead = [...sent.values()].filter(({ acknowledgedAt }) => acknowledgedAt === undefined)
      for (const delivery of dead) follow(persist(delivery))
      return dead.length
    },
    counts: () => ({ ...counts })
  }
}

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
