/** What the short examples in the documentation of functions and options may use without an import. */

const imports: Readonly<Record<string, ReadonlyArray<string>>> = {
  "kavach-polar": ["createKavach", "polar", "polarOf"],
  "kavach-polar/gates": ["gates"],
  "@kavach-polar/core": [
    "AccessPolicy",
    "Billing",
    "BillingStore",
    "Handlers",
    "Maintenance",
    "NotificationDispatcher",
    "PolarClient",
    "PolarError",
    "PolarEvent",
    "StoreError",
    "Subscription",
    "SubscriptionListener",
    "SubscriptionSnapshot",
    "SubscriptionVersion",
    "Timestamp",
    "WebhookVerifier"
  ],
  "@kavach-polar/adapter-libsql": ["LibsqlStore"],
  "@kavach-polar/adapter-mysql": ["MysqlStore"],
  "@kavach-polar/adapter-postgres": ["PostgresStore"],
  "@kavach-polar/adapter-sqlite": ["SqliteStore"],
  "@kavach-polar/client": ["createPolarClient", "PolarClientError"],
  "@kavach-polar/client/react": [
    "PolarProvider",
    "useAccess",
    "useBenefit",
    "useCheckout",
    "usePolar",
    "useSubscription"
  ],
  react: ["createElement"],
  "@kavach-polar/simulator": ["serve", "simulate", "Simulator"],
  "@effect/platform": ["FetchHttpClient", "HttpApiBuilder", "HttpClient"],
  effect: ["Config", "Effect", "Layer", "Option", "Redacted"]
}

const modules: Readonly<Record<string, string>> = {
  Api: "@kavach-polar/http/Api",
  ApiLayer: "@kavach-polar/http/ApiLayer",
  Endpoints: "@kavach-polar/http/Endpoints",
  NodeServer: "@kavach-polar/http/NodeServer"
}

const values: Readonly<Record<string, string>> = {
  accessToken: "string",
  checkoutId: "string",
  activationId: "string",
  benefitId: "string",
  billing: 'import("kavach-polar").PolarBilling',
  body: "Uint8Array",
  client: "object",
  customerId: "string",
  database: 'import("kavach-polar").DatabaseConfig',
  discountId: "string",
  driver: 'import("@kavach-polar/core").StoreDriver.StoreDriver',
  headers: "Readonly<Record<string, string>>",
  memberId: "string",
  orderId: "string",
  organizationId: "string",
  pluginContext: 'import("kavach-polar").PluginContext',
  polarClient: 'import("@kavach-polar/client").PolarClient',
  pool: "object",
  productId: 'import("@kavach-polar/core").Subscription.ProductId',
  request: "Request",
  sessionToken: "string",
  snapshot: 'import("@kavach-polar/core").SubscriptionSnapshot.Snapshot',
  vault:
    "{ readonly seal: (text: string, name: string) => string; readonly open: (text: string, name: string) => string }",
  storeError: 'import("@kavach-polar/core").StoreError.StoreError',
  subscription: 'import("@kavach-polar/core").Subscription.Subscription',
  subscriptionId: "string",
  url: "string",
  userId: 'import("@kavach-polar/core").Subscription.UserId',
  webhookSecret: "string"
}

/** Those that the code uses, and does not name itself. */
export const prelude = (code: string): string => {
  const isUsed = (name: string): boolean =>
    new RegExp(`(?<![.\\w"'])${name}\\b(?!["']|:)`).test(code) &&
    !new RegExp(`(const|\\bof) (\\{[^}]*\\b)?${name}\\b|\\(\\{?[^()]*\\b${name}\\b[^()]*\\) =>`).test(code)
  return [
    ...Object.entries(imports)
      .map(([from, names]) => [from, names.filter(isUsed)] as const)
      .flatMap(([from, names]) => (names.length === 0 ? [] : [`import { ${names.join(", ")} } from "${from}"\n`])),
    ...Object.entries(modules).flatMap(([name, from]) =>
      isUsed(name) ? [`import * as ${name} from "${from}"\n`] : []
    ),
    ...Object.entries(values).flatMap(([name, type]) => (isUsed(name) ? [`declare const ${name}: ${type}\n`] : []))
  ].join("")
}
