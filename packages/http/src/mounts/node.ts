/**
 * Billing's routes on a server of `node:http`, and on what is made of one: Express, Connect, NestJS, Polka.
 *
 * Nothing but Node is imported here.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { sendWeb } from "../node/answer.ts"
import { badRequest, headOf, internalError, requestOf, schemeOf } from "../node/webRequest.ts"

/**
 * What `billing.handler()` gives, as a listener. It answers whatever it is given: mount it on the routes' path. Behind a
 * parser of bodies all routes work but the webhook's, which needs the bytes: in `rawBody`, or as `express.raw()` keeps them.
 *
 * @example
 * import { createServer } from "node:http"
 * import { type PolarBilling } from "kavach-polar"
 * import { toNodeListener } from "kavach-polar/node"
 *
 * export const serve = (billing: PolarBilling) =>
 *   createServer(toNodeListener(billing.handler({ getUser: () => ({ id: "user_1" }) }))).listen(3000)
 */
export const toNodeListener =
  <Incoming extends IncomingMessage = IncomingMessage>(
    handler: (request: Request, incoming: Incoming) => Promise<Response>
  ) =>
  async (incoming: Incoming, outgoing: ServerResponse, next?: (error: unknown) => void): Promise<void> => {
    try {
      const request = requestOf(incoming, schemeOf(incoming))
      const response = request === undefined ? badRequest() : await handler(request, incoming)
      // Such as a timeout of the app's.
      if (outgoing.headersSent) return
      await sendWeb(incoming, outgoing, response)
    } catch (error) {
      // Nobody listens any more, or half of an answer is on its way: neither can be told.
      if (outgoing.headersSent || outgoing.destroyed) return void outgoing.destroy()
      // A handler of billing's never rejects: this one was wrapped.
      if (next !== undefined) return next(error)
      process.emitWarning(error instanceof Error ? error : String(error))
      await sendWeb(incoming, outgoing, internalError())
    }
  }

/** A gate of `gates()`, as far as it is needed here. */
interface NodeGate<Incoming> {
  readonly refusal: (request: Request, incoming: Incoming) => Promise<Response | undefined>
}

/**
 * A gate before routes of Express, Connect or Polka: it answers who may not get through, and calls `next` for who may. The body
 * is left to whoever comes after.
 *
 * @example
 * import type { Express } from "express"
 * import type { PolarBilling } from "kavach-polar"
 * import { gates } from "kavach-polar/gates"
 * import { toNodeMiddleware } from "kavach-polar/node"
 *
 * export const guard = (app: Express, billing: PolarBilling) => {
 *   const { requireAccess } = gates(billing, { getUserId: (request) => request.headers.get("x-user") })
 *   app.use("/reports", toNodeMiddleware(requireAccess({ product: "pro" })))
 * }
 */
export const toNodeMiddleware =
  <Incoming extends IncomingMessage = IncomingMessage>(gate: NodeGate<Incoming>) =>
  async (incoming: Incoming, outgoing: ServerResponse, next: (error?: unknown) => void): Promise<void> => {
    try {
      const request = headOf(incoming, schemeOf(incoming))
      const refusal = request === undefined ? badRequest() : await gate.refusal(request, incoming)
      // Where something else has answered, such as a timeout of the app's, who may not get through does not either.
      if (refusal !== undefined) return outgoing.headersSent ? undefined : await sendWeb(incoming, outgoing, refusal)
    } catch (error) {
      return next(error)
    }
    next()
  }
