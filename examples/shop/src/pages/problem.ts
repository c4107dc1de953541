/** What went wrong, as a sentence for the buyer, and where to go next. The operator's sentence is the error's own. */
import type { PolarBillingError } from "@kavach-polar/http"
import type { Visit } from "../Shop.ts"
import { type Html, html } from "../web/html.ts"
import { portalForm, shopPage } from "./frame.ts"

interface Problem {
  readonly status: number
  readonly title: string
  readonly text: string
  readonly next: ReadonlyArray<Html>
}

const toAccount = html`<a class="button" href="/account">Your subscription</a>`
const toPlans = html`<a class="button" href="/">See the plans</a>`
const toPortal = portalForm("Look after the payment")

type Refused = Extract<PolarBillingError, { readonly _tag: "SubscriptionChangeRefused" }>

const refused = ({ reason }: Refused): Problem => {
  const problem = (title: string, text: string, ...next: ReadonlyArray<Html>): Problem => ({
    status: 409,
    title,
    text,
    next: next.length === 0 ? [toAccount, toPlans] : next
  })
  switch (reason) {
    case "ended":
      return problem(
        "That subscription has ended",
        "There is nothing left to change. You can choose a plan anew.",
        toPlans
      )
    case "scheduled to end":
      return problem("Your subscription is about to end", "Keep it first, and then change it.", toAccount)
    case "cannot be paused":
      return problem(
        "It cannot be paused now",
        "Only a subscription that is paid, and is not about to end, can be paused.",
        toAccount
      )
    case "not active":
      return problem("Your subscription is not active", "Look at what it is now.", toAccount)
    case "payment method missing":
      return problem(
        "A card is missing",
        "Add one in the customer portal, and do it again. Nothing was changed.",
        toPortal,
        toAccount
      )
    case "product not possible":
      return problem(
        "You cannot switch to that plan",
        "It is not sold any more, or not to your subscription. Nothing was changed.",
        toPlans
      )
    case "time not possible":
      return problem(
        "That date is not possible",
        "It has to come after the end of the period that you have paid for.",
        toAccount
      )
    default:
      return problem("That was not possible", "Polar refused it as things stand, and nothing was changed.")
  }
}

const perhapsDone = "It may have gone through all the same: look at your subscription before you try again."

/** What the buyer is told; `undefined` of what is nobody's to expect. */
const problemOf = (error: PolarBillingError): Problem | undefined => {
  switch (error._tag) {
    case "SubscriptionChangeRefused":
      return refused(error)
    case "SubscriptionPaymentFailed":
      return {
        status: 402,
        title: "The payment failed",
        text: "Your card was declined or wants your confirmation. Nothing was changed, and you keep the plan that you have. Put the card right in the customer portal, and try again.",
        next: [toPortal, toAccount]
      }
    case "SubscriptionLocked":
      return {
        status: 409,
        title: "One moment, please",
        text: `Polar is at your subscription just now, such as renewing it. Nothing was changed: try again in ${error.retryAfterSeconds} seconds.`,
        next: [toAccount]
      }
    case "NoSubscription":
      return {
        status: 409,
        title: "You have no subscription",
        text: "There is nothing to change. Choose a plan first.",
        next: [toPlans]
      }
    case "SeveralSubscriptions":
    case "SubscriptionNotFound":
      return {
        status: 404,
        title: "There is no such subscription of yours",
        text: "It may have ended since. Nothing was changed.",
        next: [toAccount, toPlans]
      }
    case "AlreadySubscribed":
      return {
        status: 409,
        title: "You are subscribed already",
        text: "Change the plan that you have instead of buying another one.",
        next: [toAccount, toPlans]
      }
    case "CheckoutNotFound":
      return {
        status: 404,
        title: "There is no such checkout of yours",
        text: "The address may be incomplete, or you are signed in as somebody else than when you paid.",
        next: [toAccount, toPlans]
      }
    case "ProductNotForSale":
    case "InvalidOption":
      return {
        status: 422,
        title: "That is not for sale",
        text: "It may have been taken off the list. Nothing was charged.",
        next: [toPlans]
      }
    case "NoCustomer":
      return {
        status: 404,
        title: "You have bought nothing yet",
        text: "The customer portal shows invoices and payments, and there are none.",
        next: [toPlans]
      }
    case "CustomerShared":
    case "MemberNeeded":
      return {
        status: 409,
        title: "The customer portal stays closed",
        text: "What you bought belongs to a customer that is not yours alone. Write to us, and we look after it.",
        next: [toAccount]
      }
    case "TooManySessions":
    case "PolarRateLimited":
      return {
        status: 429,
        title: "That was too often",
        text: `Nothing was charged. Try again in ${error.retryAfterSeconds ?? 60} seconds.`,
        next: [toAccount, toPlans]
      }
    case "PolarTimeout":
    case "PolarUnavailable":
      return {
        status: 503,
        title: "Polar does not answer just now",
        text: error.mayHaveActed ? perhapsDone : "Nothing was changed or charged. Try again in a moment.",
        next: [toAccount]
      }
    case "ReconcileRunning":
    case "ReconcileTookTooLong":
    case "StoreError":
      return {
        status: 503,
        title: "That took too long",
        text: "Nothing is lost. Try again in a moment.",
        next: [toAccount]
      }
    default:
      return undefined
  }
}

const unexpected: Problem = {
  status: 502,
  title: "That did not work",
  text: "It is not your fault, and we have been told. Try again later.",
  next: [toAccount, toPlans]
}

/** The page for whatever a call of the billing rejects with. */
export const failurePage = (visit: Visit, error: unknown): Promise<Response> => {
  const { next, status, text, title } =
    (error instanceof Error && "_tag" in error ? problemOf(error as PolarBillingError) : undefined) ?? unexpected
  return shopPage(visit, {
    status,
    title,
    formTargets: visit.services.polarOrigins,
    main: html`<div class="card narrow"><h1>${title}</h1><p>${text}</p><div class="row">${next}</div></div>`
  })
}
