/**
 * The store on a driver: owns encoding, errors and spans, so that an adapter has only its database to know.
 */
import type { BillingStoreService } from "./BillingStoreService.ts"
import { driverCalls } from "./calls/driverCalls.ts"
import { inboxCalls } from "./calls/inboxCalls.ts"
import { jobCalls } from "./calls/jobCalls.ts"
import { operatorCalls } from "./calls/operatorCalls.ts"
import { queueCalls } from "./calls/queueCalls.ts"
import { readableNotifications } from "./calls/readableNotifications.ts"
import { recordCalls } from "./calls/recordCalls.ts"
import { makeStepRunner } from "./calls/runStep.ts"
import { stepCalls } from "./calls/stepCalls.ts"
import { userCalls } from "./calls/userCalls.ts"
import { type DeliveryBodies, plainBodies } from "./deliveryBodies.ts"
import type { StoreDriver } from "./StoreDriver.ts"

export const storeOnDriver = (driver: StoreDriver, bodies: DeliveryBodies = plainBodies): BillingStoreService => {
  const calls = driverCalls(driver)
  const steps = makeStepRunner(calls)
  const readable = readableNotifications(calls, bodies)
  return {
    parallelSteps: driver.parallelSteps,
    withBodies: (kept) => storeOnDriver(driver, kept),
    migrate: calls.ask("migrate", () => driver.migrate()),
    migrationStatus: calls.ask("migrationStatus", () => driver.migrationStatus()),
    inspect: calls.ask("inspect", () => driver.inspect()),
    watchUsers: steps.watchUsers,
    ...stepCalls(calls, steps, readable, bodies),
    ...recordCalls(calls),
    ...userCalls(calls, bodies),
    ...queueCalls(calls, readable),
    ...inboxCalls(calls, bodies),
    ...operatorCalls(calls),
    ...jobCalls(calls)
  }
}
