/** An id that Polar made, which is a UUID. */
export const polarId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export const isPolarId = (value: unknown): value is string => typeof value === "string" && polarId.test(value)
