/** Customers by Polar's id and by the app's, what they have now, and their access to the portal. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Customers from "../Customers.ts"
import type { Customer } from "../Records.ts"
import { malformed, type Refusal } from "../Refusal.ts"
import type { Step } from "../Step.ts"
import { isBillable } from "../Subscriptions.ts"
import * as Wire from "../Wire.ts"
import { Address, Email, Metadata, maybe, Name, pathId, read, Uuid, WebUrl } from "./Input.ts"
import * as Page from "./Page.ts"
import { type ApiRequest, created, noContent, ok, type Route, routesOf } from "./Route.ts"

const shared = {
  name: maybe(Name),
  billing_address: maybe(Address),
  locale: maybe(Schema.String),
  metadata: Schema.optional(Metadata)
}

const CustomerType = Schema.Literal("individual", "team")

const Create = Schema.Struct({
  ...shared,
  email: Email,
  external_id: maybe(Schema.String),
  type: maybe(CustomerType),
  organization_id: maybe(Schema.String)
})

const Update = Schema.Struct({
  ...shared,
  email: maybe(Email),
  external_id: maybe(Schema.String),
  type: maybe(CustomerType)
})
const UpdateByExternalId = Schema.Struct({ ...shared, email: maybe(Email) })

const SessionCreate = Schema.Struct({
  customer_id: Schema.optional(Uuid),
  external_customer_id: Schema.optional(Schema.String),
  customer_external_id: Schema.optional(Schema.String),
  member_id: maybe(Uuid),
  external_member_id: maybe(Schema.String),
  return_url: maybe(WebUrl)
})

const MemberCreate = Schema.Struct({
  email: Email,
  name: maybe(Name),
  external_id: maybe(Schema.String),
  role: Schema.optional(Schema.Literal("member", "billing_manager"))
})

/** With an organization's token Polar refuses to be told the organization. */
export const refuseOrganization = (organizationId: string | null | undefined): Either.Either<void, Refusal> =>
  organizationId == null
    ? Either.void
    : Either.left(
        malformed([
          {
            type: "organization_token",
            loc: ["body", "organization_id"],
            msg: "Setting organization_id is disallowed when using an organization token.",
            input: organizationId
          }
        ])
      )

const customers = routesOf("customers")
const members = routesOf("members")

/** The routes of one customer, which has two addresses. */
const routesOfOne = (
  path: string,
  find: (step: Step, params: ApiRequest["params"]) => Either.Either<Customer, Refusal>,
  readChange: (body: unknown) => Either.Either<Customers.CustomerChange, Refusal>
): ReadonlyArray<Route> => [
  customers.get(path, (step, { params }) =>
    Either.map(find(step, params), (customer) => ok(Wire.customer(step.world, customer)))
  ),
  customers.patch(path, (step, { body, params }) =>
    Either.gen(function* () {
      const { id } = yield* find(step, params)
      const change = yield* readChange(body)
      return ok(Wire.customer(step.world, yield* Customers.update(id, change)(step)))
    })
  ),
  customers.delete(path, (step, { params, query }) =>
    Either.gen(function* () {
      const { id } = yield* find(step, params)
      yield* Customers.remove(id, Page.flag(query, "anonymize") ?? false)(step)
      return noContent
    })
  ),
  customers.get(`${path}/state`, (step, { params }) =>
    Either.map(find(step, params), (customer) => ok(Wire.customerState(step.world, customer)))
  )
]

export const routes: ReadonlyArray<Route> = [
  customers.post("/v1/customers/", (step, { body }) =>
    Either.gen(function* () {
      const input = yield* read(Create, body)
      yield* refuseOrganization(input.organization_id)
      return created(Wire.customer(step.world, yield* Customers.create(input)(step)))
    })
  ),

  customers.get("/v1/customers/", (step, { query }) => {
    const email = query.get("email")?.toLowerCase()
    const text = query.get("query")?.toLowerCase()
    const active = Page.flag(query, "active")
    const billable = new Set(
      step.all("subscriptions").flatMap((subscription) => (isBillable(subscription) ? [subscription.customer_id] : []))
    )
    const matches = (customer: Customer, text: string) =>
      customer.email.toLowerCase().includes(text) ||
      (customer.name?.toLowerCase().includes(text) ?? false) ||
      (customer.external_id?.toLowerCase().startsWith(text) ?? false)
    return Page.page({
      query,
      rows: step
        .all("customers")
        .filter(
          (customer) =>
            customer.deleted_at === null &&
            (email === undefined || customer.email.toLowerCase() === email) &&
            (text === undefined || matches(customer, text)) &&
            (active === undefined || billable.has(customer.id) === active) &&
            Page.hasMetadata(query, customer.metadata)
        ),
      sorts: {
        created_at: ({ created_at }) => created_at,
        email: ({ email }) => email,
        name: ({ name }) => name
      },
      sorting: "-created_at",
      render: (customer) => Wire.customer(step.world, customer)
    })
  }),

  ...routesOfOne(
    "/v1/customers/{id}",
    (step, params) => Either.flatMap(pathId(params), (id) => Customers.find(step, id)),
    (body) => read(Update, body)
  ),
  ...routesOfOne(
    "/v1/customers/external/{external_id}",
    (step, params) => Customers.findByExternalId(step, params["external_id"] ?? ""),
    (body) => read(UpdateByExternalId, body)
  ),

  members.get("/v1/members/", (step, { query }) => {
    const customerIds = Page.filter(query, "customer_id")
    return Page.page({
      query,
      rows: step.all("members").filter(({ customer_id }) => customerIds === undefined || customerIds.has(customer_id)),
      sorts: { created_at: ({ created_at }) => created_at },
      sorting: "-created_at",
      render: Wire.member
    })
  }),

  members.post("/v1/customers/{id}/members", (step, { body, params }) =>
    Either.gen(function* () {
      const id = yield* pathId(params)
      return created(Wire.member(yield* Customers.addMember(id, yield* read(MemberCreate, body))(step)))
    })
  ),

  routesOf("customer_sessions").post("/v1/customer-sessions/", (step, { body }) =>
    Either.gen(function* () {
      const input = yield* read(SessionCreate, body)
      const external_customer_id = input.external_customer_id ?? input.customer_external_id
      if (input.customer_id === undefined && external_customer_id === undefined) {
        return yield* Either.left(
          malformed([{ type: "missing", loc: ["body", "customer_id"], msg: "Field required", input: body }])
        )
      }
      const session = yield* Customers.openSession({ ...input, external_customer_id })(step)
      return created(Wire.customerSession(step.world, session))
    })
  )
]
