/**
 * The yardstick "raw": what a good engineer writes by hand in an afternoon. A bare handler that verifies with
 * `standardwebhooks` and does the same effect on the raw driver, in one transaction for each delivery: begin, inbox
 * insert, guarded upsert, user update, outbox insert, commit.
 */
import type { IncomingHttpHeaders } from "node:http"
import { Webhook, WebhookVerificationError } from "standardwebhooks"
import type { StoreName } from "../Bench.ts"
import { bareServer, Forged } from "./bareServer.ts"
import type { PolarEvent } from "./PolarEvent.ts"
import { openLibsql } from "./rawLibsql.ts"
import { openMysql } from "./rawMysql.ts"
import { openPostgres } from "./rawPostgres.ts"
import { openSqlite } from "./rawSqlite.ts"
import type { Subject, SubjectSettings } from "./Subject.ts"

/** The effect by hand, on one database. */
export interface RawStore {
  /** Does nothing when the delivery was recorded before. */
  readonly apply: (deliveryId: string, event: PolarEvent, body: string) => Promise<void> | void
  /** The user's live subscriptions, by a prepared statement. */
  readonly subscriptionsOf: (userId: string) => Promise<ReadonlyArray<unknown>> | ReadonlyArray<unknown>
  /** The statements of a checkout: the user's customer, the user, and the row of the new checkout. */
  readonly checkout: (userId: string, checkoutId: string) => Promise<void> | void
  readonly close: () => Promise<void>
}

const openers: Record<StoreName, (url: string) => Promise<RawStore> | RawStore> = {
  sqlite: openSqlite,
  libsql: openLibsql,
  postgres: openPostgres,
  // The same app: what is compared is what it would have written without us, on the driver that most have.
  "postgres-js": openPostgres,
  mysql: openMysql,
  mariadb: openMysql
}

export const startRaw = async ({ secret, store, url }: SubjectSettings): Promise<Subject> => {
  const database = await openers[store](url)
  // The whole secret is the key; the package wants it in base64.
  const webhook = new Webhook(Buffer.from(secret).toString("base64"))
  const { close, port } = await bareServer((body, headers) => {
    const event = verify(webhook, body, headers)
    return database.apply(String(headers["webhook-id"]), event, body)
  })
  return {
    port,
    getSubscription: database.subscriptionsOf,
    close: async () => {
      await close()
      await database.close()
    },
    createCheckout: async (userId) => {
      const { instantCheckout } = await import("./instantCheckout.ts")
      const { id, url: address } = instantCheckout()
      await database.checkout(userId, id)
      return { id, url: address }
    }
  }
}

const verify = (webhook: Webhook, body: string, headers: IncomingHttpHeaders): PolarEvent => {
  try {
    // What the package gives back was signed by Polar, and that is what its shape is trusted on.
    return webhook.verify(body, headers as Record<string, string>) as PolarEvent
  } catch (error) {
    throw error instanceof WebhookVerificationError ? new Forged(error.message) : error
  }
}
