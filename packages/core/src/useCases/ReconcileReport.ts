/** What a comparison of the store with Polar's API found, in a form that can be stored and printed. */
import * as Schema from "effect/Schema"

/** A record of which the store did not know what Polar knows. */
export const Discrepancy = Schema.Struct({
  /** Such as `subscription` or `order`. */
  kind: Schema.String,
  id: Schema.String,
  userId: Schema.NullOr(Schema.String),
  /**
   * - `missing`: the store did not have it.
   * - `outdated`: Polar has changed it since what is stored.
   * - `different`: the store had another state, although it should have known.
   * - `unlinked`: only its user was not known.
   */
  finding: Schema.Literal("missing", "outdated", "different", "unlinked"),
  /** What differed, of what access depends on; nothing where only details did, such as the amount. */
  fields: Schema.Array(Schema.String)
})
export type Discrepancy = typeof Discrepancy.Type

/** What the store had to learn, counted. */
export const ReconcileCounts = Schema.Struct({
  /** Records of Polar's that were looked at, of every kind that it lists. */
  compared: Schema.Number,
  /** How many of them were not as Polar says. Only the first `discrepancyLimit` are listed. */
  discrepancyCount: Schema.Number,
  discrepancies: Schema.Array(Discrepancy),
  /** Notifications queued. */
  notified: Schema.Number,
  /**
   * Ids of stored subscriptions that are live, and that Polar does not know or does not show to this token. They are left
   * as they are: with the wrong token it would be all of them.
   */
  unknownToPolar: Schema.Array(Schema.String),
  /**
   * Kind and id of records that could not be compared, because what the store has of them cannot be read or written, or what
   * Polar says of them is not what this version knows. The log has each with its error.
   */
  unreadable: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
  /** Kinds that this token may not list, and so were not compared. */
  notCompared: Schema.Array(Schema.Struct({ kind: Schema.String, reason: Schema.String }))
})
export type ReconcileCounts = typeof ReconcileCounts.Type

export const discrepancyLimit = 1000

export const noCounts: ReconcileCounts = {
  compared: 0,
  discrepancyCount: 0,
  discrepancies: [],
  notified: 0,
  unknownToPolar: [],
  unreadable: [],
  notCompared: []
}

/** One of the organization's webhook endpoints. */
export const EndpointReport = Schema.Struct({
  id: Schema.String,
  url: Schema.String,
  /** Whether it is this app's: by `webhookUrl`, or else by the end of its path. */
  isOwn: Schema.Boolean,
  /** False: Polar has given up on it, and sends nothing until somebody enables it again. */
  enabled: Schema.Boolean,
  format: Schema.String,
  /** Types that the store lives on and that the endpoint does not get. */
  missingTypes: Schema.Array(Schema.String),
  /** Events that it did not take in any attempt and that the inbox does not have. */
  undelivered: Schema.Number,
  /** How many of these Polar was asked to deliver again. */
  redelivered: Schema.Number
})
export type EndpointReport = typeof EndpointReport.Type

export const WebhookReport = Schema.Struct({
  /** Why the endpoints were not looked at; `null` when they were. */
  notChecked: Schema.NullOr(Schema.String),
  endpoints: Schema.Array(EndpointReport)
})
export type WebhookReport = typeof WebhookReport.Type

/** The whole comparison. Times are ISO 8601. */
export const ReconcileReport = Schema.Struct({
  dryRun: Schema.Boolean,
  /** Only records that Polar has changed since; `null` for all. */
  since: Schema.NullOr(Schema.Date),
  startedAt: Schema.Date,
  finishedAt: Schema.Date,
  /** Whether it went on with one that was left undone. */
  resumed: Schema.Boolean,
  ...ReconcileCounts.fields,
  webhooks: WebhookReport
})
export type ReconcileReport = typeof ReconcileReport.Type
