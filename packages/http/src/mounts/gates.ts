/**
 * Gates before an app's own routes: only who has access, a benefit or a product gets through.
 *
 * Nothing is imported here: a gate asks a billing, and answers as the web does.
 */

/** What a gate asks: `billing` of `polar()`, or whatever answers like it. */
export interface GatedBilling {
  readonly access: (
    userId: string,
    options?: { readonly product?: string; readonly products?: ReadonlyArray<string> }
  ) => Promise<{ readonly entitlement: string }>
  readonly benefits: { readonly has: (userId: string, key: string) => Promise<boolean> }
  readonly orders: { readonly owns: (userId: string, product: string) => Promise<boolean> }
}

export interface GateOptions<Context = unknown> {
  /**
   * The id of whoever is signed in, by your own sessions; `null` for nobody. `context` is what the framework hands over.
   *
   * @example
   * gates(billing, { getUserId: (request) => request.headers.get("x-user") })
   */
  readonly getUserId: (
    request: Request,
    context: Context
  ) => string | null | undefined | Promise<string | null | undefined>
  /**
   * Where to buy: it is in the answer to who may not get through.
   *
   * @example
   * gates(billing, { getUserId: () => "user_1", buyUrl: "/plans" })
   */
  readonly buyUrl?: string | undefined
  /**
   * Is told why billing could not be asked, and the user is answered 503. Default: the error is thrown, for the framework's own
   * handling of errors.
   *
   * @example
   * gates(billing, { getUserId: () => "user_1", onError: (error) => console.warn(error) })
   */
  readonly onError?: ((error: unknown, request: Request) => void) | undefined
}

/** Answers a request, and has what the framework hands over. */
export type GatedHandler<Context> = (request: Request, context: Context) => Response | Promise<Response>

/** A gate before one route, or several. */
export interface Gate<Context = unknown> {
  /** The same handler behind the gate. */
  (handler: GatedHandler<Context>): (request: Request, context: Context) => Promise<Response>
  /**
   * The answer to somebody who may not get through; `undefined` for who may. 401: nobody is signed in. 402: they have not bought
   * it. 503: billing could not be asked. Rejects where nobody takes the error.
   */
  readonly refusal: (request: Request, context: Context) => Promise<Response | undefined>
}

export interface Gates<Context = unknown> {
  /**
   * Who has access, a grace period included; with `product` or `products`, by a subscription to these.
   *
   * @example
   * const { requireAccess } = gates(billing, { getUserId: () => "user_1" })
   * export const GET = requireAccess({ product: "pro" })(() => Response.json({ report: "…" }))
   */
  readonly requireAccess: (asked?: {
    readonly product?: string
    readonly products?: ReadonlyArray<string>
  }) => Gate<Context>
  /** Who has the benefit with this `metadata.key`, or this id. */
  readonly requireBenefit: (key: string) => Gate<Context>
  /** Who bought this product, which is bought once, and has not had all of it back. */
  readonly requireProduct: (product: string) => Gate<Context>
}

/**
 * Gates for your own routes.
 *
 * @example
 * const { requireBenefit } = gates(billing, { getUserId: (request) => request.headers.get("x-user"), buyUrl: "/plans" })
 * export const GET = requireBenefit("export")(() => new Response("…"))
 */
export const gates = <Context = unknown>(
  billing: GatedBilling,
  { buyUrl, getUserId, onError }: GateOptions<Context>
): Gates<Context> => {
  const gate = (mayPass: (userId: string) => Promise<boolean>): Gate<Context> => {
    const refusal = async (request: Request, context: Context): Promise<Response | undefined> => {
      try {
        const userId = await getUserId(request, context)
        if (userId === null || userId === undefined || userId === "") return refused(401, { error: "Not signed in" })
        return (await mayPass(userId)) ? undefined : refused(402, { error: "Payment required", buyUrl })
      } catch (error) {
        // Never let through: who has not paid could else break something to get in.
        if (onError === undefined) throw error
        onError(error, request)
        return refused(503, { error: "Billing is temporarily unavailable" }, { "retry-after": "5" })
      }
    }
    const behind =
      (handler: GatedHandler<Context>) =>
      async (request: Request, context: Context): Promise<Response> =>
        (await refusal(request, context)) ?? handler(request, context)
    return Object.assign(behind, { refusal })
  }

  return {
    requireAccess: (asked) => gate(async (userId) => (await billing.access(userId, asked)).entitlement !== "denied"),
    requireBenefit: (key) => gate((userId) => billing.benefits.has(userId, key)),
    requireProduct: (product) => gate((userId) => billing.orders.owns(userId, product))
  }
}

/** It is one user's, and no cache's. */
const refused = (status: number, body: object, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } })
