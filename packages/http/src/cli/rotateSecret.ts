/** `rotate-secret`: a new secret for the webhook endpoint, beside the old one until the app runs with it. */
import { planEndpoint } from "@kavach-polar/core/EndpointSetup"
import { PolarClient, type WebhookEndpoint } from "@kavach-polar/core/PolarClient"
import { newestDelivery, rotateSecret as rotate, untilAccepted } from "@kavach-polar/core/SecretRotation"
import { secretsIn } from "@kavach-polar/core/WebhookSecret"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { agreed } from "./agreed.ts"
import { type EnvFile, readEnvFile, requireWritable, variablesIn, writeVariable } from "./envFile.ts"
import { requireAccessToken } from "./environment.ts"
import { CommandFailed, type ExitCode, exitCodes, type Terminal, wrong } from "./Terminal.ts"
import { webhookUrlOf } from "./webhookUrl.ts"
import { withPolar } from "./withBilling.ts"

export interface RotateSecretCommand {
  readonly done: boolean
  readonly envFile: string | undefined
  readonly json: boolean
  readonly url: string | undefined
  readonly wait: boolean
  readonly yes: boolean
}

const variable = "POLAR_WEBHOOK_SECRET"

export const rotateSecret = async (terminal: Terminal, options: RotateSecretCommand): Promise<ExitCode> => {
  const url = webhookUrlOf(options.url, terminal.env)
  requireAccessToken(terminal.env)
  if (options.done && options.wait) throw wrong("--wait is for a rotation that begins, and --done for one that ends.")
  const name = options.envFile ?? (options.done ? ".env" : undefined)
  const file = name === undefined ? undefined : await readEnvFile(name, terminal.folder)
  const { endpoint } = await withPolar(terminal, planEndpoint(url))
  if (endpoint === null) {
    throw new CommandFailed(
      `Polar has no webhook endpoint at ${url}. kavach-polar setup makes one.`,
      exitCodes.nothingMatched
    )
  }
  return options.done && file !== undefined
    ? finish(terminal, options, endpoint, file)
    : begin(terminal, options, endpoint, file)
}

const begin = async (
  terminal: Terminal,
  { json, wait, yes }: RotateSecretCommand,
  { id, url }: WebhookEndpoint,
  file: EnvFile | undefined
): Promise<ExitCode> => {
  const tell = (line: string) => (json ? terminal.err(line) : terminal.out(line))
  if (file !== undefined) {
    if (secretsOf(file).length > 1) {
      throw wrong(
        `${file.path} has two secrets: a rotation is under way. End it first: kavach-polar rotate-secret --done`
      )
    }
    await requireWritable(file, variable)
  }
  tell(`Polar makes a new secret for ${url}, and signs with it alone from that moment on.`)
  tell("Deliveries are refused until your app runs with it. Polar tries each again for at least a quarter of an hour.")
  if (!(await agreed(terminal, yes, "Do this now?"))) {
    terminal.err("Nothing was changed.")
    return exitCodes.failed
  }
  const { previous, secret, since } = await withPolar(terminal, rotate(id))
  if (file !== undefined) {
    await writeVariable(file, variable, [secret, previous].map((each) => Redacted.value(each)).join(","))
  }
  const shown = file === undefined ? Redacted.value(secret) : undefined
  if (!json) {
    if (shown === undefined) terminal.out(`${file?.path} has the new secret, and the old one after it.`)
    else {
      terminal.out(
        "The new secret, which is printed this once. Set it in your app's environment, with a comma and the old one after it:"
      )
      terminal.out("")
      terminal.out(`${variable}=${shown}`)
      terminal.out("")
    }
    terminal.out("Restart your app with it now.")
  }
  const verified = wait ? await waited(terminal, id, since) : null
  if (json) terminal.out(JSON.stringify({ url, endpointId: id, secret: shown, verified }))
  else tellNext(terminal, verified)
  return verified === false ? exitCodes.differs : exitCodes.done
}

const waited = (terminal: Terminal, endpointId: string, since: Date): Promise<boolean> => {
  terminal.progress("Waiting for a delivery that your app accepts")
  return withPolar(terminal, untilAccepted(endpointId, since))
}

const tellNext = (terminal: Terminal, verified: boolean | null): void => {
  if (verified === true) {
    terminal.out(
      "Your app accepts deliveries with the new secret. Once all its processes run with it the old one can go:"
    )
    terminal.out("  kavach-polar rotate-secret --done")
    return
  }
  terminal.out(
    verified === null
      ? "Once it has accepted a delivery the old one can go: kavach-polar rotate-secret --done"
      : "No delivery was accepted within half an hour. Look whether your app runs with the new secret: kavach-polar doctor"
  )
  terminal.out("What arrives in no attempt, reconcile has delivered again: kavach-polar reconcile")
}

const finish = async (
  terminal: Terminal,
  { json, yes }: RotateSecretCommand,
  { id, url }: WebhookEndpoint,
  file: EnvFile
): Promise<ExitCode> => {
  const secrets = secretsOf(file)
  const current = await withPolar(
    terminal,
    Effect.flatMap(PolarClient, (client) => client.webhookSecret(id))
  )
  if (!secrets.includes(Redacted.value(current))) {
    throw new CommandFailed(
      `${file.path} does not have the secret that Polar signs with. Run: kavach-polar setup --env-file ${file.path}`
    )
  }
  const left = secrets.length - 1
  if (left === 0) {
    if (json) terminal.out(JSON.stringify({ url, endpointId: id, removed: 0 }))
    else terminal.out(`Nothing is to do: ${file.path} has the secret that Polar signs with, and no other.`)
    return exitCodes.done
  }
  await requireWritable(file, variable)
  const newest = await withPolar(terminal, newestDelivery(id))
  if (!yes && Option.isSome(newest) && !newest.value.succeeded) {
    const answer = newest.value.httpCode === null ? "nobody answered" : `the answer was ${newest.value.httpCode}`
    terminal.err(
      `Nothing was changed: your app has not taken the newest delivery (${answer}), so it may not run with the new secret yet. Repeat it with --yes if that has another reason.`
    )
    return exitCodes.differs
  }
  await writeVariable(file, variable, Redacted.value(current))
  if (json) terminal.out(JSON.stringify({ url, endpointId: id, removed: left }))
  else terminal.out(`The old secret is out of ${file.path}. Restart your app when it suits.`)
  return exitCodes.done
}

const secretsOf = (file: EnvFile): ReadonlyArray<string> =>
  secretsIn(variablesIn(file)[variable] ?? "").filter((secret) => secret !== "")
