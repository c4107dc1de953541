/** `listen`: an organization's events, from Polar to an app on this machine, without a tunnel. */
import { type ListenedEvent, listen as listenAtPolar } from "@kavach-polar/core/Listening"
import { PolarClient } from "@kavach-polar/core/PolarClient"
import { signedHeaders } from "@kavach-polar/core/WebhookVerifier"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { existingSecretOf } from "./dataFolder.ts"
import { accessTokenOf, isSandbox, requireAccessToken } from "./environment.ts"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { withPolar } from "./withBilling.ts"

const defaultUrl = "http://127.0.0.1:3000/auth/polar/webhook"

export interface ListenCommand {
  readonly data: string | undefined
  readonly json: boolean
  readonly to: string | undefined
}

/** Resolves when the user stops it. */
export const listen = async (terminal: Terminal, options: ListenCommand): Promise<ExitCode> => {
  const { env } = terminal
  requireAccessToken(env)
  const to = options.to ?? defaultUrl
  if (!/^https?:/i.test(to) || !URL.canParse(to)) throw wrong("--to is no address: write http://… or https://….")
  const secret = await existingSecretOf(options.data, env)
  const organizationId = await organizationOf(terminal)
  const where = {
    accessToken: Redacted.make(accessTokenOf(env) ?? ""),
    sandbox: isSandbox(env),
    apiBaseUrl: env["POLAR_API_URL"]
  }
  let pause = 1
  let isStopped = false
  void terminal.stopped.then(() => {
    isStopped = true
  })
  const connection = Stream.runForEach(listenAtPolar(where, organizationId), (listened) => {
    if (listened._tag === "Event") return Effect.promise(() => forward(terminal, options, { to, secret }, listened))
    pause = 1
    return Effect.sync(() =>
      terminal.err(`Listening. Events go to ${to}. What happens while nobody listens is not told later.`)
    )
  })
  while (!isStopped) {
    const failure = await Effect.runPromise(
      Effect.raceFirst(
        Effect.merge(Effect.as(connection, undefined)),
        Effect.promise(() => terminal.stopped)
      )
    )
    if (isStopped) break
    if (failure !== undefined && failure._tag !== "PolarUnavailable") throw new CommandFailed(failure.message)
    terminal.err(`${failure?.message ?? "Polar has ended the connection."} Connecting again in ${pause} seconds.`)
    await Effect.runPromise(
      Effect.raceFirst(
        Effect.sleep(Duration.seconds(pause)),
        Effect.promise(() => terminal.stopped)
      )
    )
    pause = Math.min(2 * pause, longestPauseSeconds)
  }
  return exitCodes.done
}

const longestPauseSeconds = 30

/** By POLAR_ORGANIZATION_ID, else the one that the token is of. */
const organizationOf = async (terminal: Terminal): Promise<string> => {
  const given = terminal.env["POLAR_ORGANIZATION_ID"]
  if (given !== undefined && given.trim() !== "") return given.trim()
  const [organization] = await withPolar(
    terminal,
    Effect.flatMap(PolarClient, ({ organizations }) => organizations)
  )
  if (organization === undefined) throw wrong("Which organization? Set POLAR_ORGANIZATION_ID.")
  return organization.id
}

interface Target {
  readonly to: string
  readonly secret: string
}

/** One after the other, so that they keep their order; an app that is just being restarted is waited for. */
const forward = async (
  terminal: Terminal,
  { json }: ListenCommand,
  { secret, to }: Target,
  { body, id }: ListenedEvent
): Promise<void> => {
  let status: number | null = null
  for (let attempt = 0; attempt < attempts && status === null; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 1000))
    const headers = signedHeaders({ secret, id, timestampSeconds: Math.floor(Date.now() / 1000), body })
    status = await fetch(to, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(10_000)
    }).then(
      async (response) => {
        await response.body?.cancel()
        return response.status
      },
      () => null
    )
  }
  const type = typeOf(body)
  terminal.out(
    json
      ? JSON.stringify({ id, type, status })
      : `${new Date().toISOString().slice(11, 19)}  ${type.padEnd(26)} ${status ?? "nobody answers"}`
  )
}

const attempts = 5

const typeOf = (body: string): string => {
  try {
    const { type }: { readonly type?: unknown } = JSON.parse(body)
    return typeof type === "string" ? type : "unknown"
  } catch {
    return "unknown"
  }
}
