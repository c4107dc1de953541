/** What somebody did with billing's console, as the audit trail keeps it. */

export interface Action {
  readonly id: string
  readonly at: Date
  /** Who did it, as the app's `authorize` said. */
  readonly who: string
  /** Such as `delivery.replay`. */
  readonly action: string
  /** The id of what it was done to: a user's, a customer's, a delivery's. */
  readonly subject: string | null
  /** What was asked for, as JSON. */
  readonly detail: string | null
  /** What came of it, as a sentence; begins with `failed` where nothing did. */
  readonly result: string
}

/**
 * Which of the audit trail, the newest first; every condition given must hold.
 *
 * @example
 * Effect.gen(function* () {
 *   const store = yield* BillingStore.BillingStore
 *   const first = yield* store.actions({ subject: "user_1", limit: 20 })
 *   return yield* store.actions({ subject: "user_1", limit: 20, following: first.at(-1) })
 * })
 */
export interface ActionQuery {
  readonly subject?: string | undefined
  /** One of the list: only what comes after it, for the next page. */
  readonly following?: Pick<Action, "id" | "at"> | undefined
  /** Default: 100. */
  readonly limit?: number | undefined
}
