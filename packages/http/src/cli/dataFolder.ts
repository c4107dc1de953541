/** The folder that a server on this machine keeps its things in. */
import { randomBytes } from "node:crypto"
import { access, constants, mkdir, readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { CommandFailed, type Terminal } from "./Terminal.ts"

export interface DataFolder {
  readonly path: string
  readonly database: string
}

/** Makes the folder if need be. */
export const openDataFolder = async (given: string | undefined, env: Terminal["env"]): Promise<DataFolder> => {
  const path = resolve(given ?? env["KAVACH_POLAR_DATA"] ?? "data")
  try {
    await mkdir(path, { recursive: true })
    await access(path, constants.W_OK)
  } catch (error) {
    throw new CommandFailed(
      `The folder ${path} cannot be written (${codeOf(error)}). Make it writable, or name another one with --data.`
    )
  }
  return { path, database: join(path, "billing.sqlite") }
}

export interface WebhookSecret {
  readonly value: string
  readonly origin: "environment" | "kept" | "made"
}

/** The endpoint's secret: from the environment, else one that is made at the first start and kept in the folder. */
export const webhookSecretOf = async (env: Terminal["env"], folder: DataFolder): Promise<WebhookSecret> => {
  const configured = env["POLAR_WEBHOOK_SECRET"]
  if (configured !== undefined) {
    if (configured.trim() === "") {
      throw new CommandFailed(
        "POLAR_WEBHOOK_SECRET is set but blank. Set it to the secret that Polar shows for the webhook endpoint, or unset it."
      )
    }
    return { value: configured, origin: "environment" }
  }
  const file = join(folder.path, "webhook-secret")
  const kept = await readFile(file, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined
    throw new CommandFailed(`The secret in ${file} cannot be read (${codeOf(error)}).`)
  })
  if (kept !== undefined && kept.trim() !== "") return { value: kept.trim(), origin: "kept" }
  const value = `whsec_${randomBytes(32).toString("base64")}`
  try {
    await writeFile(file, `${value}\n`, { mode: 0o600 })
  } catch (error) {
    throw new CommandFailed(`The secret cannot be kept in ${file} (${codeOf(error)}).`)
  }
  return { value, origin: "made" }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown error"
