/** One person's history by time: a sentence for each thing that happened. */
import type { PersonFound } from "./timeline.ts"

export interface TimelineEntry {
  readonly at: Date
  readonly type: "delivery" | "record" | "checkout" | "link" | "change" | "notification" | "action"
  /** Of what it tells of. */
  readonly id: string
  readonly text: string
  /** Whether somebody should look at it. */
  readonly isTrouble: boolean
}

type About = Pick<
  PersonFound,
  "actions" | "changes" | "checkouts" | "customers" | "deliveries" | "notifications" | "records"
>

/** The oldest first. */
export const entriesOf = (about: About, productNames: ReadonlyMap<string, string>): ReadonlyArray<TimelineEntry> =>
  [
    ...about.customers.flatMap(
      ({ customerId, deletedAt, linkedAt, linkedBy }): ReadonlyArray<TimelineEntry> => [
        ...(linkedAt === null
          ? []
          : [fine(linkedAt, "link", customerId, `Customer ${customerId} was linked to the user (${linkedBy}).`)]),
        ...(deletedAt === null ? [] : [fine(deletedAt, "link", customerId, `Polar deleted customer ${customerId}.`)])
      ]
    ),
    ...about.checkouts.map(({ createdAt, id, productId }) =>
      fine(createdAt, "checkout", id, `A checkout was opened for ${productNames.get(productId) ?? productId}.`)
    ),
    ...about.records.map((record) => fine(record.at, "record", record.id, recordText(record))),
    ...about.deliveries.map(({ error, id, receivedAt, state, type }) => ({
      at: receivedAt,
      type: "delivery" as const,
      id,
      text: `${type} was received: ${states[state] ?? state}${error === null ? "." : `: ${error}`}`,
      isTrouble: state === "failed" || state === "unlinked"
    })),
    ...about.notifications.map((one) => ({
      at: one.state === "pending" ? one.queuedAt : one.at,
      type: "notification" as const,
      id: one.id,
      text: `${one.handler}${one.what === null ? "" : ` (${one.what})`} ${toldText(one)}`,
      isTrouble: one.state === "dead" || (one.state === "pending" && one.error !== null)
    })),
    ...about.changes.map(({ action, at, by, customerId, from, record, to }) =>
      fine(
        at,
        "change",
        customerId ?? record ?? "",
        `${by ?? "Somebody"} changed whose ${customerId === null ? record : `customer ${customerId}`} is (${action}): from ${from ?? "nobody"} to ${to ?? "nobody"}.`
      )
    ),
    ...about.actions.map(({ action, at, id, result, who }) => ({
      at,
      type: "action" as const,
      id,
      text: `${who}: ${action}, ${result}`,
      isTrouble: false
    }))
  ].sort((a, b) => a.at.getTime() - b.at.getTime())

const fine = (at: Date, type: TimelineEntry["type"], id: string, text: string): TimelineEntry => ({
  at,
  type,
  id,
  text,
  isTrouble: false
})

const states: Readonly<Record<string, string>> = {
  applied: "applied",
  stale: "nothing new, something newer was known",
  ignored: "ignored",
  unlinked: "it waits for its user, who is not known",
  failed: "it could not be applied"
}

const recordText = ({ amount, currency, endsAt, id, kind, productName, status }: PersonFound["records"][number]) => {
  const cost = amount === null || currency === null ? "" : `, ${moneyText(amount, currency)}`
  const end = endsAt === null ? "" : `, ends ${endsAt.toISOString()}`
  return `${kind.replaceAll("_", " ")} ${id} became ${status}${productName === null ? "" : ` (${productName})`}${cost}${end}.`
}

/** Minor units as Polar has them: of a currency without any, such as yen, they are whole. */
export const moneyText = (amount: number, currency: string): string => {
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency: currency.toUpperCase() })
    return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
  } catch {
    return `${amount} ${currency}`
  }
}

const toldText = ({ attempts, error, state }: PersonFound["notifications"][number]): string => {
  const last = error === null ? "" : ` The last call failed: ${error}`
  switch (state) {
    case "done":
      return "was told to the app."
    case "superseded":
      return "made way for a newer state."
    case "dead":
      return `was given up after ${attempts === 1 ? "one call" : `${attempts} calls`}.${last}`
    case "buried":
      return `was put aside by an operator, and is told to nobody.${last}`
    case "pending":
      return attempts === 0 ? "waits to be told to the app." : `waits for another call, after ${attempts}.${last}`
  }
}
