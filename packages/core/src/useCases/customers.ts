/** Whose customers and records are, as an operator looks at it, and puts it right. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { PolarClient } from "../polar/PolarClient.ts"
import { kindNamed, ownedKinds } from "../records/kinds.ts"
import { isRecordedIn, metadataInStored, userIdIn } from "../records/PolarObjects.ts"
import type { LinkChangeRow, LinkSource, RecordRow } from "../records/rows.ts"
import type { AccessPolicy } from "../rules/AccessPolicy.ts"
import { isSoldElsewhere } from "../rules/identity.ts"
import { randomId } from "../runtime/randomId.ts"
import type { LinkChangeAnswer, LinkChangeRequest } from "../steps/changeLink.ts"
import type { BillingStoreService } from "../store/BillingStore.ts"
import { CustomerLinkedToAnotherUser, type StoreError } from "../store/StoreError.ts"
import type { CustomerId, UserId } from "../values/ids.ts"
import type { NotificationDispatcher } from "./NotificationDispatcher.ts"
import { makeTimeline, type Timeline, type TimelineOptions } from "./timeline.ts"

/** No customer and no record of this id is known. */
export class NothingKnown extends Schema.TaggedError<NothingKnown>()("NothingKnown", { id: Schema.String }) {
  override get message(): string {
    return `Nothing is known of ${this.id}: it is no customer that is linked or has records, and no record. \`customers.waiting()\` and \`customers.of(userId)\` list the ids; a customer of whom nothing has come yet is linked with \`customers.link\`.`
  }
}

/** A record that nobody is known to have, and what it offers as evidence. */
export interface WaitingRecord {
  /** subscription, order, refund or benefit_grant. */
  readonly kind: string
  readonly id: string
  readonly customerId: string | null
  readonly productId: string | null
  readonly status: string
  readonly isLive: boolean
  readonly updatedAt: Date
  readonly evidence: {
    /** The user whom the metadata names. */
    readonly metadataUserId: string | null
    readonly checkoutId: string | null
    readonly subscriptionId: string | null
    readonly orderId: string | null
    /**
     * Its checkout bears the mark of those that are recorded, and no record of it is here: another deployment's, it seems. Or that
     * is so of what it hangs on.
     */
    readonly isMadeElsewhere: boolean
  }
}

/**
 * @example
 * await billing.customers.waiting({ limit: 20 })
 */
export interface WaitingOptions {
  /** Default: 1000. */
  readonly limit?: number | undefined
}

/** What a user has, why, and what was put right by hand. */
export interface UsersCustomers {
  readonly customers: ReadonlyArray<{
    readonly customerId: string
    readonly linkedBy: LinkSource
    readonly linkedAt: Date
    /** When Polar deleted it. */
    readonly deletedAt: Date | null
  }>
  readonly records: ReadonlyArray<{
    readonly kind: string
    readonly id: string
    readonly customerId: string | null
    /** What said that it is theirs: see docs/how-it-works.md. */
    readonly ownedBy: string | null
    readonly status: string
    readonly isLive: boolean
  }>
  /** The newest first. */
  readonly changes: ReadonlyArray<{
    readonly action: LinkChangeRow["action"]
    readonly customerId: string | null
    /** Kind and id, of a record that was moved by itself. */
    readonly record: string | null
    readonly from: string | null
    readonly to: string | null
    readonly by: string | null
    readonly at: Date
  }>
}

/**
 * @example
 * await billing.customers.link("user_1", customerId, { by: "Lin of support", dryRun: true })
 */
export interface LinkChangeOptions {
  /** Who does it: kept with the change. */
  readonly by?: string | undefined
  /** Look and report, and change nothing. */
  readonly dryRun?: boolean | undefined
}

/**
 * @example
 * await billing.customers.move(customerId, { to: "user_2", by: "Lin of support", dryRun: true })
 */
export interface MoveOptions<To = UserId> extends LinkChangeOptions {
  readonly to: To
}

/** What a change of a link did, or would do. */
export interface LinkChange {
  /** `false` where it was so before. */
  readonly changed: boolean
  /** Whose it was. */
  readonly from: string | null
  /** The records that have another user now, or none. */
  readonly records: ReadonlyArray<{ readonly kind: string; readonly id: string }>
  /** How many notifications of it are queued. */
  readonly notified: number
}

export interface Customers {
  /** What waits for its user, and what it offers as evidence. */
  readonly waiting: (options?: WaitingOptions) => Effect.Effect<ReadonlyArray<WaitingRecord>, StoreError>
  /** The user's customers and records, and what was put right by hand. */
  readonly of: (userId: UserId) => Effect.Effect<UsersCustomers, StoreError>
  /**
   * All that is known of one person, by a user's id, an e-mail address, or Polar's id of a customer, a subscription, an order or
   * a checkout: links, records, deliveries, what the app was told, access and its reason, and what helps. With `polar`, beside it
   * what Polar has. It changes nothing.
   */
  readonly timeline: (query: string, options?: TimelineOptions) => Effect.Effect<Timeline, StoreError>
  /** Links a customer that is nobody's, and gives the user what waits of it. */
  readonly link: (
    userId: UserId,
    customerId: CustomerId,
    options?: LinkChangeOptions
  ) => Effect.Effect<LinkChange, StoreError | CustomerLinkedToAnotherUser>
  /**
   * Gives a customer to another user, with all of it that was the user's before or waits; or one record, with what hangs on
   * it. Nothing that Polar says later undoes it.
   */
  readonly move: (id: string, options: MoveOptions) => Effect.Effect<LinkChange, StoreError | NothingKnown>
  /**
   * Ends a link. What the user had by no more than it waits from then on; only a checkout of this app, or somebody's word,
   * gives it to somebody.
   */
  readonly unlink: (
    customerId: CustomerId,
    options?: LinkChangeOptions
  ) => Effect.Effect<LinkChange, StoreError | NothingKnown>
}

interface Ports {
  readonly client: typeof PolarClient.Service
  readonly store: BillingStoreService
  readonly dispatcher: typeof NotificationDispatcher.Service
  readonly policy: AccessPolicy
}

const pageSize = 100

export const makeCustomers = ({ client, dispatcher, policy, store }: Ports): Customers => {
  const change = (
    request: Omit<LinkChangeRequest, "changeId" | "by">,
    { by, dryRun }: LinkChangeOptions
  ): Effect.Effect<LinkChangeAnswer, StoreError> =>
    Effect.gen(function* () {
      const changeId = yield* randomId
      const answer = yield* store.changeLink({ ...request, changeId, by: by ?? null }, policy, {
        handlers: dispatcher.handlers,
        dryRun
      })
      if (answer.notified > 0 && dryRun !== true) yield* dispatcher.wake
      return answer
    })

  const orUnknown = (id: string, answer: LinkChangeAnswer) =>
    answer.state === "unknown" ? new NothingKnown({ id }) : Effect.succeed(changeOf(answer))

  return {
    waiting: ({ limit = 1000 } = {}) =>
      Stream.fromIterable(ownedKinds).pipe(
        Stream.flatMap(({ name }) => unlinkedOf(store, name)),
        Stream.take(limit),
        Stream.map(waitingRecord),
        Stream.runCollect,
        Effect.map(Chunk.toReadonlyArray)
      ),
    of: (userId) =>
      Effect.map(store.ownershipOf(userId), ({ changes, links, records }) => ({
        customers: links.map(({ customerId, deletedAt, linkedAt, linkedBy }) => ({
          customerId,
          linkedBy,
          linkedAt: new Date(linkedAt),
          deletedAt: deletedAt === null ? null : new Date(deletedAt)
        })),
        records: records.filter(isHad).map(({ customerId, id, kind, live, ownedBy, status }) => ({
          kind,
          id,
          customerId,
          ownedBy,
          status,
          isLive: live
        })),
        changes: changes.map(({ action, changedAt, changedBy, customerId, fromUserId, recordKey, toUserId }) => ({
          action,
          customerId,
          record: recordKey,
          from: fromUserId,
          to: toUserId,
          by: changedBy,
          at: new Date(changedAt)
        }))
      })),
    timeline: makeTimeline({ client, store, policy }),
    link: (userId, customerId, options = {}) =>
      Effect.flatMap(change({ action: "link", id: customerId, to: userId }, options), (answer) =>
        answer.state === "taken" ? new CustomerLinkedToAnotherUser({ customerId }) : Effect.succeed(changeOf(answer))
      ),
    move: (id, { to, ...options }) =>
      Effect.flatMap(change({ action: "move", id, to }, options), (answer) => orUnknown(id, answer)),
    unlink: (customerId, options = {}) =>
      Effect.flatMap(change({ action: "unlink", id: customerId, to: null }, options), (answer) =>
        orUnknown(customerId, answer)
      )
  }
}

/** A checkout or a seat only tells of somebody; of a later version's kinds nobody knows. */
const isHad = ({ kind }: { readonly kind: string }): boolean => kindNamed(kind)?.isOwned ?? true

const changeOf = ({ from, notified, records, state }: LinkChangeAnswer): LinkChange => ({
  changed: state === "changed",
  from,
  records,
  notified
})

const unlinkedOf = (store: BillingStoreService, kind: string) =>
  Stream.paginateChunkEffect(undefined as string | undefined, (after) =>
    Effect.map(store.recordPage({ kind, which: "unlinked", after, limit: pageSize }), (page) => [
      Chunk.fromIterable(page),
      page.length < pageSize ? Option.none() : Option.fromNullable(page.at(-1)?.id)
    ])
  )

const waitingRecord = (row: RecordRow): WaitingRecord => {
  const metadata = metadataInStored(row.data)
  return {
    kind: row.kind,
    id: row.id,
    customerId: row.customerId,
    productId: row.productId,
    status: row.status,
    isLive: row.live,
    updatedAt: new Date(row.updatedAt),
    evidence: {
      metadataUserId: userIdIn(metadata),
      checkoutId: row.checkoutId,
      subscriptionId: row.subscriptionId,
      orderId: row.orderId,
      isMadeElsewhere: isRecordedIn(metadata) || isSoldElsewhere(row)
    }
  }
}
