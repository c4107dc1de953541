/**
 * Billing's routes as a plugin of Fastify 5.
 *
 * Nothing of Fastify is imported here but its types.
 */
import { Buffer } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { Readable } from "node:stream"
import type { FastifyPluginAsync, FastifyRequest, onRequestAsyncHookHandler } from "fastify"
import { ranOff, runOff } from "../node/runOff.ts"
import { badRequest, headOf, requestOf, schemeOf } from "../node/webRequest.ts"

/**
 * What `billing.handler()` gives, as a plugin. It reads bodies itself, and leaves the parsers of the app as they are; the
 * app's hooks see its requests and its answers. Register it with the routes' path as the `prefix`.
 *
 * @example
 * import type { FastifyInstance } from "fastify"
 * import { type PolarBilling } from "kavach-polar"
 * import { toFastifyPlugin } from "kavach-polar/fastify"
 *
 * export const mount = (app: FastifyInstance, billing: PolarBilling) =>
 *   app.register(toFastifyPlugin(billing.handler({ getUser: () => ({ id: "user_1" }) })), { prefix: "/auth/polar" })
 */
export const toFastifyPlugin =
  (handler: (request: Request, fastifyRequest: FastifyRequest) => Promise<Response>): FastifyPluginAsync =>
  async (app) => {
    // Of this plugin's routes only. The body is read by whoever answers.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser("*", (_request, _body, done) => done(null))
    app.all("/*", async (fastifyRequest, reply) => {
      const { raw } = fastifyRequest
      const request = requestOf(raw, schemeOf(raw))
      const response = request === undefined ? badRequest() : await handler(request, fastifyRequest)
      const body = Buffer.from(await response.arrayBuffer())
      void reply.code(response.status)
      for (const [name, value] of response.headers) void reply.header(name, value)
      if (response.body === null) return reply.send()
      if (raw.complete || (await ranOff(raw))) return reply.send(body)
      // What nobody read is not in the way of the next request, and the client sees the answer before the end.
      return reply.header("connection", "close").send(Readable.from(answerBeforeTheEnd(raw, body)))
    })
  }

async function* answerBeforeTheEnd(incoming: IncomingMessage, body: Buffer): AsyncGenerator<Buffer> {
  yield body
  await runOff(incoming)
}

/** A gate of `gates()`, as far as it is needed here. */
interface FastifyGate {
  readonly refusal: (request: Request, fastifyRequest: FastifyRequest) => Promise<Response | undefined>
}

/**
 * A gate as a hook of Fastify: `onRequest` or `preHandler`, of one route or of a plugin's.
 *
 * @example
 * import type { FastifyInstance } from "fastify"
 * import type { PolarBilling } from "kavach-polar"
 * import { toFastifyHook } from "kavach-polar/fastify"
 * import { gates } from "kavach-polar/gates"
 *
 * export const guard = (app: FastifyInstance, billing: PolarBilling) => {
 *   const { requireBenefit } = gates(billing, { getUserId: (request) => request.headers.get("x-user") })
 *   app.get("/export", { onRequest: toFastifyHook(requireBenefit("export")) }, async () => "…")
 * }
 */
export const toFastifyHook =
  (gate: FastifyGate): onRequestAsyncHookHandler =>
  async (fastifyRequest, reply) => {
    const { raw } = fastifyRequest
    const request = headOf(raw, schemeOf(raw))
    const refusal = request === undefined ? badRequest() : await gate.refusal(request, fastifyRequest)
    if (refusal === undefined) return
    void reply.code(refusal.status)
    for (const [name, value] of refusal.headers) void reply.header(name, value)
    return reply.send(Buffer.from(await refusal.arrayBuffer()))
  }
