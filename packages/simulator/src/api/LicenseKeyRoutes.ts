/** License keys: looked at by their id; validated, activated and deactivated by the key itself. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as LicenseKeys from "../LicenseKeys.ts"
import { invalid } from "../Refusal.ts"
import type { Step } from "../Step.ts"
import * as Wire from "../Wire.ts"
import { Metadata, maybe, pathId, read, Uuid } from "./Input.ts"
import { noContent, ok, type Route, routesOf } from "./Route.ts"

const ofKey = { key: Schema.String, organization_id: Uuid }

const Validate = Schema.Struct({
  ...ofKey,
  activation_id: maybe(Uuid),
  benefit_id: maybe(Uuid),
  customer_id: maybe(Uuid),
  increment_usage: maybe(Schema.NonNegativeInt),
  conditions: Schema.optional(Metadata)
})

const Activate = Schema.Struct({
  ...ofKey,
  label: Schema.String,
  conditions: Schema.optional(Metadata),
  meta: Schema.optional(Metadata)
})

const Deactivate = Schema.Struct({ ...ofKey, activation_id: Uuid })

const keys = routesOf("license_keys")

/** Keys are of one organization, which must be named. */
const ofOrganization = <A extends { readonly organization_id: string }>(step: Step, input: A) =>
  input.organization_id === step.world.organization.id
    ? Either.right(input)
    : Either.left(invalid("organization_id", "Organization does not exist.", input.organization_id))

export const routes: ReadonlyArray<Route> = [
  keys.get("/v1/license-keys/{id}", (step, { params }) =>
    Either.gen(function* () {
      const key = yield* LicenseKeys.find(step, yield* pathId(params))
      const activations = LicenseKeys.activationsOf(step, key.id).map(Wire.keyActivation)
      return ok({ ...Wire.licenseKey(step.world, key), activations })
    })
  ),

  keys.post("/v1/license-keys/validate", (step, { body }) =>
    Either.gen(function* () {
      const input = yield* ofOrganization(step, yield* read(Validate, body))
      const { activation, key } = yield* LicenseKeys.validate(input)(step)
      return ok({
        ...Wire.licenseKey(step.world, key),
        activation: activation === null ? null : Wire.keyActivation(activation)
      })
    })
  ),

  keys.post("/v1/license-keys/activate", (step, { body }) =>
    Either.gen(function* () {
      const input = yield* ofOrganization(step, yield* read(Activate, body))
      const { activation, key } = yield* LicenseKeys.activate(input)(step)
      return ok({ ...Wire.keyActivation(activation), license_key: Wire.licenseKey(step.world, key) })
    })
  ),

  keys.post("/v1/license-keys/deactivate", (step, { body }) =>
    Either.gen(function* () {
      yield* LicenseKeys.deactivate(yield* ofOrganization(step, yield* read(Deactivate, body)))(step)
      return noContent
    })
  )
]
