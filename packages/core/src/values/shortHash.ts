/** A few characters that stand for a text of any length, in a name that has to stay short. */
import { createHash } from "node:crypto"

export const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16)
