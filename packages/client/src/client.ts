/** The routes as calls. */
import type {
  AccessAnswer,
  ChangePreview,
  CompletedCheckout,
  CreatedCheckout,
  CurrentSubscription,
  UsersBenefit,
  UsersOrder,
  UsersSubscription
} from "./answers.ts"
import { browserHere } from "./browser.ts"
import { openEmbeddedCheckout } from "./embeddedCheckout.ts"
import { PolarClientError } from "./PolarClientError.ts"
import type {
  AccessQuery,
  CallOptions,
  CancelRequest,
  ChangeRequest,
  CheckoutOptions,
  PauseRequest,
  PortalOptions,
  SubscriptionRequest
} from "./requests.ts"
import { makeSend } from "./send.ts"

type Headers = Readonly<Record<string, string>>

/**
 * @example
 * createPolarClient({
 *   baseUrl: "https://api.example.com",
 *   headers: () => ({ authorization: `Bearer ${sessionToken}` })
 * })
 */
export interface PolarClientOptions {
  /**
   * Where the app's routes are: what stands before `/auth/polar`. Default: the page's own origin.
   *
   * @example
   * createPolarClient({ baseUrl: "/api/kavach" })
   */
  readonly baseUrl?: string | undefined
  /**
   * Sends the requests. Default: the platform's.
   *
   * @example
   * createPolarClient({ fetch: (url, init) => fetch(url, { ...init, credentials: "omit" }) })
   */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  /**
   * Sent with each request: for sessions that are no cookie.
   *
   * @example
   * createPolarClient({ headers: async () => ({ authorization: `Bearer ${sessionToken}` }) })
   */
  readonly headers?: Headers | (() => Headers | Promise<Headers>) | undefined
}

/** How a checkout came out, as far as the page saw it. */
export interface CheckoutOutcome extends CreatedCheckout {
  /**
   * `created`: there is a checkout, and nobody was sent to it. `redirected`: the page is on its way to Polar's, or from there
   * to `successUrl`. `succeeded`: paid, in the frame. `closed`: the buyer closed the frame.
   */
  readonly outcome: "created" | "redirected" | "succeeded" | "closed"
}

export interface PolarClient {
  /**
   * Makes a checkout and sends the buyer there. Outside of a page it only makes one.
   *
   * @example
   * await polarClient.checkout({ productId: "pro", successUrl: "/welcome?checkout={CHECKOUT_ID}" })
   */
  readonly checkout: (options: CheckoutOptions, call?: CallOptions) => Promise<CheckoutOutcome>
  /**
   * What became of a checkout, for the page that the buyer comes back to. The server waits for Polar up to ten seconds.
   *
   * @example
   * const { access, status } = await polarClient.completeCheckout(checkoutId)
   */
  readonly completeCheckout: (checkoutId: string, call?: CallOptions) => Promise<CompletedCheckout>
  /**
   * Whether the user may use what they pay for. It decides what a page shows; what is paid for is guarded where it is served.
   *
   * @example
   * const { hasAccess } = await polarClient.access({ product: "pro" })
   */
  readonly access: (query?: AccessQuery, call?: CallOptions) => Promise<AccessAnswer>
  readonly subscription: {
    /**
     * The current one; `null` where none is live.
     *
     * @example
     * const subscription = await polarClient.subscription.get()
     */
    readonly get: (call?: CallOptions) => Promise<CurrentSubscription | null>
    /**
     * To another product, or another number of seats or units. Resolves with what it is now.
     *
     * @example
     * await polarClient.subscription.change({ productId: "team" })
     */
    readonly change: (to: ChangeRequest, call?: CallOptions) => Promise<UsersSubscription>
    /**
     * What such a change would cost; changes nothing.
     *
     * @example
     * const preview = await polarClient.subscription.preview({ seats: 5 })
     * if (preview.available) console.log(preview.due, preview.currency)
     */
    readonly preview: (to: ChangeRequest, call?: CallOptions) => Promise<ChangePreview>
    /**
     * Ends it with its period.
     *
     * @example
     * await polarClient.subscription.cancel({ reason: "unused" })
     */
    readonly cancel: (request?: CancelRequest, call?: CallOptions) => Promise<UsersSubscription>
    /**
     * Takes that back while the period lasts.
     *
     * @example
     * await polarClient.subscription.uncancel()
     */
    readonly uncancel: (request?: SubscriptionRequest, call?: CallOptions) => Promise<UsersSubscription>
    /**
     * Pauses it at the end of its period.
     *
     * @example
     * await polarClient.subscription.pause({ resumesAt: "2027-01-01T00:00:00Z" })
     */
    readonly pause: (request?: PauseRequest, call?: CallOptions) => Promise<UsersSubscription>
    /**
     * Goes on with it, or drops a pause that is only scheduled.
     *
     * @example
     * await polarClient.subscription.resume()
     */
    readonly resume: (request?: SubscriptionRequest, call?: CallOptions) => Promise<UsersSubscription>
  }
  /**
   * Sends the user to Polar's portal. Outside of a page it only asks where that is.
   *
   * @example
   * await polarClient.portal({ returnUrl: "/account" })
   */
  readonly portal: (options?: PortalOptions, call?: CallOptions) => Promise<{ readonly url: string }>
  readonly benefits: {
    /**
     * What the user was granted, the oldest first.
     *
     * @example
     * const limit = (await polarClient.benefits.list()).find(({ key }) => key === "max-projects")
     */
    readonly list: (call?: CallOptions) => Promise<ReadonlyArray<UsersBenefit>>
  }
  readonly orders: {
    /**
     * The user's orders, the newest first.
     *
     * @example
     * const [latest] = await polarClient.orders.list()
     */
    readonly list: (call?: CallOptions) => Promise<ReadonlyArray<UsersOrder>>
  }
  /**
   * Calls the listener after each call that may have changed what the user has, also one that failed: the server may have done
   * it all the same. Answers with what ends that.
   *
   * @example
   * const stop = polarClient.onChange(() => console.log("ask again"))
   */
  readonly onChange: (listener: () => void) => () => void
}

/**
 * A client of the app's billing routes. It keeps nothing: make one for the whole app.
 *
 * @example
 * const polarClient = createPolarClient()
 * const { hasAccess } = await polarClient.access()
 */
export const createPolarClient = (options: PolarClientOptions = {}): PolarClient => {
  const { get, post } = makeSend(options)
  const listeners = new Set<() => void>()

  /** A listener that throws is no failure of the call. */
  const changed = () => listeners.forEach(queueMicrotask)

  const change =
    <Body>(action: string) =>
    async (body: Body, call?: CallOptions): Promise<UsersSubscription> => {
      try {
        return (await post<{ subscription: UsersSubscription }>(`/subscription/${action}`, body, call)).subscription
      } finally {
        changed()
      }
    }

  return {
    checkout: async ({ embed, label = "Checkout", loadTimeoutSeconds = 10, redirect = true, theme, ...body }, call) => {
      const browser = browserHere()
      const embedOrigin = embed ? browser?.location.origin : body.embedOrigin
      const { id, url } = withAddress(await post<CreatedCheckout>("/checkout", { ...body, embedOrigin }, call))
      const came = (outcome: CheckoutOutcome["outcome"]) => ({ id, url, outcome })
      if (browser === undefined) return came("created")
      if (embed) {
        const signal = call?.signal
        const loadTimeoutMillis = loadTimeoutSeconds * 1000
        const end = await openEmbeddedCheckout({ browser, url, label, theme, loadTimeoutMillis, redirect, signal })
        if (signal?.aborted) throw new PolarClientError({ code: "aborted", message: "Aborted", cause: signal.reason })
        changed()
        if (end !== "notLoaded") return came(end)
      } else if (!redirect) return came("created")
      browser.location.assign(url)
      return came("redirected")
    },
    completeCheckout: async (checkoutId, call) => {
      try {
        return await get<CompletedCheckout>(`/checkout/${encodeURIComponent(checkoutId)}`, call)
      } finally {
        changed()
      }
    },
    access: ({ product = [] } = {}, call) => {
      const asked = [product].flat().map((one) => `product=${encodeURIComponent(one)}`)
      return get<AccessAnswer>(`/access${asked.length ? `?${asked.join("&")}` : ""}`, call)
    },
    subscription: {
      get: async (call) =>
        (await get<{ subscription: CurrentSubscription | null }>("/subscription", call)).subscription,
      change: change("change"),
      preview: (to, call) => post<ChangePreview>("/subscription/preview", to, call),
      cancel: change("cancel"),
      uncancel: change("uncancel"),
      pause: change("pause"),
      resume: change("resume")
    },
    portal: async ({ redirect = true, ...body } = {}, call) => {
      const { url } = withAddress(await post<{ url: string }>("/portal", body, call))
      if (redirect) browserHere()?.location.assign(url)
      return { url }
    },
    benefits: {
      list: async (call) => (await get<{ benefits: ReadonlyArray<UsersBenefit> }>("/benefits", call)).benefits
    },
    orders: {
      list: async (call) => (await get<{ orders: ReadonlyArray<UsersOrder> }>("/orders", call)).orders
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

/** Nobody is sent to "undefined", such as by another API's answer under a wrong `baseUrl`. */
const withAddress = <Answer extends { readonly url: unknown }>(answer: Answer): Answer => {
  if (typeof answer.url === "string") return answer
  throw new PolarClientError({
    code: "invalid_response",
    message: "The server answered with something else than it should"
  })
}
