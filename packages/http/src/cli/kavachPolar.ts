/** `kavach-polar`, and all its commands. */
import * as Command from "@effect/cli/Command"
import type { CommandLine } from "./CommandLine.ts"
import { console } from "./commands/console.ts"
import { customers } from "./commands/customers.ts"
import { demo } from "./commands/demo.ts"
import { doctor } from "./commands/doctor.ts"
import { events } from "./commands/events.ts"
import { listen } from "./commands/listen.ts"
import { migrate } from "./commands/migrate.ts"
import { notifications } from "./commands/notifications.ts"
import { erase, erasures, exportUser } from "./commands/privacy.ts"
import { reconcile } from "./commands/reconcile.ts"
import { replay } from "./commands/replay.ts"
import { rotateSecret } from "./commands/rotateSecret.ts"
import { send } from "./commands/send.ts"
import { setup } from "./commands/setup.ts"
import { show } from "./commands/show.ts"
import { simulator } from "./commands/simulator.ts"

export const kavachPolar = (line: CommandLine) =>
  Command.make("kavach-polar").pipe(
    Command.withDescription(
      "Looks after the billing of an app that uses Polar. Each command tells its options with --help."
    ),
    Command.withSubcommands([
      setup(line),
      rotateSecret(line),
      doctor(line),
      show(line),
      console(line),
      reconcile(line),
      events(line),
      // The name of `events replay` in earlier versions.
      replay(line),
      notifications(line),
      customers(line),
      exportUser(line),
      erase(line),
      erasures(line),
      migrate(line),
      listen(line),
      send(line),
      simulator(line),
      demo(line)
    ])
  )
