/**
 * Who stands in the place of a user that was erased. What accounting needs stays, under a name that leads to nobody; and what
 * Polar says later of the same customer is kept under that name too, and told to nobody.
 */
const form = /^erased:[0-9a-z]{12}$/

/** `id`: made at random for this (`runtime/randomId.ts`), so that it says nothing of the user. */
export const pseudonymOf = (id: string): string => `erased:${id}`

export const isErased = (userId: string | null | undefined): boolean =>
  userId !== null && userId !== undefined && form.test(userId)
