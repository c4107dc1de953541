/** `console`: billing's pages for whoever looks after it, on this machine only, and for who has the address it prints. */
import { randomBytes, timingSafeEqual } from "node:crypto"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { userInfo } from "node:os"
import type { BillingService } from "@kavach-polar/core/Billing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type { ConsoleOptions } from "../console/ConsoleOptions.ts"
import { type ConsoleHost, consoleHandler } from "../console/consoleHandler.ts"
import { csrfKeyOf } from "../console/csrfToken.ts"
import { seeOther } from "../console/page.ts"
import { toNodeListener } from "../mounts/node.ts"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withBilling } from "./withBilling.ts"

export interface ConsoleCommand {
  readonly database: string | undefined
  readonly json: boolean
  readonly act: boolean
  readonly port: number
}

const loopback = "127.0.0.1"
const cookieName = "kavach_polar_console"

export const console = async (terminal: Terminal, options: ConsoleCommand): Promise<ExitCode> => {
  if (options.port < 0 || options.port > 65_535) throw wrong("--port is a number from 0 to 65535.")
  // To be stopped is how it ends, and no failure of what is under way.
  const unstopped: Terminal = { ...terminal, stopped: new Promise(() => {}) }
  await withBilling(unstopped, options, (billing) =>
    Effect.flatMap(Effect.runtime<never>(), (runtime) => {
      const run = <A, E>(use: (billing: BillingService) => Effect.Effect<A, E>) =>
        Runtime.runPromise(runtime)(use(billing))
      return Effect.acquireUseRelease(
        serve(terminal, options, run),
        () => Effect.promise(() => terminal.stopped),
        (server) => Effect.promise(() => closed(server))
      )
    })
  )
  return exitCodes.done
}

const serve = (terminal: Terminal, { act, json, port }: ConsoleCommand, run: ConsoleHost["run"]) =>
  Effect.tryPromise({
    try: async () => {
      const [invitation, session] = [secret(), secret()]
      const host: ConsoleHost = {
        run,
        csrfKey: csrfKeyOf([Redacted.make(secret())]),
        logFailure: (what, error) => terminal.err(`${what} ${error instanceof Error ? error.message : ""}`)
      }
      const server = createServer()
      await listening(server, port)
      const origin = `http://${loopback}:${(server.address() as AddressInfo).port}`
      const options: ConsoleOptions = {
        authorize: (request) =>
          isSame(cookieIn(request), session) && { who: userInfo().username, may: act ? "act" : "read" }
      }
      let isInvited = true
      server.on(
        "request",
        toNodeListener(async (request) => {
          // A name that leads here is not this machine's own: a page elsewhere could have made it.
          if (request.headers.get("host") !== new URL(origin).host) return new Response("Not here", { status: 421 })
          const { pathname, searchParams } = new URL(request.url)
          if (pathname !== "/") return new Response("Not found", { status: 404 })
          if (isInvited && request.method === "GET" && isSame(searchParams.get("token") ?? "", invitation)) {
            isInvited = false
            const response = seeOther("/")
            response.headers.set("set-cookie", `${cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`)
            return response
          }
          return consoleHandler(host, request, options)
        })
      )
      const url = `${origin}/?token=${invitation}`
      if (json) terminal.out(JSON.stringify({ url }))
      else {
        terminal.out(`Open ${url}`)
        terminal.out(
          `It works once, in one browser, until this command ends (Ctrl+C). It ${act ? "may change things: everything is kept in the audit trail." : "only looks: to change things, run it with --act."}`
        )
      }
      return server
    },
    catch: (error) =>
      new CommandFailed(
        `The console cannot listen at ${loopback}:${port}: ${error instanceof Error ? error.message : "unknown"}`
      )
  })

const secret = (): string => randomBytes(32).toString("base64url")

const isSame = (given: string, expected: string): boolean => {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)]
  return one.length === other.length && timingSafeEqual(one, other)
}

const cookieIn = (request: Request): string =>
  new RegExp(`(?:^|;\\s*)${cookieName}=([\\w-]+)`).exec(request.headers.get("cookie") ?? "")?.[1] ?? ""

const listening = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, loopback, () => {
      server.off("error", reject)
      resolve()
    })
  })

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
