/** Who may read the archive: whoever has a plan that costs something. */
import type { Access } from "@kavach-polar/core/AccessPolicy"
import type { Services } from "./Shop.ts"

/** Asked of the shop's own database. */
export const archiveAccess = async ({ billing, now, plans }: Services, userId: string): Promise<Access> => {
  const withArchive = (await plans()).filter(({ amount, interval }) => interval !== null && amount !== 0)
  const at = await now()
  return billing.access(userId, withArchive.length === 0 ? { at } : { at, products: withArchive.map(({ id }) => id) })
}
