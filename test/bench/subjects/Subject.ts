/** What is measured: a webhook endpoint, and reads, on a database that is migrated. */
import type { StoreName } from "../Bench.ts"

export interface SubjectSettings {
  readonly store: StoreName
  /** The database's address, or SQLite's file. */
  readonly url: string
  readonly secret: string
}

export interface Subject {
  /** Where its webhook endpoint listens. */
  readonly port: number
  /** The subscription of a user, or null. */
  readonly getSubscription?: (userId: string) => unknown
  /** Whether the user has access. */
  readonly access?: (userId: string) => unknown
  /** Whether the user has the benefit that `grant` grants, asked for by its key. */
  readonly has?: (userId: string) => unknown
  /** Whether the user owns the product that `order` is an order of. */
  readonly owns?: (userId: string) => unknown
  /** A checkout at a Polar that answers at once. */
  readonly createCheckout?: (userId: string) => unknown
  /** Calls back with the `webhook-id` of every delivery that is answered from here on. */
  readonly onAnswered?: (callback: (deliveryId: string | undefined) => void) => void
  /** Calls back with the subscription's id whenever the app is told of a change. */
  readonly onNotified?: (callback: (subscriptionId: string) => void) => void
  readonly close: () => Promise<void>
}
