/**
 * Where a record stands among its own states that a customer's state lists.
 *
 * The state's own time does not say it: what is listed may have been changed long before, and several events told of it. When
 * Polar changed the item does, as for what is read from the API: that is later than every event of the changes before, and
 * earlier than those of the change itself (see `reconciliation.ts`). A state lists less than any other source says, so the item
 * stands one microsecond before: whatever else tells of the same change takes its place, in whatever order they arrive.
 */
import type { EpochMicros } from "../values/Timestamp.ts"
import type { Version } from "./order.ts"

/** An item that does not say when it was changed stands before everything else. */
export const versionOfListed = (changedAt: EpochMicros | null): Version => ({
  at: Math.max((changedAt ?? 0) - 1, 0) as EpochMicros,
  precedence: 0
})
