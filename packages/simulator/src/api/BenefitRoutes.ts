/** Benefits, and who has them. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { BenefitInput } from "../BenefitInput.ts"
import * as Benefits from "../Benefits.ts"
import * as Grants from "../Grants.ts"
import type { Benefit, Grant } from "../Records.ts"
import { invalid } from "../Refusal.ts"
import type { Step } from "../Step.ts"
import * as Wire from "../Wire.ts"
import { Metadata, maybe, pathId, read } from "./Input.ts"
import * as Page from "./Page.ts"
import { created, noContent, ok, type Route, routesOf } from "./Route.ts"

const Description = Schema.String.pipe(Schema.minLength(3), Schema.maxLength(42))
const Visibility = Schema.Literal("public", "private", "draft")

const Expires = Schema.Struct({
  ttl: Schema.Int.pipe(Schema.positive()),
  timeframe: Schema.Literal("year", "month", "day")
})
const Activations = Schema.Struct({
  limit: Schema.Int.pipe(Schema.positive()),
  enable_customer_admin: Schema.Boolean
})

/** What the properties of each type may say; all of it may be left out of an edit. */
const properties = {
  feature_flag: Schema.Struct({}),
  custom: Schema.Struct({ note: maybe(Schema.String) }),
  license_keys: Schema.Struct({
    prefix: maybe(Schema.String),
    expires: maybe(Expires),
    activations: maybe(Activations),
    limit_usage: maybe(Schema.Int.pipe(Schema.positive()))
  }),
  discord: Schema.Struct({
    guild_token: Schema.optional(Schema.String),
    role_id: Schema.optional(Schema.String),
    kick_member: Schema.optional(Schema.Boolean)
  })
} as const

const createOf = <Type extends Benefit["type"]>(type: Type) =>
  Schema.Struct({
    type: Schema.Literal(type),
    description: Description,
    visibility: maybe(Visibility),
    metadata: Schema.optional(Metadata),
    properties: properties[type]
  })

const Create = Schema.Union(createOf("feature_flag"), createOf("custom"), createOf("license_keys"), createOf("discord"))

const Edit = Schema.Struct({
  type: Schema.Literal("feature_flag", "custom", "license_keys", "discord"),
  description: maybe(Description),
  visibility: maybe(Visibility),
  metadata: Schema.optional(Metadata),
  properties: Schema.optional(Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.Unknown })))
})

const inputOf = (id: string, input: typeof Create.Type): BenefitInput => {
  const common = {
    id,
    description: input.description,
    metadata: input.metadata,
    visibility: input.visibility ?? undefined
  }
  switch (input.type) {
    case "feature_flag":
      return { ...common, type: input.type }
    case "custom":
      return { ...common, type: input.type, note: input.properties.note ?? undefined }
    case "license_keys":
      return {
        ...common,
        type: input.type,
        prefix: input.properties.prefix ?? undefined,
        expires: input.properties.expires,
        limitActivations: input.properties.activations?.limit,
        limitUsage: input.properties.limit_usage ?? undefined
      }
    case "discord":
      return { ...common, type: input.type, roleId: input.properties.role_id }
  }
}

const benefits = routesOf("benefits")

const grantsPage = (step: Step, query: URLSearchParams, isOf: (grant: Grant) => boolean) => {
  const isGranted = Page.flag(query, "is_granted")
  const asked = Page.filters<Grant>(query, {
    organization_id: () => step.world.organization.id,
    customer_id: ({ customer_id }) => customer_id,
    external_customer_id: ({ customer_id }) => step.get("customers", customer_id).external_id,
    member_id: () => null
  })
  return Page.page({
    query,
    rows: step
      .all("grants")
      .filter(
        (grant) => isOf(grant) && asked(grant) && (isGranted === undefined || Grants.isGranted(grant) === isGranted)
      ),
    sorts: {
      created_at: ({ created_at }) => created_at,
      granted_at: ({ granted_at }) => granted_at,
      revoked_at: ({ revoked_at }) => revoked_at
    },
    sorting: "-created_at",
    render: (grant) => Wire.grant(step.world, grant)
  })
}

export const routes: ReadonlyArray<Route> = [
  benefits.get("/v1/benefits/", (step, { query }) => {
    const asked = Page.filters<Benefit>(query, {
      organization_id: () => step.world.organization.id,
      type: ({ type }) => type,
      id: ({ id }) => id
    })
    const excluded = Page.filter(query, "exclude_id")
    const text = query.get("query")?.toLowerCase()
    return Page.page({
      query,
      rows: step
        .all("benefits")
        .filter(
          (benefit) =>
            !benefit.is_deleted &&
            asked(benefit) &&
            excluded?.has(benefit.id) !== true &&
            (text === undefined || benefit.description.toLowerCase().includes(text)) &&
            Page.hasMetadata(query, benefit.metadata)
        ),
      sorts: {
        created_at: ({ created_at }) => created_at,
        description: ({ description }) => description,
        type: ({ type }) => type
      },
      sorting: "-created_at",
      render: (benefit) => Wire.benefit(step.world, benefit)
    })
  }),

  benefits.post("/v1/benefits/", (step, { body }) =>
    Either.gen(function* () {
      const benefit = yield* Benefits.create(inputOf(step.uuid(), yield* read(Create, body)))(step)
      return created(Wire.benefit(step.world, benefit))
    })
  ),

  benefits.get("/v1/benefits/{id}", (step, { params }) =>
    Either.gen(function* () {
      return ok(Wire.benefit(step.world, yield* Benefits.find(step, yield* pathId(params))))
    })
  ),

  benefits.patch("/v1/benefits/{id}", (step, { body, params }) =>
    Either.gen(function* () {
      const { id, type } = yield* Benefits.find(step, yield* pathId(params))
      const input = yield* read(Edit, body)
      if (input.type !== type) return yield* Either.left(invalid("type", "The type cannot be changed.", input.type))
      const edited = input.properties == null ? undefined : yield* propertiesOf(type, input.properties)
      const benefit = yield* Benefits.update(id, {
        description: input.description ?? undefined,
        visibility: input.visibility ?? undefined,
        metadata: input.metadata,
        properties: edited
      })(step)
      return ok(Wire.benefit(step.world, benefit))
    })
  ),

  benefits.delete("/v1/benefits/{id}", (step, { params }) =>
    Either.gen(function* () {
      yield* Benefits.remove(yield* pathId(params))(step)
      return noContent
    })
  ),

  benefits.get("/v1/benefits/{id}/grants", (step, { params, query }) =>
    Either.gen(function* () {
      const { id } = yield* Benefits.find(step, yield* pathId(params))
      return yield* grantsPage(step, query, ({ benefit_id }) => benefit_id === id)
    })
  ),

  benefits.get("/v1/benefit-grants/", (step, { query }) => grantsPage(step, query, () => true))
]

const propertiesOf = (type: Benefit["type"], value: unknown) => {
  switch (type) {
    case "feature_flag":
      return read(properties.feature_flag, value)
    case "custom":
      return read(properties.custom, value)
    case "license_keys":
      return read(properties.license_keys, value)
    case "discord":
      return read(properties.discord, value)
  }
}
