/** What there is to try: `npm start`, the README and the foot of each page say the same. */

export const beginning = "Open the shop, sign in as Ada, and buy Pro (monthly). Then:"

export const steps: ReadonlyArray<string> = [
  "On the plans page upgrade to Team (yearly). The shop says first what it costs.",
  "Cancel: the shop says until when. In the simulator's console press Advance to the end: Ada's access is over.",
  "Subscribe again, press Fail the next payment and Advance to the next renewal: a grace period runs.",
  "Press Revoke now, switch on Deliver twice, Deliver late and Out of order, press Apply, and subscribe, upgrade and cancel once more. The shop ends in the right state, and its activity has each change once."
]
