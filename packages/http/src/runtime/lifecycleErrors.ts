/** What is wrong with the time of a call, or of a plugin's start. */
import * as Schema from "effect/Schema"

/** Billing was used before it knew where to keep subscriptions. */
export class NotConnected extends Schema.TaggedError<NotConnected>()("NotConnected", {}) {
  override get message(): string {
    return "polar() has no database yet: pass it to createKavach({ plugins: [...] }) first, or give it a `store`, or in @kavach-polar/http/standalone a `database`."
  }
}

/** The same `polar()` was given to two hosts. */
export class AlreadyInitialized extends Schema.TaggedError<AlreadyInitialized>()("AlreadyInitialized", {}) {
  override get message(): string {
    return "This polar() already belongs to a host: make one for each host."
  }
}

/** A call after `dispose()`, or one that was still running when its time to finish was over. */
export class Disposed extends Schema.TaggedError<Disposed>()("Disposed", {}) {
  override get message(): string {
    return "This billing was disposed of and takes no more calls."
  }
}
