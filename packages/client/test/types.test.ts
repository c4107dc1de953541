/** The types are those that the server's schemas say of JSON. Whether they are, the type check says. */
import type * as Client from "@kavach-polar/client"
import type * as Api from "@kavach-polar/http/Api"
import { expectTypeOf, test } from "vitest"

type Answer<Schema extends { readonly Encoded: unknown }> = Schema["Encoded"]
type Keys<Union> = Union extends unknown ? keyof Union : never

test("answers", () => {
  expectTypeOf<Client.CreatedCheckout>().toEqualTypeOf<Answer<typeof Api.CheckoutResponse>>()
  expectTypeOf<Client.CurrentSubscription | null>().toEqualTypeOf<
    Answer<typeof Api.SubscriptionResponse>["subscription"]
  >()
  expectTypeOf<Client.AccessAnswer>().toEqualTypeOf<Answer<typeof Api.AccessResponse>>()
  expectTypeOf<Client.UsersBenefit>().toEqualTypeOf<Answer<typeof Api.UsersBenefit>>()
  expectTypeOf<Client.UsersOrder>().toEqualTypeOf<Answer<typeof Api.UsersOrder>>()
  expectTypeOf<Client.UsersSubscription>().toEqualTypeOf<Answer<typeof Api.UsersSubscription>>()
  expectTypeOf<Client.ChangePreview>().toEqualTypeOf<Answer<typeof Api.PreviewResponse>>()
  expectTypeOf<Client.CompletedCheckout>().toEqualTypeOf<Answer<typeof Api.CheckoutResultResponse>>()
  expectTypeOf<Awaited<ReturnType<Client.PolarClient["portal"]>>>().toEqualTypeOf<Answer<typeof Api.PortalResponse>>()
})

test("bodies", () => {
  expectTypeOf<Client.SubscriptionRequest>().toEqualTypeOf<Answer<typeof Api.SubscriptionRequest>>()
  expectTypeOf<Client.CancelRequest>().toEqualTypeOf<Answer<typeof Api.CancelRequest>>()
  expectTypeOf<Client.PauseRequest>().toEqualTypeOf<Answer<typeof Api.PauseRequest>>()
  expectTypeOf<Client.PortalRequest>().toEqualTypeOf<Answer<typeof Api.PortalRequest>>()
  // One of its alternatives each time, and all of them.
  expectTypeOf<Client.CheckoutRequest>().toExtend<Answer<typeof Api.CheckoutRequest>>()
  expectTypeOf<Keys<Client.CheckoutRequest>>().toEqualTypeOf<keyof Answer<typeof Api.CheckoutRequest>>()
  expectTypeOf<Client.ChangeRequest>().toExtend<Answer<typeof Api.ChangeRequest>>()
  expectTypeOf<Keys<Client.ChangeRequest>>().toEqualTypeOf<keyof Answer<typeof Api.ChangeRequest>>()
})
