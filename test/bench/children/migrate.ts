/**
 * Makes ours' tables, and is ready once they are there. Bundled in another checkout too, by what that has under these names.
 */
import { BillingStore } from "@kavach-polar/core/BillingStore"
import * as Effect from "effect/Effect"
import { storeOf } from "../subjects/ours.ts"
import type { SubjectSettings } from "../subjects/Subject.ts"
import { answerQuestions, settingsOf } from "./channel.ts"

const migrated = Effect.flatMap(BillingStore, (service) => service.migrate)
await Effect.runPromise(Effect.provide(migrated, await storeOf(settingsOf<Pick<SubjectSettings, "store" | "url">>())))
answerQuestions(
  () => {},
  () => {}
)
