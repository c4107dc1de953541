/** The folder that the demo keeps its things in. Nobody else on the machine may read what is in it. */
import { randomBytes } from "node:crypto"
import { access, chmod, constants, link, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises"
import { join, resolve } from "node:path"
import { CommandFailed, type Terminal, wrong } from "./Terminal.ts"

export interface DataFolder {
  readonly path: string
  readonly database: string
}

const pathOf = (given: string | undefined, env: Terminal["env"]): string =>
  resolve(given ?? env["KAVACH_POLAR_DATA"] ?? "data")

/** Makes the folder if need be. */
export const openDataFolder = async (given: string | undefined, env: Terminal["env"]): Promise<DataFolder> => {
  const path = pathOf(given, env)
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await access(path, constants.W_OK)
  } catch (error) {
    throw new CommandFailed(
      `The folder ${path} cannot be written (${codeOf(error)}). Make it writable, or name another one with --data.`
    )
  }
  return { path, database: join(path, "billing.sqlite") }
}

/** Makes a file of the demo's that only this user can read, also one that an earlier version left open to others. */
export const makePrivate = async (file: string): Promise<void> => {
  try {
    // SQLite gives its further files, of names that begin with this one's, the same mode.
    await (await open(file, "a", 0o600)).close()
    for (const each of [file, `${file}-wal`, `${file}-shm`]) await closeToOthers(each)
  } catch (error) {
    throw new CommandFailed(`The file ${file} cannot be made (${codeOf(error)}).`)
  }
}

const closeToOthers = async (file: string): Promise<void> => {
  const mode = await stat(file).then(
    (found) => found.mode,
    (error: unknown) => {
      if (codeOf(error) === "ENOENT") return 0
      throw error
    }
  )
  if ((mode & 0o077) !== 0) await chmod(file, 0o600)
}

export interface WebhookSecret {
  readonly value: string
  readonly origin: "environment" | "file"
  /** Where it is kept, unless it is the environment's. */
  readonly file: string | undefined
}

/** The endpoint's secret: from the environment, else one that is made at the first start and kept in the folder. */
export const webhookSecretOf = async (env: Terminal["env"], folder: DataFolder): Promise<WebhookSecret> => {
  const configured = configuredSecret(env)
  if (configured !== undefined) return { value: configured, origin: "environment", file: undefined }
  const file = join(folder.path, secretFile)
  return { value: (await keptSecret(file)) ?? (await makeSecret(file)), origin: "file", file }
}

/** The same for who only looks: nothing is made. */
export const existingSecretOf = async (given: string | undefined, env: Terminal["env"]): Promise<string> => {
  const configured = configuredSecret(env)
  if (configured !== undefined) return configured
  const file = join(pathOf(given, env), secretFile)
  const kept = await keptSecret(file)
  if (kept === undefined) {
    throw wrong(`Which secret? Set POLAR_WEBHOOK_SECRET, or name it with --secret: the demo has left none in ${file}.`)
  }
  return kept
}

const secretFile = "webhook-secret"

const configuredSecret = (env: Terminal["env"]): string | undefined => {
  const configured = env["POLAR_WEBHOOK_SECRET"]
  if (configured === undefined || configured.trim() !== "") return configured
  throw wrong(
    "POLAR_WEBHOOK_SECRET is set but blank. Set it to the secret that Polar shows for the webhook endpoint, or unset it."
  )
}

const keptSecret = async (file: string): Promise<string | undefined> => {
  try {
    const kept = (await readFile(file, "utf8")).trim()
    if (kept === "") return undefined
    await closeToOthers(file)
    return kept
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw new CommandFailed(`The secret in ${file} cannot be read (${codeOf(error)}).`)
  }
}

/** Of several that start at once the first one's is kept, and all of them use it. */
const makeSecret = async (file: string): Promise<string> => {
  const value = `whsec_${randomBytes(32).toString("base64")}`
  const draft = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`
  try {
    const opened = await open(draft, "wx", 0o600)
    try {
      await opened.writeFile(`${value}\n`)
      await opened.sync()
    } finally {
      await opened.close()
    }
    for (;;) {
      // Whole or not at all, and never in the place of another's.
      if (await linked(draft, file)) return value
      const theirs = await keptSecret(file)
      if (theirs !== undefined) return theirs
      // A blank one, which nobody can use. Another process may have done the same by now: then it is put back.
      const aside = `${draft}.aside`
      await rename(file, aside)
      if ((await keptSecret(aside)) !== undefined) await linked(aside, file)
      await rm(aside, { force: true })
    }
  } catch (error) {
    if (error instanceof CommandFailed) throw error
    throw new CommandFailed(`The secret cannot be kept in ${file} (${codeOf(error)}).`)
  } finally {
    await rm(draft, { force: true })
  }
}

/** `false` when there is a file of that name already. */
const linked = async (from: string, to: string): Promise<boolean> => {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown error"
