/** For authors of adapters: the store contract, which runs on any store, and the deliveries to try one with. */

export { makeUsers } from "./ContractSuite.ts"
export { plainOrder, plainRefund } from "./plainRecords.ts"
export {
  type CustomerOptions,
  customerDelivery,
  type DeliveryOptions,
  dataIn,
  epoch,
  fixturesOf,
  newPurchase,
  newScene,
  orderDelivery,
  otherDelivery,
  type Purchase,
  type RefundOptions,
  recordIn,
  refundDelivery,
  reportIn,
  type Scene,
  type SnapshotOptions,
  type SubscriptionOptions,
  snapshotOf,
  subscriptionDelivery,
  subscriptionIn,
  subscriptionSnapshot,
  timestamp,
  unknownDelivery,
  unreadableDelivery,
  valueIn
} from "./polarDeliveries.ts"
export { type Projection, StoreDatabase, type WrittenTable, writtenTables } from "./StoreDatabase.ts"
export { type StoreUnderTest, storeContract } from "./storeContract.ts"
export { type ClaimedChange, subscriptionChanges } from "./subscriptionChanges.ts"
