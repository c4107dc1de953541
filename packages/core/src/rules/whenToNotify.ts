/** When is the app told? When what it is shown of a record, or what it gives, becomes another for the record's user. */
import { kindNamed } from "../records/kinds.ts"
import type { RecordFact } from "../records/rows.ts"

/** What a user is told of a record that is theirs, or was. */
export interface Told {
  readonly userId: string
  readonly payload: string
}

/**
 * When a record becomes another user's: the one before is told that it is over for them, which it is as far as they go; the new
 * one is told what it is.
 */
export const notificationsOfMove = (before: RecordFact, after: RecordFact): ReadonlyArray<Told> => {
  const kind = kindNamed(after.kind)
  if (kind?.shown === undefined) return []
  return [
    ...(before.userId === null ? [] : [{ userId: before.userId, payload: (kind.shownWhenLost ?? kind.shown)(before) }]),
    ...(after.userId === null ? [] : [{ userId: after.userId, payload: kind.shown(after) }])
  ]
}

/**
 * What the app is told when a record becomes `after`, as JSON; `undefined` when there is nothing to tell. A record that gets
 * its user is news to that user, whatever it said before; so is one whose time has passed, such as of grace, though it looks the
 * same.
 */
export const notificationOf = (before: RecordFact | undefined, after: RecordFact): string | undefined => {
  const shown = kindNamed(after.kind)?.shown
  if (shown === undefined || after.userId === null) return undefined
  const payload = shown(after)
  if (before === undefined || before.userId === null) return payload
  const hasLapsed = before.lapsedAt === null && after.lapsedAt !== null
  return hasLapsed || shown(before) !== payload ? payload : undefined
}
