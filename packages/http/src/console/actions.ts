/** What can be done in the console: each asks first, says what it would do, and is kept in the audit trail. */
import type { BillingService, LinkChange } from "@kavach-polar/core/Billing"
import { CustomerId, UserId } from "@kavach-polar/core/Subscription"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isPolarId } from "../routes/polarId.ts"
import type { ConsoleAction } from "./ConsoleOptions.ts"

type Given = Readonly<Record<string, string>>

/** What was asked for is no id of what it is to be. */
export class NoSuchId extends Error {
  override readonly name = "NoSuchId"
}

export interface Deed {
  readonly title: string
  /** Fields that it needs, with what each is called. */
  readonly fields: Readonly<Record<string, string>>
  /** What is done, as a question's first half. */
  readonly says: (given: Given) => string
  /** The id that the audit trail finds it by. */
  readonly subject: (given: Given) => string
  /** What it would do, where that can be told without asking Polar. */
  readonly preview?: (billing: BillingService, given: Given) => Effect.Effect<string, Error>
  readonly work: (billing: BillingService, given: Given, who: string) => Effect.Effect<string, Error>
}

const id = (given: Given, name: string): string => given[name] ?? ""

const user = (given: Given): Effect.Effect<UserId, NoSuchId> => {
  const text = id(given, "user")
  return Schema.is(UserId)(text) ? Effect.succeed(text) : Effect.fail(new NoSuchId("This is no id of a user."))
}

const customer = (given: Given): Effect.Effect<CustomerId, NoSuchId> => {
  const text = id(given, "id")
  return isPolarId(text)
    ? Effect.succeed(CustomerId.make(text.toLowerCase()))
    : Effect.fail(new NoSuchId("This is no id of Polar's, which is a UUID."))
}

/** Users are quoted: so the audit trail can be rid of one who is erased. */
const linkText = ({ changed, from, notified, records }: LinkChange, isDone: boolean): string =>
  changed
    ? `It ${isDone ? "belonged" : "belongs"} to ${from === null ? "nobody" : `user ${JSON.stringify(from)}`}; ${records.length} of its records ${isDone ? "went" : "go"} along, and ${notified} notifications ${isDone ? "were" : "are to be"} queued.`
    : "It is so already: nothing changes."

type LinkCall = (
  billing: BillingService,
  given: Given,
  options: { readonly by?: string; readonly dryRun: boolean }
) => Effect.Effect<LinkChange, Error>

const linkDeed = (call: LinkCall): Pick<Deed, "preview" | "work"> => ({
  preview: (billing, given) => Effect.map(call(billing, given, { dryRun: true }), (change) => linkText(change, false)),
  work: (billing, given, by) =>
    Effect.map(call(billing, given, { by, dryRun: false }), (change) => linkText(change, true))
})

export const deeds: Readonly<Record<Exclude<ConsoleAction, "read">, Deed>> = {
  "delivery.replay": {
    title: "Apply a delivery again",
    fields: { id: "Delivery" },
    says: (given) => `Apply delivery ${id(given, "id")} again. What is known already changes nothing.`,
    subject: (given) => id(given, "id"),
    preview: (billing, given) =>
      Effect.map(
        billing.replay({ ids: [id(given, "id")] }, { dryRun: true }),
        ({ changed, encrypted, replayed, withoutBody }) =>
          replayed === 0
            ? encrypted > 0
              ? "It cannot run: its body is encrypted, and could not be decrypted here."
              : withoutBody > 0
                ? "It cannot run: its body is older than the retention and was pruned, or is not kept."
                : "There is no such delivery."
            : changed > 0
              ? "It would be in another state than now."
              : "It would be in the same state as now."
      ),
    work: (billing, given) =>
      Effect.flatMap(billing.replay({ ids: [id(given, "id")] }), ({ notified, replayed, states }) =>
        replayed === 0
          ? Effect.fail(new NoSuchId("there is no such delivery, or its body cannot be read"))
          : Effect.succeed(
              `it is ${Object.entries(states).find(([, count]) => count > 0)?.[0] ?? "applied"}; ${notified} notifications were queued.`
            )
      )
  },
  "notification.retry": {
    title: "Tell the app again",
    fields: { id: "Notification" },
    says: (given) =>
      `Have your app's handler called again for notification ${id(given, "id")}, with all its attempts anew.`,
    subject: (given) => id(given, "id"),
    work: (billing, given) =>
      Effect.flatMap(billing.notifications.retry({ ids: [id(given, "id")] }), (retried) =>
        retried === 0
          ? Effect.fail(new NoSuchId("it is not among those that were given up, or a newer state takes its place"))
          : Effect.succeed("it is queued.")
      )
  },
  "notification.bury": {
    title: "Put a notification aside",
    fields: { id: "Notification" },
    says: (given) =>
      `Never tell your app of notification ${id(given, "id")}. It cannot be undone. What changes later is told as ever.`,
    subject: (given) => id(given, "id"),
    work: (billing, given) =>
      Effect.flatMap(billing.notifications.bury({ ids: [id(given, "id")] }), (buried) =>
        buried === 0
          ? Effect.fail(
              new NoSuchId("it was not given up and its last call did not fail, or it is being told just now")
            )
          : Effect.succeed("it is put aside.")
      )
  },
  "customer.link": {
    title: "Link a customer",
    fields: { id: "Customer", user: "User" },
    says: (given) => `Link customer ${id(given, "id")} to user ${id(given, "user")}, who gets what waits of it.`,
    subject: (given) => id(given, "id"),
    ...linkDeed((billing, given, options) =>
      Effect.flatMap(Effect.all([user(given), customer(given)]), ([to, one]) =>
        billing.customers.link(to, one, options)
      )
    )
  },
  "customer.move": {
    title: "Move a customer or a record",
    fields: { id: "Customer or record", user: "New user" },
    says: (given) => `Give ${id(given, "id")} to user ${id(given, "user")}. Who had it loses it.`,
    subject: (given) => id(given, "id"),
    ...linkDeed((billing, given, options) =>
      Effect.flatMap(user(given), (to) => billing.customers.move(id(given, "id"), { to, ...options }))
    )
  },
  "customer.unlink": {
    title: "End a link",
    fields: { id: "Customer" },
    says: (given) => `End the link of customer ${id(given, "id")}. What its user had by no more than that waits again.`,
    subject: (given) => id(given, "id"),
    ...linkDeed((billing, given, options) =>
      Effect.flatMap(customer(given), (one) => billing.customers.unlink(one, options))
    )
  },
  "user.reconcile": {
    title: "Compare a user with Polar",
    fields: { user: "User" },
    says: (given) =>
      `Ask Polar what user ${id(given, "user")} has, and set right what is stored. It may take some seconds.`,
    subject: (given) => id(given, "user"),
    work: (billing, given) =>
      Effect.flatMap(user(given), (who) => billing.reconcile(who, { timeout: Duration.seconds(15) })).pipe(
        Effect.map(
          ({ compared, discrepancyCount, unknownToPolar }) =>
            `${compared} records were compared, and ${discrepancyCount} set right; Polar does not know ${unknownToPolar.length} that are stored as live.`
        )
      )
  }
}

export const deedNamed = (name: string): Deed | undefined =>
  Object.hasOwn(deeds, name) ? deeds[name as keyof typeof deeds] : undefined
