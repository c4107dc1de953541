/** Polar's webhook events: what a body says happened. */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { decoderOf } from "../values/decoderOf.ts"
import { text } from "../values/ids.ts"
import { oneLine } from "../values/logText.ts"
import { type EpochMicros, EpochMicrosFromString } from "../values/Timestamp.ts"
import { customerKind } from "./Customer.ts"
import { customerStateKind } from "./CustomerState.ts"
import { customersNamed } from "./customersNamed.ts"
import { type EventTypes, eventTypes } from "./eventTypes.ts"
import type { Kind } from "./Kind.ts"
import { listedIn } from "./listedRecords.ts"
import { PolarCustomer } from "./PolarObjects.ts"
import type { RecordReport } from "./RecordReport.ts"

export { userIdMetadataKey } from "./PolarObjects.ts"

interface Common {
  /** The organizations that it names: its own, its product's, its customer's. `null` for one that cannot be read. */
  readonly organizationIds: ReadonlyArray<string | null>
}

/** One of the objects that are kept is now as the event says. */
export interface RecordEvent extends Common {
  readonly _tag: "RecordEvent"
  readonly type: string
  readonly at: EpochMicros
  readonly report: RecordReport
}

/** A customer is now as the event says. */
export interface CustomerEvent extends Common {
  readonly _tag: "CustomerEvent"
  readonly type: string
  readonly at: EpochMicros
  readonly customer: PolarCustomer
  readonly report: RecordReport
  /** What the customer has, of an event that says so. */
  readonly state: RecordReport | null
  /** The records that the state lists. */
  readonly listed: ReadonlyArray<RecordReport>
}

/** An event of a type that this version does not know. */
export interface OtherEvent extends Common {
  readonly _tag: "OtherEvent"
  readonly type: string
  readonly at: EpochMicros
  /** The customers that it names. */
  readonly customerIds: ReadonlyArray<string>
}

export type PolarEvent = RecordEvent | CustomerEvent | OtherEvent

/** The body is no event, or one of a known type whose data cannot be read. `problem` names the place, not the values. */
export interface UnreadableEvent extends Common {
  readonly _tag: "UnreadableEvent"
  /** Whether it is an event envelope at all. */
  readonly isEnvelope: boolean
  readonly type: string | null
  readonly at: EpochMicros | null
  readonly problem: string
  /** The customers that it names all the same. */
  readonly customerIds: ReadonlyArray<string>
}

/** Bounded, and of the characters that Polar's types are made of: it becomes a column and a log entry. */
const eventType = /^[\w.:-]{1,255}$/
const EventType = Schema.String.pipe(Schema.pattern(eventType))

const Envelope = Schema.Struct({
  type: EventType,
  timestamp: EpochMicrosFromString,
  data: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})

/**
 * @example
 * PolarEvent.readEnvelope({ type: "order.paid", timestamp: "2026-12-01T00:00:00Z", data: {} })
 */
export const readEnvelope: (json: unknown) => Either.Either<typeof Envelope.Type, ParseResult.ParseError> =
  decoderOf(Envelope)

const decodeCustomer = decoderOf(PolarCustomer)

/**
 * Reads a body. Never throws, whatever the text.
 *
 * @example
 * PolarEvent.parse('{"type":"order.paid","timestamp":"2026-12-01T00:00:00Z","data":{}}')
 */
export const parse = (body: string): Either.Either<PolarEvent, UnreadableEvent> => {
  const json = parseJson(body)
  return json === undefined ? Either.left(notJson) : read(json)
}

/**
 * `undefined`, which no JSON says, for what is none.
 *
 * @example
 * PolarEvent.parseJson("no JSON") === PolarEvent.notJson
 */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Reads what a body says. Never throws, whatever it is. `types`: what the version that reads it knows.
 *
 * @example
 * PolarEvent.read({ type: "order.paid", timestamp: "2026-12-01T00:00:00Z", data: {} })
 */
export const read = (json: unknown, types: EventTypes = eventTypes): Either.Either<PolarEvent, UnreadableEvent> => {
  const envelope = readEnvelope(json)
  if (Either.isLeft(envelope)) {
    return Either.left(noEvent(describe(envelope.left)))
  }
  const { type, timestamp: at, data } = envelope.right
  const kind = types.kindOf(type)
  const named = organizationsIn(data)
  const unread = (problem: string): UnreadableEvent => ({
    _tag: "UnreadableEvent",
    isEnvelope: true,
    type,
    at,
    problem,
    organizationIds: named,
    customerIds: customersNamed(type, data)
  })
  if (kind === undefined) {
    return Either.right({
      _tag: "OtherEvent",
      type,
      at,
      organizationIds: named,
      customerIds: customersNamed(type, data)
    })
  }
  const event = { type, at }
  if (kind.name !== customerKind.name) {
    return Either.mapBoth(readRecord(kind, data, event), {
      onLeft: unread,
      onRight: (report): PolarEvent => ({
        _tag: "RecordEvent",
        ...event,
        report,
        // An organization names itself by its id.
        organizationIds: report.organizationId === null ? named : [...new Set([...named, report.organizationId])]
      })
    })
  }
  const saysState = type === "customer.state_changed"
  return Either.mapBoth(
    Either.all({
      customer: Either.mapLeft(decodeCustomer(data), describe),
      report: readRecord(kind, data, event),
      state: saysState ? readRecord(customerStateKind, data, event) : Either.right(null),
      listed: saysState ? readListed(data) : Either.right([])
    }),
    {
      onLeft: unread,
      onRight: (read): PolarEvent => ({ _tag: "CustomerEvent", ...event, ...read, organizationIds: named })
    }
  )
}

const readRecord = (
  kind: Kind<unknown>,
  data: unknown,
  event: { readonly type: string; readonly at: EpochMicros }
): Either.Either<RecordReport, string> => {
  try {
    return Either.mapLeft(kind.read(data, event), describe)
  } catch {
    return Either.left(unwritable)
  }
}

const readListed = (state: Readonly<Record<string, unknown>>): Either.Either<ReadonlyArray<RecordReport>, string> => {
  try {
    return Either.right(listedIn(state))
  } catch {
    return Either.left(unwritable)
  }
}

/** JSON is read to any depth, and written to some thousands of levels only. */
const unwritable = "the data cannot be written as JSON again"

const noEvent = (problem: string): UnreadableEvent => ({
  _tag: "UnreadableEvent",
  isEnvelope: false,
  type: null,
  at: null,
  problem,
  organizationIds: [],
  customerIds: []
})

/** Of a body that is no text at all, too. */
export const notJson: UnreadableEvent = noEvent("the body is not JSON in UTF-8")

const isOrganizationId = Schema.is(text(64))

const organizationsIn = (data: Readonly<Record<string, unknown>>): ReadonlyArray<string | null> => {
  const named = new Set<string | null>()
  for (const holder of [data, data["product"], data["customer"]]) {
    if (typeof holder !== "object" || holder === null || !("organization_id" in holder)) continue
    const id = holder.organization_id
    // Absent and `null` are the same.
    if (id !== null && id !== undefined) named.add(isOrganizationId(id) ? id : null)
  }
  return [...named]
}

/**
 * Where and what, without the values: a body holds personal data that belongs in no log. By hand, because the formatters
 * print the values, and overflow the stack on a deeply nested one.
 */
const describe = ({ issue }: ParseResult.ParseError): string => {
  const path: Array<string> = []
  let inner: ParseResult.ParseIssue | undefined = issue
  while (inner !== undefined) {
    switch (inner._tag) {
      case "Pointer":
        path.push(...(isPath(inner.path) ? inner.path : [inner.path]).map(String))
        inner = inner.issue
        continue
      case "Composite":
        inner = isIssues(inner.issues) ? inner.issues[0] : inner.issues
        continue
      case "Refinement":
      case "Transformation":
        inner = inner.issue
        continue
      case "Missing":
        return `${placeOf(path)} is missing`
      default:
        inner = undefined
    }
  }
  return `${path.length === 0 ? "the body" : placeOf(path)} is not what Polar documents`
}

// The names may be a stranger's too, where an object may have any.
const placeOf = (path: ReadonlyArray<string>): string => oneLine(path.join("."), 200)

const isPath = (path: ParseResult.Path): path is readonly [PropertyKey, ...Array<PropertyKey>] => Array.isArray(path)

const isIssues = <A>(issues: A | readonly [A, ...Array<A>]): issues is readonly [A, ...Array<A>] =>
  Array.isArray(issues)
