/** Which of Polar's events are handled: what an endpoint has to get. */
import { kinds } from "./kinds.ts"

/** All of them. */
export const handledEventTypes: ReadonlyArray<string> = kinds.flatMap(({ eventTypes }) => eventTypes)

/** Types that came after this API version began: Polar may refuse them, and an endpoint may do without. */
export const isNewEventType = (type: string): boolean => type === "subscription.migrated"
