/** What the environment says about Polar. */
import { type Terminal, wrong } from "./Terminal.ts"

/** Polar's sandbox, unless production is asked for. */
export const isSandbox = (env: Terminal["env"]): boolean => {
  const text = env["POLAR_ENVIRONMENT"]
  if (text === undefined || text === "sandbox") return true
  if (text === "production") return false
  throw wrong(`POLAR_ENVIRONMENT is "${text}": use sandbox or production.`)
}

export const accessTokenOf = (env: Terminal["env"]): string | undefined => {
  const text = env["POLAR_ACCESS_TOKEN"]
  if (text !== undefined && text.trim() === "") {
    throw wrong("POLAR_ACCESS_TOKEN is set but blank. Set it to an organization access token, or unset it.")
  }
  return text
}

/** For commands that are about nothing but Polar. */
export const requireAccessToken = (env: Terminal["env"]): void => {
  if (accessTokenOf(env) !== undefined) return
  throw wrong("POLAR_ACCESS_TOKEN is not set: without an organization access token Polar cannot be asked.")
}
