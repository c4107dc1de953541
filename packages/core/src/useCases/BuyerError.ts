/** How a buyer's click comes to nothing for a reason that the app can react to; each says what to do. */
import * as Schema from "effect/Schema"
import { sentence } from "../polar/PolarError.ts"

/** Polar does not sell the product: it is archived, it does not exist, or its id is none. */
export class ProductNotForSale extends Schema.TaggedError<ProductNotForSale>()("ProductNotForSale", {
  productId: Schema.String,
  /** Polar's words. */
  reason: Schema.String
}) {
  override get message(): string {
    return `Polar does not sell the product ${this.productId}: ${this.reason} Offer another one, or put it on sale again at Polar. Products of production and of the sandbox have different ids.`
  }
}

/** Polar does not take the discount for this checkout. */
export class DiscountNotApplicable extends Schema.TaggedError<DiscountNotApplicable>()("DiscountNotApplicable", {
  /** Its code, or its id. */
  discount: Schema.String,
  /** Polar's words, or that it has no discount with that code. */
  reason: Schema.String
}) {
  override get message(): string {
    return `The discount ${this.discount} does not apply to this checkout: ${sentence(this.reason)} It may be over or used up, of another organization or environment, not for one of these products, or lack the currency.`
  }
}

/** The user has no customer at Polar, or none that is known to be theirs: there is nothing to manage. */
export class NoCustomer extends Schema.TaggedError<NoCustomer>()("NoCustomer", {
  userId: Schema.String
}) {
  override get message(): string {
    return `User ${this.userId} has no customer at Polar, so there is nothing to manage: offer a checkout. If they bought elsewhere, \`linkCustomer\` says which customer is theirs.`
  }
}

/**
 * What the user bought belongs to a customer of Polar's that another user has something of, too: Polar gives a purchase to the
 * customer that has the e-mail. Its portal shows all of it, and lets whoever opens it cancel all of it.
 */
export class CustomerShared extends Schema.TaggedError<CustomerShared>()("CustomerShared", {
  userId: Schema.String,
  customerId: Schema.String
}) {
  override get message(): string {
    return `The customer ${this.customerId} of user ${this.userId} also has records of another user, and its portal would show and cancel them: it is opened for neither. Cancel or change at Polar's dashboard what this user asks for; or, if both are one person, give all of it to one user with \`customers.move\`.`
  }
}

/** The customer is a team, and Polar opens its portal only for one of its members: none of them is known to be the user. */
export class MemberNeeded extends Schema.TaggedError<MemberNeeded>()("MemberNeeded", {
  userId: Schema.String,
  customerId: Schema.String,
  /** Why the members could not be listed, or the one who was named is none. */
  reason: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const how =
      this.reason === null
        ? "Name the member with `memberId`, or give the member the user's id as its external id at Polar."
        : `${this.reason} Or name another member with \`memberId\`.`
    return `The customer ${this.customerId} of user ${this.userId} is a team, whose portal is opened for a member. ${how}`
  }
}

/** The user is subscribed to the product already, or to another one beside which Polar would refuse it when the buyer pays. */
export class AlreadySubscribed extends Schema.TaggedError<AlreadySubscribed>()("AlreadySubscribed", {
  userId: Schema.String,
  subscription: Schema.Struct({
    id: Schema.String,
    status: Schema.String,
    productId: Schema.String,
    currentPeriodEnd: Schema.NullOr(Schema.DateFromSelf),
    cancelAtPeriodEnd: Schema.Boolean
  })
}) {
  override get message(): string {
    return `User ${this.userId} has the subscription ${this.subscription.id} already (${this.subscription.status}): change that one with \`subscriptions.change\`, or say with \`ifSubscribed\` what to do. Several are possible where the organization's settings at Polar allow it.`
  }
}

/** One user has opened as many sessions as one may. */
export class TooManySessions extends Schema.TaggedError<TooManySessions>()("TooManySessions", {
  /** `checkouts` or `portal sessions`. */
  what: Schema.String,
  userId: Schema.String,
  perMinute: Schema.Number,
  retryAfterSeconds: Schema.Number
}) {
  override get message(): string {
    return `User ${this.userId} has opened ${this.perMinute} ${this.what} within a minute, which is as many as one user may. Try again in ${this.retryAfterSeconds} s, or raise \`sessionsPerMinute\`.`
  }
}
