/** The folder that the shop keeps its database and its webhook secret in. Nobody else on the machine may read them. */
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { access, chmod, link, mkdir, open, readFile, rm, writeFile } from "node:fs/promises"
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
 * The secret that the simulator signs with: made at the first start, then kept. Polar makes one for each endpoint. Of two
 * shops that start at once the first one's is kept, and both use it.
 */
export const ownWebhookSecret = async (folder: string): Promise<string> => {
  const file = join(folder, "webhook-secret")
  const draft = `${file}.${randomBytes(4).toString("hex")}`
  for (;;) {
    const kept = await readFile(file, "utf8").catch((error: unknown) => unless("ENOENT", error))
    if (kept !== undefined && kept.trim() !== "") {
      await chmod(file, 0o600)
      return kept.trim()
    }
    // A blank one is of no use.
    if (kept !== undefined) await rm(file, { force: true })
    await writeFile(draft, `whsec_${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" })
    // Whole or not at all, and never in the place of another's.
    await link(draft, file).catch((error: unknown) => unless("EEXIST", error))
    await rm(draft)
  }
}

/** An error of this code is none. */
const unless = (code: string, error: unknown): undefined => {
  if (error instanceof Error && "code" in error && error.code === code) return undefined
  throw error
}
