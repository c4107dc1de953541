/** The folder that the shop keeps its database and its webhook secret in. Nobody else on the machine may read them. */
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { access, appendFile, chmod, mkdir, open, readFile, rm } from "node:fs/promises"
import { join, resolve } from "node:path"
import { CannotStart } from "./CannotStart.ts"

/** Makes the folder if need be, and gives its path. */
export const openDataFolder = async (folder: string): Promise<string> => {
  const path = resolve(folder)
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await access(path, constants.W_OK)
  } catch {
    throw new CannotStart(`The folder ${path} cannot be written. Make it writable, or name another one with --data.`)
  }
  return path
}

const companions = ["", "-wal", "-shm", "-journal"]

export const removeDatabase = async (file: string): Promise<void> => {
  for (const suffix of companions) await rm(`${file}${suffix}`, { force: true })
}

/** Makes the database's file, or closes to others what an earlier version left open. SQLite's further files follow it. */
export const makePrivate = async (file: string): Promise<void> => {
  await (await open(file, "a", 0o600)).close()
  for (const suffix of companions) {
    await chmod(`${file}${suffix}`, 0o600).catch((error: unknown) => unless("ENOENT", error))
  }
}

/**
 * The secret that the simulator signs with: made at the first start, then kept. Polar makes one for each endpoint. Shops
 * that start at once each add a line, and all use the first one: a file that is only added to has one first line.
 */
export const ownWebhookSecret = async (folder: string): Promise<string> => {
  const file = join(folder, "webhook-secret")
  const kept = await firstLine(file)
  if (kept === undefined) await appendFile(file, `whsec_${randomBytes(32).toString("base64")}\n`, { mode: 0o600 })
  await chmod(file, 0o600)
  const secret = kept ?? (await firstLine(file))
  if (secret === undefined) throw new CannotStart(`The file ${file} is empty after it was written. Is the disk full?`)
  return secret
}

/** The first line with something in it. A file that was left blank is as good as none. */
const firstLine = async (file: string): Promise<string | undefined> => {
  const text = await readFile(file, "utf8").catch((error: unknown) => unless("ENOENT", error))
  return text
    ?.split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "")
}

/** An error of this code is none. */
const unless = (code: string, error: unknown): undefined => {
  if (error instanceof Error && "code" in error && error.code === code) return undefined
  throw error
}
