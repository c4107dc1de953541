/** No call of a billing, and no layer, ignores an option that it does not have. */
import { LibsqlStore } from "@kavach-polar/adapter-libsql"
import { MysqlStore } from "@kavach-polar/adapter-mysql"
import { PostgresStore } from "@kavach-polar/adapter-postgres"
import { SqliteStore } from "@kavach-polar/adapter-sqlite"
import { Billing, Maintenance, NotificationDispatcher, PolarClient, WebhookVerifier } from "@kavach-polar/core"
import { InvalidOption } from "@kavach-polar/core/Options"
import { createKavach, type PolarBilling } from "@kavach-polar/http"
import * as Endpoints from "@kavach-polar/http/Endpoints"
import { Redacted } from "effect"
import { describe, expect, test } from "vitest"
import { product, secret, startHost } from "./host.ts"

const user = "usr_1042"

/** A call with an option that it does not have, as from JavaScript; the option, and what was meant. */
type Misspelt = readonly [
  call: (billing: PolarBilling, options: never) => Promise<unknown>,
  written: string,
  meant: string
]

const calls: Readonly<Record<string, Misspelt>> = {
  createCheckout: [(billing, options) => billing.createCheckout(user, product, options), "sucessUrl", "successUrl"],
  createPortalSession: [(billing, options) => billing.createPortalSession(user, options), "returnURL", "returnUrl"],
  access: [(billing, options) => billing.access(user, options), "att", "at"],
  "checkouts.get": [(billing, options) => billing.checkouts.get(product, options), "userID", "userId"],
  "checkouts.complete": [
    (billing, options) => billing.checkouts.complete(user, product, options),
    "waitSecond",
    "waitSeconds"
  ],
  "subscriptions.change": [
    (billing, options: object) => billing.subscriptions.change(user, { product, ...options }),
    "prorationBehaviour",
    "prorationBehavior"
  ],
  "subscriptions.preview": [
    (billing, options: object) => billing.subscriptions.preview(user, { product, ...options }),
    "prorationBehaviour",
    "prorationBehavior"
  ],
  "subscriptions.cancel": [
    (billing, options) => billing.subscriptions.cancel(user, options),
    "atPeriodend",
    "atPeriodEnd"
  ],
  "subscriptions.revoke": [(billing, options) => billing.subscriptions.revoke(user, options), "reasons", "reason"],
  "subscriptions.pause": [(billing, options) => billing.subscriptions.pause(user, options), "resumeAt", "resumesAt"],
  "subscriptions.uncancel": [
    (billing, options) => billing.subscriptions.uncancel(user, options),
    "subscriptionID",
    "subscriptionId"
  ],
  "subscriptions.resume": [
    (billing, options) => billing.subscriptions.resume(user, options),
    "subscriptionID",
    "subscriptionId"
  ],
  "subscriptions.extendTrial": [
    (billing, options) => billing.subscriptions.extendTrial(user, new Date(), options),
    "subscriptionID",
    "subscriptionId"
  ],
  "subscriptions.endTrial": [
    (billing, options) => billing.subscriptions.endTrial(user, options),
    "subscriptionID",
    "subscriptionId"
  ],
  "subscriptions.applyDiscount": [
    (billing, options) => billing.subscriptions.applyDiscount(user, null, options),
    "subscriptionID",
    "subscriptionId"
  ],
  "subscriptions.undoPending": [
    (billing, options) => billing.subscriptions.undoPending(user, options),
    "subscriptionID",
    "subscriptionId"
  ],
  "portal.url": [(billing, options) => billing.portal.url(user, options), "returnURL", "returnUrl"],
  "orders.list": [(billing, options) => billing.orders.list(user, options), "productID", "productId"],
  "orders.invoice": [(billing, options) => billing.orders.invoice(product, options), "userID", "userId"],
  "orders.receipt": [(billing, options) => billing.orders.receipt(product, options), "userID", "userId"],
  "orders.refund": [
    (billing, options: object) =>
      billing.orders.refund(product, { reason: "other", idempotencyKey: "ticket 7", ...options }),
    "amounts",
    "amount"
  ],
  "licenseKeys.validate": [
    (billing, options) => billing.licenseKeys.validate("K-1", options),
    "activationID",
    "activationId"
  ],
  "licenseKeys.activate": [
    (billing, options: object) => billing.licenseKeys.activate("K-1", { label: "desk", ...options }),
    "condition",
    "conditions"
  ],
  "customers.waiting": [(billing, options) => billing.customers.waiting(options), "limitt", "limit"],
  "customers.timeline": [(billing, options) => billing.customers.timeline(user, options), "polr", "polar"],
  "customers.link": [(billing, options) => billing.customers.link(user, product, options), "dryrun", "dryRun"],
  "customers.move": [
    (billing, options: object) => billing.customers.move(product, { to: user, ...options }),
    "dryrun",
    "dryRun"
  ],
  "customers.unlink": [(billing, options) => billing.customers.unlink(product, options), "dryrun", "dryRun"],
  "privacy.erase": [
    (billing, options: object) => billing.privacy.erase(user, { polar: "delete", ...options }),
    "subscription",
    "subscriptions"
  ],
  "notifications.dead": [(billing, options) => billing.notifications.dead(options), "userID", "userId"],
  "notifications.retry": [(billing, options) => billing.notifications.retry(options), "userID", "userId"],
  "notifications.bury": [
    (billing, options: object) => billing.notifications.bury({ ids: [], ...options }),
    "bye",
    "by"
  ],
  replay: [(billing, options) => billing.replay(options), "state", "states"],
  "replay, its options": [(billing, options) => billing.replay({}, options), "tellagain", "tellAgain"],
  reconcile: [(billing, options) => billing.reconcile(user, options), "dryrun", "dryRun"],
  "reconcile, the core's name of it": [
    (billing, options) => billing.reconcile(user, options),
    "timeout",
    "timeoutSeconds"
  ],
  reconcileAll: [(billing, options) => billing.reconcileAll(options), "dryrun", "dryRun"],
  console: [(billing, options) => billing.console(new Request("http://localhost/"), options), "authorise", "authorize"],
  handler: [
    async (billing, options: object) => billing.handler({ getUser: () => null, ...options }),
    "basepath",
    "basePath"
  ]
}

/** Calls that take no options, or a request. */
const withoutOptions = new Set(
  "getSubscription listSubscriptions orders.get customers.of privacy.export privacy.erasures privacy.resume health linkCustomer linkWaiting orders.owns products.get products.list licenseKeys.list licenseKeys.deactivate benefits.has benefits.get benefits.list settled start webhook webhookListener dispose init".split(
    " "
  )
)

describe("calls", () => {
  test.each(Object.entries(calls))("%s", async (name, [call, written, meant]) => {
    await using host = await startHost()
    const outcome = await call(host.billing, { [written]: true } as never).then(
      () => "taken",
      (error: unknown) => error
    )
    expect(outcome).toBeInstanceOf(InvalidOption)
    expect(outcome).toMatchObject({
      _tag: "InvalidOption",
      message: `${name.split(",")[0]}(): ${written}: there is no such option. Did you mean ${meant}?`
    })
  })

  test("are all looked at", async () => {
    await using host = await startHost()
    const names = Object.entries(host.billing).flatMap(([name, value]) =>
      typeof value === "function"
        ? [name]
        : typeof value === "object" && value !== null
          ? Object.keys(value).map((inner) => `${name}.${inner}`)
          : []
    )
    expect(names.filter((name) => !(name in calls) && !withoutOptions.has(name))).toEqual([])
  })

  test("wrong types are refused as well", async () => {
    await using host = await startHost()
    const at = "2026-11-29" as never
    await expect(host.billing.access(user, { at })).rejects.toThrow("access(): at: it must be a Date")
    await expect(host.billing.reconcileAll({ dryRun: "false" as never })).rejects.toThrow(
      "dryRun: it must be true or false"
    )
  })
})

const typo = { tiemout: 1 } as never

describe("layers and hosts", () => {
  test.each<[name: string, make: () => unknown]>([
    ["Billing.layer", () => Billing.layer(typo)],
    ["Maintenance.layer", () => Maintenance.layer(typo)],
    ["NotificationDispatcher.layer", () => NotificationDispatcher.layer(typo)],
    ["PolarClient.layer", () => PolarClient.layer({ accessToken: Redacted.make("x"), ...(typo as object) })],
    ["WebhookVerifier.layer", () => WebhookVerifier.layer({ secrets: [Redacted.make(secret)], ...(typo as object) })],
    ["Endpoints.layer", () => Endpoints.layer(typo)],
    ["SqliteStore.layer", () => SqliteStore.layer({ filename: ":memory:", ...(typo as object) })],
    ["LibsqlStore.layer", () => LibsqlStore.layer({ url: ":memory:", ...(typo as object) })],
    ["PostgresStore.layer", () => PostgresStore.layer({ url: "postgres://x/y", ...(typo as object) })],
    ["MysqlStore.layer", () => MysqlStore.layer({ url: "mysql://x/y", ...(typo as object) })]
  ])("%s", (name, make) => {
    expect(make).toThrow(InvalidOption)
    expect(make).toThrow(`${name}(): tiemout: there is no such option`)
  })

  test("createKavach", async () => {
    const config = { database: { provider: "sqlite", url: ":memory:" }, plugins: [], getUsers: () => null } as const
    await expect(createKavach(config)).rejects.toThrow(
      "createKavach(): getUsers: there is no such option. Did you mean getUser?"
    )
  })
})
