/** The folder that the shop keeps its database and its webhook secret in. */
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { access, mkdir, readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { CannotStart } from "./CannotStart.ts"

/** Makes the folder if need be, and gives its path. */
export const openDataFolder = async (folder: string): Promise<string> => {
  const path = resolve(folder)
  try {
    await mkdir(path, { recursive: true })
    await access(path, constants.W_OK)
  } catch {
    throw new CannotStart(`The folder ${path} cannot be written. Make it writable, or name another one with --data.`)
  }
  return path
}

/** The secret that the simulator signs with: made at the first start, then kept. Polar makes one for each endpoint. */
export const ownWebhookSecret = async (folder: string): Promise<string> => {
  const file = join(folder, "webhook-secret")
  const kept = await readFile(file, "utf8").catch(() => "")
  if (kept.trim() !== "") return kept.trim()
  const secret = `whsec_${randomBytes(32).toString("base64")}`
  await writeFile(file, `${secret}\n`, { mode: 0o600 })
  return secret
}
