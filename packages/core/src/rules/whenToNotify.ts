/** When is the app told? When what it is shown of a record becomes another for the record's user. */
import { kindNamed } from "../records/kinds.ts"
import type { RecordFact } from "../records/rows.ts"

/**
 * What the app is told when a record becomes `after`, as JSON; `undefined` when there is nothing to tell. A record that gets
 * its user is news to that user, whatever it said before.
 */
export const notificationOf = (before: RecordFact | undefined, after: RecordFact): string | undefined => {
  const shown = kindNamed(after.kind)?.shown
  if (shown === undefined || after.userId === null) return undefined
  const payload = shown(after)
  return before !== undefined && before.userId !== null && shown(before) === payload ? undefined : payload
}
