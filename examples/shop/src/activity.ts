/** What the shop was told by `onSubscriptionChange`, and the pages that want to hear of it at once. */

export interface Notification {
  readonly at: Date
  readonly userId: string
  readonly subscriptionId: string
  readonly status: string
  readonly productId: string
  readonly currentPeriodEnd: Date | null
  readonly cancelAtPeriodEnd: boolean
}

/** A notification, and what was known before; `undefined` of a subscription that is new. */
export interface Change extends Notification {
  readonly before: Notification | undefined
}

export interface Activity {
  readonly add: (notification: Notification) => void
  /** Something else that pages show has changed. */
  readonly changed: () => void
  /** What this user's subscriptions became, the newest first. */
  readonly of: (userId: string) => ReadonlyArray<Change>
  /** Grows with every notification and change. */
  readonly version: () => number
  /** Server-sent events: the version now, and whenever it grows. */
  readonly stream: () => Response
  /** Ends all streams. */
  readonly close: () => void
}

const kept = 100
const encoder = new TextEncoder()

// So many browsers are more than a demo has; the oldest makes room.
const streamLimit = 50

export const makeActivity = (): Activity => {
  let changes: ReadonlyArray<Change> = []
  let version = 0
  let closed = false
  const listeners = new Set<ReadableStreamDefaultController<Uint8Array>>()

  const event = () => encoder.encode(`data: ${version}\n\n`)

  const end = (listener: ReadableStreamDefaultController<Uint8Array>) => {
    listeners.delete(listener)
    listener.close()
  }

  const changed = () => {
    version += 1
    for (const listener of listeners) listener.enqueue(event())
  }

  return {
    add: (notification) => {
      const before = changes.find(({ subscriptionId }) => subscriptionId === notification.subscriptionId)
      changes = [{ ...notification, before }, ...changes].slice(0, kept)
      changed()
    },
    changed,
    of: (userId) => changes.filter((change) => change.userId === userId),
    version: () => version,
    stream: () => {
      let own: ReadableStreamDefaultController<Uint8Array> | undefined
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          if (closed) return controller.close()
          own = controller
          const [oldest] = listeners
          if (listeners.size >= streamLimit && oldest !== undefined) end(oldest)
          listeners.add(controller)
          controller.enqueue(encoder.encode("retry: 2000\n"))
          controller.enqueue(event())
        },
        cancel: () => {
          if (own !== undefined) listeners.delete(own)
        }
      })
      return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } })
    },
    close: () => {
      closed = true
      for (const listener of [...listeners]) end(listener)
    }
  }
}
