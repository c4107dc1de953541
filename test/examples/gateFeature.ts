import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] }
})

/** Whether the user may export, for a route of yours. */
export const mayExport = (userId: string) => billing.benefits.has(userId, "export")

/** How many projects they may have: a value that the merchant sets at Polar, and may change. */
export const projectsAllowed = async (userId: string): Promise<number> => {
  const flag = await billing.benefits.get(userId, "max-projects")
  const limit = Number(flag?.metadata["limit"])
  return Number.isInteger(limit) ? limit : 1
}
