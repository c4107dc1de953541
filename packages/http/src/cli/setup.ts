/** `setup`: the app's webhook endpoint at Polar, as it has to be. */
import { type EndpointPlan, planEndpoint, setUpEndpoint } from "@kavach-polar/core/EndpointSetup"
import { PolarClient } from "@kavach-polar/core/PolarClient"
import { secretsIn } from "@kavach-polar/core/WebhookSecret"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { agreed } from "./agreed.ts"
import { type EnvFile, readEnvFile, requireWritable, variablesIn, writeVariable } from "./envFile.ts"
import { requireAccessToken } from "./environment.ts"
import { type ExitCode, exitCodes, type Terminal } from "./Terminal.ts"
import { webhookUrlOf } from "./webhookUrl.ts"
import { withPolar } from "./withBilling.ts"

export interface SetupCommand {
  readonly dryRun: boolean
  readonly envFile: string | undefined
  readonly json: boolean
  readonly url: string | undefined
  readonly yes: boolean
}

export const setup = async (terminal: Terminal, options: SetupCommand): Promise<ExitCode> => {
  const url = webhookUrlOf(options.url, terminal.env)
  requireAccessToken(terminal.env)
  const plan = await withPolar(terminal, planEndpoint(url))
  const file = options.envFile === undefined ? undefined : await readEnvFile(options.envFile, terminal.folder)
  const missing = await missingSecret(terminal, plan, file)
  const changes = [
    ...changesOf(plan),
    ...(file === undefined || (plan.endpoint !== null && missing === undefined)
      ? []
      : [`${file.path} gets the endpoint's secret as POLAR_WEBHOOK_SECRET.`])
  ]
  const outcome = {
    url,
    endpointId: plan.endpoint?.id ?? null,
    changes,
    twinIds: plan.twinIds,
    changed: false,
    secret: undefined as string | undefined
  }
  const tell = (line: string) => (options.json ? terminal.err(line) : terminal.out(line))
  tellTwins(terminal, plan)
  if (changes.length === 0) {
    if (options.json) terminal.out(JSON.stringify(outcome))
    else terminal.out(`Nothing is to do: ${url} is enabled, of the format raw, and gets all events that are handled.`)
    return exitCodes.done
  }
  for (const change of changes) tell(change)
  if (options.dryRun) {
    if (options.json) terminal.out(JSON.stringify(outcome))
    return exitCodes.differs
  }
  if (!(await agreed(terminal, options.yes, "Do this?"))) {
    terminal.err("Nothing was changed.")
    return exitCodes.failed
  }
  if (file !== undefined) await requireWritable(file, "POLAR_WEBHOOK_SECRET")
  const { endpoint, secret } = plan.differs
    ? await withPolar(terminal, setUpEndpoint(plan))
    : { endpoint: plan.endpoint, secret: null }
  const toWrite = secret ?? missing
  if (file !== undefined && toWrite !== undefined) {
    await writeVariable(file, "POLAR_WEBHOOK_SECRET", Redacted.value(toWrite))
  }
  const shown = secret === null || file !== undefined ? undefined : Redacted.value(secret)
  if (options.json) {
    terminal.out(JSON.stringify({ ...outcome, endpointId: endpoint?.id ?? null, changed: true, secret: shown }))
    return exitCodes.done
  }
  terminal.out("Done.")
  if (shown !== undefined) {
    terminal.out("The endpoint's secret, which is printed this once. Set it in your app's environment:")
    terminal.out("")
    terminal.out(`POLAR_WEBHOOK_SECRET=${shown}`)
  }
  return exitCodes.done
}

/** The secret of an endpoint that is there, where the file has another one or none. */
const missingSecret = async (
  terminal: Terminal,
  { endpoint }: EndpointPlan,
  file: EnvFile | undefined
): Promise<Redacted.Redacted | undefined> => {
  if (endpoint === null || file === undefined) return undefined
  const secret = await withPolar(
    terminal,
    Effect.flatMap(PolarClient, (client) => client.webhookSecret(endpoint.id))
  )
  const known = secretsIn(variablesIn(file)["POLAR_WEBHOOK_SECRET"] ?? "")
  return known.includes(Redacted.value(secret)) ? undefined : secret
}

/** What is to be done, a sentence each. */
const changesOf = ({ endpoint, missingTypes, surplusTypes, url }: EndpointPlan): ReadonlyArray<string> =>
  endpoint === null
    ? [`${url} is created as a webhook endpoint, of the format raw, with ${missingTypes.length} types of events.`]
    : [
        ...(endpoint.enabled ? [] : [`${url} is disabled, and is enabled again.`]),
        ...(endpoint.format === "raw" ? [] : [`${url} has the format ${endpoint.format}, and gets the format raw.`]),
        ...(missingTypes.length === 0 ? [] : [`${url} gets these events besides: ${missingTypes.join(", ")}.`]),
        ...(surplusTypes.length === 0 ? [] : [`${url} gets these events no more: ${surplusTypes.join(", ")}.`])
      ]

const tellTwins = (terminal: Terminal, { endpoint, twinIds, url }: EndpointPlan): void => {
  if (twinIds.length === 0) return
  terminal.err(
    `Polar has ${twinIds.length + 1} endpoints at ${url}, and each gets every event, with a secret of its own. This is about ${endpoint?.id}. Delete at Polar: ${twinIds.join(", ")}.`
  )
}
