import { polar } from "kavach-polar"

export const billing = polar({
  accessToken: process.env["POLAR_ACCESS_TOKEN"],
  webhookSecret: process.env["POLAR_WEBHOOK_SECRET"],
  organizationId: process.env["POLAR_ORGANIZATION"],
  database: { provider: "postgres", url: process.env["DATABASE_URL"] }
})

/** What your program asks your server for when somebody types their key in. Keep the answer on that machine. */
export const unlock = (key: string, machine: string) =>
  billing.licenseKeys.activate(key, { label: machine, conditions: { major: 2 } })

/** And each time it starts. */
export const isUnlocked = async (key: string, activationId: string): Promise<boolean> => {
  const { valid } = await billing.licenseKeys.validate(key, { activationId, conditions: { major: 2 } })
  return valid
}

/** For the user's own page. */
export const keysOf = (userId: string) => billing.licenseKeys.list(userId)
