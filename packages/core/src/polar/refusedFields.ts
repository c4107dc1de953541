/** Which fields of a body Polar found fault with. */
import { isPolarId } from "../values/ids.ts"
import type { PolarRejected } from "./PolarError.ts"

const isTagged = (error: unknown): error is { readonly _tag: unknown } =>
  typeof error === "object" && error !== null && "_tag" in error

/** Whether Polar's validation found fault with these fields of the body and nothing else. */
export const refusesOnly = (error: unknown, fields: ReadonlyArray<string>): error is PolarRejected =>
  isRejected(error) &&
  error.issues.length > 0 &&
  error.issues.every(({ path }) => path.some((part) => fields.includes(String(part))))

/**
 * Whether Polar refuses a request because the id in it is none of Polar's, which are UUIDs: nothing of that id is there. It comes
 * from whoever linked it before that was checked, and which fields Polar names then depends on the call.
 */
export const refusesForeignId = (error: unknown, id: string): error is PolarRejected =>
  isRejected(error) && error.status === 422 && !isPolarId(id)

/** What Polar says of the field, if it found fault with it. */
export const refusalOf = (error: PolarRejected, field: string): string | undefined =>
  error.issues.find(({ path }) => path.includes(field))?.message

export const isRejected = (error: unknown): error is PolarRejected => isTagged(error) && error._tag === "PolarRejected"
