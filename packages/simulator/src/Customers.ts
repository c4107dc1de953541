/** Customers: unique by e-mail and by external id, deleted softly. */
import type { Metadata } from "@kavach-polar/core/Subscription"
import * as Either from "effect/Either"
import * as BenefitSync from "./BenefitSync.ts"
import type { Address, Customer, CustomerSession, Member } from "./Records.ts"
import { type Issue, invalid, issue, notFound, type Refusal, refused, rulesBroken } from "./Refusal.ts"
import type { Step } from "./Step.ts"
import * as Subscriptions from "./Subscriptions.ts"
import { keptExternalId } from "./Wire.ts"

export interface CustomerInput {
  readonly email: string
  readonly type?: Customer["type"] | null | undefined
  readonly external_id?: string | null | undefined
  readonly name?: string | null | undefined
  readonly billing_address?: Address | null | undefined
  readonly locale?: string | null | undefined
  readonly metadata?: Metadata | undefined
}

export type CustomerChange = { readonly [Key in keyof CustomerInput]?: CustomerInput[Key] | null | undefined }

export const byEmail = (step: Step, email: string): Customer | undefined =>
  step
    .all("customers")
    .find((customer) => customer.deleted_at === null && customer.email.toLowerCase() === email.toLowerCase())

export const byExternalId = (step: Step, externalId: string): Customer | undefined =>
  step.all("customers").find((customer) => customer.deleted_at === null && customer.external_id === externalId)

/** A customer that is not deleted. */
export const find = (step: Step, id: string): Either.Either<Customer, Refusal> => {
  const customer = step.find("customers", id)
  return customer === undefined || customer.deleted_at !== null ? Either.left(notFound) : Either.right(customer)
}

export const findByExternalId = (step: Step, externalId: string): Either.Either<Customer, Refusal> =>
  Either.fromNullable(byExternalId(step, externalId), () => notFound)

// Polar trims here, and nowhere else.
const trimmed = (externalId: string | null | undefined): string | null => {
  const text = externalId?.trim() ?? ""
  return text === "" ? null : text
}

const taken = (step: Step, email: string | null | undefined, externalId: string | null, self?: string) => {
  const issues: Array<Issue> = []
  const withEmail = email === null || email === undefined ? undefined : byEmail(step, email)
  if (withEmail !== undefined && withEmail.id !== self) {
    issues.push(issue("email", "A customer with this email address already exists.", email))
  }
  const withExternalId = externalId === null ? undefined : byExternalId(step, externalId)
  if (withExternalId !== undefined && withExternalId.id !== self) {
    issues.push(issue("external_id", "A customer with this external ID already exists.", externalId))
  }
  return issues
}

/** Puts a customer there; whether it may be is the caller's to know. */
export const add = (step: Step, input: CustomerInput): Customer => {
  const customer = step.put("customers", {
    ...step.stamp(),
    type: input.type ?? "individual",
    external_id: input.external_id ?? null,
    email: input.email,
    name: input.name ?? null,
    billing_address: input.billing_address ?? null,
    locale: input.locale ?? null,
    metadata: input.metadata ?? {},
    default_payment_method_id: null,
    deleted_at: null
  })
  step.emitCustomer("customer.created", customer)
  if (customer.type === "team") addOwner(step, customer)
  return customer
}

const addOwner = (step: Step, { email, external_id, id, name }: Customer): Member =>
  step.put("members", { ...step.stamp(), customer_id: id, email, name, external_id, role: "owner" })

export interface MemberInput {
  readonly email: string
  readonly name?: string | null | undefined
  readonly external_id?: string | null | undefined
  readonly role?: "member" | "billing_manager" | undefined
}

export const membersOf = (step: Step, customerId: string): ReadonlyArray<Member> =>
  step.all("members").filter(({ customer_id }) => customer_id === customerId)

/** Adds a person to a team. One who is in it already, by the address, comes back as they are. */
export const addMember =
  (customerId: string, input: MemberInput) =>
  (step: Step): Either.Either<Member, Refusal> =>
    Either.flatMap(find(step, customerId), (customer) => {
      if (customer.type !== "team") {
        return Either.left(refused(403, "NotPermitted", "Only a team customer has several members."))
      }
      const existing = membersOf(step, customerId).find(
        ({ email }) => email.toLowerCase() === input.email.toLowerCase()
      )
      return Either.right(
        existing ??
          step.put("members", {
            ...step.stamp(),
            customer_id: customerId,
            email: input.email,
            name: input.name ?? null,
            external_id: input.external_id ?? null,
            role: input.role ?? "member"
          })
      )
    })

export const create =
  (input: CustomerInput) =>
  (step: Step): Either.Either<Customer, Refusal> => {
    const externalId = trimmed(input.external_id)
    const issues = taken(step, input.email, externalId)
    return issues.length > 0
      ? Either.left(rulesBroken(issues))
      : Either.right(add(step, { ...input, external_id: externalId }))
  }

export const update =
  (id: string, change: CustomerChange) =>
  (step: Step): Either.Either<Customer, Refusal> =>
    Either.flatMap(find(step, id), (customer) => {
      const externalId = trimmed(change.external_id)
      if (change.external_id !== undefined && customer.external_id !== null && externalId !== customer.external_id) {
        return Either.left(invalid("external_id", "Customer external ID cannot be updated.", change.external_id))
      }
      const issues = taken(step, change.email, externalId, id)
      if (issues.length > 0) return Either.left(rulesBroken(issues))
      if (change.type === "individual" && customer.type === "team") {
        return Either.left(invalid("type", "A team customer cannot become an individual one.", change.type))
      }
      const updated = step.update("customers", id, {
        type: change.type ?? customer.type,
        email: change.email ?? customer.email,
        external_id: externalId ?? customer.external_id,
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.billing_address == null ? {} : { billing_address: change.billing_address }),
        ...(change.locale === undefined ? {} : { locale: change.locale }),
        ...(change.metadata == null ? {} : { metadata: change.metadata })
      })
      step.emitCustomer("customer.updated", updated)
      if (updated.type === "team" && customer.type !== "team") addOwner(step, updated)
      return Either.right(updated)
    })

/** Who buys seats is a team from then on. */
export const upgradeToTeam = (step: Step, id: string): void => {
  if (step.get("customers", id).type === "team") return
  const team = step.update("customers", id, { type: "team" })
  addOwner(step, team)
  step.emitCustomer("customer.updated", team)
}

/** Deletes softly: address and external id are free again, and what is billable ends. */
export const remove =
  (id: string, anonymize: boolean) =>
  (step: Step): Either.Either<void, Refusal> =>
    Either.map(find(step, id), (customer) => {
      const kept = customer.external_id === null ? {} : { [keptExternalId]: customer.external_id }
      const forgotten = {
        email: `${step.text(32)}@anonymized.polar.sh`.toLowerCase(),
        name: customer.name === null ? null : step.text(32),
        billing_address: null
      }
      const deleted = step.update("customers", id, {
        external_id: null,
        deleted_at: step.now(),
        metadata: {
          ...customer.metadata,
          ...kept,
          ...(anonymize ? { __anonymized_at: new Date(step.now() / 1000).toISOString() } : {})
        },
        ...(anonymize ? forgotten : {})
      })
      step.emitCustomer("customer.deleted", deleted)
      for (const subscription of step.all("subscriptions")) {
        if (subscription.customer_id === id && Subscriptions.isBillable(subscription)) {
          Subscriptions.end(step, subscription)
        }
      }
      BenefitSync.afterCustomerLeft(step, id)
    })

const sessionHour = 3_600_000_000

export interface SessionInput {
  readonly customer_id?: string | undefined
  readonly external_customer_id?: string | undefined
  readonly member_id?: string | null | undefined
  readonly external_member_id?: string | null | undefined
  readonly return_url?: string | null | undefined
}

const problemOfMember = (
  step: Step,
  customer: Customer,
  { external_member_id, member_id }: SessionInput
): Issue | undefined => {
  const members = membersOf(step, customer.id)
  if (member_id != null) {
    return members.some(({ id }) => id === member_id)
      ? undefined
      : issue("member_id", "Member does not exist for this customer.", member_id)
  }
  if (external_member_id != null) {
    return members.some(({ external_id }) => external_id === external_member_id)
      ? undefined
      : issue("external_member_id", "Member does not exist for this customer.", external_member_id)
  }
  return customer.type === "team" ? issue("member_id", "member_id is required for team customers.", null) : undefined
}

/** Access to the customer portal, for an hour. A team's is opened for one of its members. */
export const openSession =
  (input: SessionInput) =>
  (step: Step): Either.Either<CustomerSession, Refusal> => {
    const { customer_id, external_customer_id, return_url } = input
    const customer =
      customer_id !== undefined
        ? Either.getRight(find(step, customer_id))
        : Either.getRight(findByExternalId(step, external_customer_id ?? ""))
    if (customer._tag === "None") {
      const field = customer_id !== undefined ? "customer_id" : "external_customer_id"
      return Either.left(invalid(field, "Customer does not exist.", customer_id ?? external_customer_id))
    }
    const memberProblem = problemOfMember(step, customer.value, input)
    if (memberProblem !== undefined) return Either.left(rulesBroken([memberProblem]))
    const stamp = step.stamp()
    return Either.right(
      step.put("sessions", {
        ...stamp,
        customer_id: customer.value.id,
        token: `polar_mst_${step.text(43)}`,
        expires_at: (stamp.created_at + sessionHour) as typeof stamp.created_at,
        return_url: return_url ?? null
      })
    )
  }
