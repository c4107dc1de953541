import type { ConsoleOptions } from "kavach-polar"

/** Everybody of the team looks, the people on call act, and nobody here gives one user's customer to another. */
export const consoleFor = (staff: { readonly name: string; readonly isOnCall: boolean } | null): ConsoleOptions => ({
  authorize: (_request, action) =>
    staff !== null && {
      who: staff.name,
      may: staff.isOnCall && action !== "customer.move" ? "act" : "read"
    }
})
