/** What the routes take. */

/** What a buyer may choose of a checkout. Another order, price or buyer is for the app's server to say. */
export interface CheckoutChoices {
  /** Where the buyer comes back to: a path of the app's, or of a trusted origin. `{CHECKOUT_ID}` in it becomes the id. */
  readonly successUrl?: string | undefined
  /** Where the checkout's back button leads: a path of the app's, or of a trusted origin. */
  readonly returnUrl?: string | undefined
  /** For a product that is sold by the seat. */
  readonly seats?: number | undefined
  /** For a product that is sold by the unit. */
  readonly units?: number | undefined
  readonly discountCode?: string | undefined
  /** The language of Polar's page, such as `fr`. */
  readonly locale?: string | undefined
  /** The origin of the page that embeds the checkout. `embed: true` says it for you. */
  readonly embedOrigin?: string | undefined
}

/**
 * What a checkout is of: the body of its route. Products by Polar's ids, or the app's names for them; of several the buyer
 * chooses, and the first is preselected.
 */
export type CheckoutRequest = CheckoutChoices &
  ({ readonly productId: string } | { readonly productIds: readonly [string, ...ReadonlyArray<string>] })

/** How the buyer gets there. */
export interface CheckoutDisplay {
  /**
   * `true`: Polar's checkout opens over the page, in a frame, and on a page of its own only where a frame does not load.
   *
   * @example
   * await polarClient.checkout({ productId, embed: true })
   */
  readonly embed?: boolean | undefined
  /**
   * Of the embedded checkout. Default: Polar's own.
   *
   * @example
   * await polarClient.checkout({ productId, embed: true, theme: "dark" })
   */
  readonly theme?: "light" | "dark" | undefined
  /**
   * What the embedded checkout is called for those who do not see it. Default: "Checkout".
   *
   * @example
   * await polarClient.checkout({ productId, embed: true, label: "Kasse" })
   */
  readonly label?: string | undefined
  /**
   * How long the frame may take to load before the buyer is sent to Polar's page instead. Default: 10.
   *
   * @example
   * await polarClient.checkout({ productId, embed: true, loadTimeoutSeconds: 5 })
   */
  readonly loadTimeoutSeconds?: number | undefined
  /**
   * `false`: the page stays where it is. Without `embed` only the checkout's address is answered; with it, a buyer who has
   * paid stays on the page, unless the frame does not load. Default: `true`.
   *
   * @example
   * const { url } = await polarClient.checkout({ productId, redirect: false })
   */
  readonly redirect?: boolean | undefined
}

/**
 * What is sold, and how the buyer gets there.
 *
 * @example
 * await polarClient.checkout({ productId: "pro", successUrl: "/welcome?checkout={CHECKOUT_ID}", embed: true })
 * await polarClient.checkout({ productIds: ["pro", "team"], seats: 3, discountCode: "SPRING", locale: "fr" })
 */
export type CheckoutOptions = CheckoutRequest & CheckoutDisplay

/** Which subscription, of several that are live. */
export interface SubscriptionRequest {
  readonly subscriptionId?: string
}

/** To what a subscription is changed: one of these. */
export type ChangeRequest = SubscriptionRequest &
  ({ readonly productId: string } | { readonly seats: number } | { readonly units: number })

export interface CancelRequest extends SubscriptionRequest {
  readonly reason?:
    | "customer_service"
    | "low_quality"
    | "missing_features"
    | "switched_service"
    | "too_complex"
    | "too_expensive"
    | "unused"
    | "other"
    | undefined
  /** At most 2000 characters. */
  readonly comment?: string | undefined
}

export interface PauseRequest extends SubscriptionRequest {
  /** When it goes on by itself (ISO 8601). Default: when it is resumed. */
  readonly resumesAt?: string | undefined
}

export interface PortalRequest {
  /** Where the portal's back button leads: a path of the app's, or of a trusted origin. */
  readonly returnUrl?: string | undefined
}

/**
 * @example
 * await polarClient.portal({ returnUrl: "/account" })
 */
export interface PortalOptions extends PortalRequest {
  /**
   * `false`: the page stays where it is, and only the address is answered. Default: `true`.
   *
   * @example
   * const { url } = await polarClient.portal({ redirect: false })
   */
  readonly redirect?: boolean | undefined
}

export interface AccessQuery {
  /**
   * Only subscriptions to this product, or to one of these: Polar's ids, or the app's names for them. Default: any product
   * that the app sells.
   *
   * @example
   * const { hasAccess } = await polarClient.access({ product: ["pro", "team"] })
   */
  readonly product?: string | ReadonlyArray<string> | undefined
}

export interface CallOptions {
  /**
   * Gives the call up. What the server has begun by then, it may finish.
   *
   * @example
   * await polarClient.orders.list({ signal: AbortSignal.timeout(5000) })
   */
  readonly signal?: AbortSignal | undefined
}
